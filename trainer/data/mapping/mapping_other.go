//go:build !(linux || darwin || freebsd || netbsd || openbsd || dragonfly)

// Package mapping maps files into memory for reading; here it does not.
package mapping

import "os"

// A Mapping is a file's content. There is none here.
type Mapping struct{ Data []byte }

// Map returns nil: files are read without a mapping here.
func Map(*os.File, int64) *Mapping { return nil }

// Copy is for mappings.
func (m *Mapping) Copy([]byte, int64) (int, bool) { return 0, false }

// Close is for mappings.
func (m *Mapping) Close() error { return nil }
