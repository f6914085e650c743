//go:build !(linux || darwin || freebsd || netbsd || openbsd || dragonfly)

package data

import "os"

// mapFile returns false: files are read without a mapping here.
func mapFile(*os.File) (shardFile, bool) { return nil, false }
