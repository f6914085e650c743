//go:build linux || darwin || freebsd || netbsd || openbsd || dragonfly

package data

import (
	"fmt"
	"io"
	"math"
	"os"
	"runtime/debug"
	"syscall"
)

// A mappedFile is a read-only mapping of a file: reading a row is a copy, not a system
// call, and all workers of the machine share the page cache.
type mappedFile struct {
	name string
	data []byte
}

// mapFile maps a file of size bytes. It returns false if that is not possible.
func mapFile(f *os.File, size int64) (sizedFile, bool) {
	if size <= 0 || size > math.MaxInt {
		return nil, false
	}
	b, err := syscall.Mmap(int(f.Fd()), 0, int(size), syscall.PROT_READ, syscall.MAP_SHARED)
	if err != nil {
		return nil, false // some file systems do not support it
	}
	return &mappedFile{f.Name(), b}, true
}

func (m *mappedFile) Size() int64 { return int64(len(m.data)) }

// ReadAt implements io.ReaderAt. If the file was truncated since, a page is missing, and
// reading it would end the process: ReadAt returns an error instead.
func (m *mappedFile) ReadAt(p []byte, off int64) (n int, err error) {
	if off < 0 || off > int64(len(m.data)) {
		return 0, io.EOF
	}
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if e := recover(); e != nil {
			if _, fault := e.(interface{ Addr() uintptr }); !fault {
				panic(e)
			}
			n, err = 0, &ShardError{m.name, fmt.Sprintf(
				"cannot be read at byte %d: it was cut short after it was opened, or its disk fails", off)}
		}
	}()
	if n = copy(p, m.data[off:]); n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

func (m *mappedFile) Close() error {
	b := m.data
	m.data = nil
	if b == nil {
		return nil
	}
	return syscall.Munmap(b)
}
