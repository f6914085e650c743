//go:build !noserver

package local

import (
	"os"
	"sync"
)

// logFile is a file that is only appended to and is limited in size. When it would grow
// larger than limit bytes, it is renamed to NAME.1, which replaces an older NAME.1, and a
// new file is started. A file that cannot be opened, as on a full disk, is tried again
// with the next line: the server runs without a log.
type logFile struct {
	name  string
	limit int64

	mu     sync.Mutex
	f      *os.File // nil if it is not open
	size   int64
	closed bool
}

func newLogFile(name string, limit int64) *logFile { return &logFile{name: name, limit: limit} }

func (l *logFile) open() error {
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

// Write appends p. After Close it does nothing: parts of a stopped server may still log.
func (l *logFile) Write(p []byte) (int, error) {
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

func (l *logFile) rotate() error {
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

func (l *logFile) Close() error {
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
