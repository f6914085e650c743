//go:build !(linux || darwin || freebsd || netbsd || openbsd || dragonfly)

package data

import "os"

// mapFile returns false: files are read without a mapping here.
func mapFile(*os.File, int64) (sizedFile, bool) { return nil, false }
