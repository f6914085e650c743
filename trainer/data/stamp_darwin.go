package data

import (
	"os"
	"syscall"
)

// fill sets what not every system has.
func (s *stamp) fill(info os.FileInfo) {
	if st, ok := info.Sys().(*syscall.Stat_t); ok {
		s.CTime = st.Ctimespec.Nano()
		s.Device, s.Inode = uint64(st.Dev), st.Ino
	}
}
