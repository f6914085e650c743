//go:build !(linux || darwin || freebsd || netbsd || openbsd || dragonfly)

package data

import "os"

func mapFile(*os.File, int64) (File, bool) { return nil, false }
