package local

import (
	"os"
	"sync"
)

// LogLimit is the most bytes that a log of the state directory has in each of its two files.
const LogLimit = 8 << 20

// A LogFile is a file that is only appended to and is limited in size. When it would grow
// larger than its limit, it is renamed to NAME.1, which replaces an older NAME.1, and a
// new file is started. A file that cannot be opened, as on a full disk, is tried again
// with the next line: what writes the log runs without one.
type LogFile struct {
	name  string
	limit int64 // bytes

	mu     sync.Mutex
	f      *os.File // nil if it is not open
	size   int64
	closed bool
}

// NewLogFile returns the log with a file name, which it opens with the first line. limit is
// in bytes; a single write that is larger stands whole in a file of its own.
func NewLogFile(name string, limit int64) *LogFile { return &LogFile{name: name, limit: limit} }

func (l *LogFile) open() error {
	f, err := os.OpenFile(l.name, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	st, err := f.Stat()
	if err != nil {
		f.Close()
		return err
	}
	l.f, l.size = f, st.Size()
	return nil
}

// Write appends p. After Close it does nothing: parts of a stopped server may still log. The
// error says that the file cannot be opened, renamed or written now.
func (l *LogFile) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return len(p), nil
	}
	if l.f == nil {
		if err := l.open(); err != nil {
			return 0, err
		}
	}
	if l.size > 0 && l.size+int64(len(p)) > l.limit {
		if err := l.rotate(); err != nil {
			return 0, err
		}
	}
	n, err := l.f.Write(p)
	l.size += int64(n)
	return n, err
}

func (l *LogFile) rotate() error {
	err := l.f.Close()
	l.f = nil
	if err != nil {
		return err
	}
	if err := os.Rename(l.name, l.name+".1"); err != nil {
		return err
	}
	return l.open()
}

// Close closes the file. Closing it again does nothing.
func (l *LogFile) Close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.closed = true
	if l.f == nil {
		return nil
	}
	f := l.f
	l.f = nil
	return f.Close()
}
