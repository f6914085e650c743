//go:build linux || darwin

package disk

import (
	"io/fs"
	"syscall"
)

// measure fills in what is free.
func (i *Info) measure() {
	var s syscall.Statfs_t
	if syscall.Statfs(i.Dir, &s) != nil {
		return
	}
	unit := int64(s.Bsize)
	i.Free, i.Size = int64(s.Bavail)*unit, int64(s.Blocks)*unit
	i.Inodes, i.Most = int64(s.Ffree), int64(s.Files)
}

// device numbers the disk of a file; 0 is none.
func device(info fs.FileInfo) uint64 {
	if s, ok := info.Sys().(*syscall.Stat_t); ok {
		return uint64(s.Dev)
	}
	return 0
}
