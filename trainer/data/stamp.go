package data

import (
	"os"
	"time"
)

// A stamp tells whether a file was written to or replaced since it was looked at. Times
// are in nanoseconds since 1970. Where a system has no change time, device or inode, they
// are 0.
type stamp struct {
	Size   int64  `json:"size"`
	MTime  int64  `json:"mtime"`
	CTime  int64  `json:"ctime,omitempty"` // who sets MTime back does not set this one back
	Device uint64 `json:"device,omitempty"`
	Inode  uint64 `json:"inode,omitempty"`
	Tag    string `json:"tag,omitempty"` // of an object, in place of all but Size: Object.Tag
}

// stampOf returns the stamp of a file.
func stampOf(info os.FileInfo) stamp {
	s := stamp{Size: info.Size(), MTime: info.ModTime().UnixNano()}
	s.fill(info)
	return s
}

// racyTime is for how long after its last change a file may be written to without another
// change of its times. Clocks of file systems are coarse. And a program that writes to a
// mapping sets the time when it first dirties a page; what it writes to that page later
// shows only after the page was written back, which Linux begins after 30 seconds and
// checks for every 5.
const racyTime = 60 * time.Second

// racy reports whether the file may have changed after a look at its bytes that began at
// a time, although its stamp did not.
func (s stamp) racy(began time.Time) bool {
	return s.MTime > began.Add(-racyTime).UnixNano()
}

// stamps returns those of all shards, in order.
func (s *shards) stamps() []stamp {
	out := make([]stamp, len(s.list))
	for i, sh := range s.list {
		out[i] = sh.file.stamp()
	}
	return out
}
