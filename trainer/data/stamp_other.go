//go:build !linux && !darwin

package data

import "os"

// fill sets what not every system has: here nothing is known to be there.
func (s *stamp) fill(os.FileInfo) {}
