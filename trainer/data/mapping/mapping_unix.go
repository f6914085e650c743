//go:build linux || darwin || freebsd || netbsd || openbsd || dragonfly

// Package mapping maps files into memory for reading. Pages that cannot be had are reported: they do not end the
// process.
package mapping

import (
	"math"
	"os"
	"runtime/debug"
	"syscall"
)

// A Mapping is a file's content, read-only. Several goroutines may read it at once.
type Mapping struct {
	Data []byte // nil after Close; to be read with Copy
}

// Map maps a file of size bytes. It returns nil where that is not possible. The file may be closed then.
func Map(f *os.File, size int64) *Mapping {
	if size <= 0 || size > math.MaxInt {
		return nil
	}
	b, err := syscall.Mmap(int(f.Fd()), 0, int(size), syscall.PROT_READ, syscall.MAP_SHARED)
	if err != nil {
		return nil // some file systems do not support it
	}
	return &Mapping{b}
}

// Copy copies from byte off on, which is within the mapping, what fits into p. It reports !ok if a page cannot be had:
// the file was cut short, or its disk fails.
func (m *Mapping) Copy(p []byte, off int64) (n int, ok bool) {
	ok = Guard(func() { n = copy(p, m.Data[off:]) })
	return n, ok
}

// Guard calls read, which reads mapped memory, and reports whether all pages could be had. Other panics go on.
func Guard(read func()) (ok bool) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if e := recover(); e != nil {
			if _, fault := e.(interface{ Addr() uintptr }); !fault {
				panic(e)
			}
			ok = false
		}
	}()
	read()
	return true
}

// Close unmaps the file. Nothing may read from it then.
func (m *Mapping) Close() error {
	b := m.Data
	m.Data = nil
	if b == nil {
		return nil
	}
	return syscall.Munmap(b)
}
