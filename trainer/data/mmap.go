//go:build linux || darwin || freebsd || netbsd || openbsd || dragonfly

package data

import (
	"errors"
	"io"
	"io/fs"
	"os"

	"github.com/topksweep/sweep/trainer/data/mapping"
)

// A mappedFile is a read-only mapping of a file: reading a row is a copy, not a system
// call, and all workers of the machine share the page cache.
type mappedFile struct {
	name string
	info fs.FileInfo // when it was opened
	size int64
	data *mapping.Mapping
	open func(name string) (shardFile, error) // without a mapping
}

// errReplaced says that a mapped file cannot be looked at any more.
var errReplaced = errors.New("another file has its name now")

// mapFile maps a file. It returns false if that is not possible.
func mapFile(f *os.File) (shardFile, bool) {
	info, err := f.Stat()
	if err != nil {
		return nil, false
	}
	m := mapping.Map(f, info.Size())
	if m == nil {
		return nil, false
	}
	open := func(name string) (shardFile, error) { return openPlain(name) }
	return &mappedFile{f.Name(), info, info.Size(), m, open}, true
}

func (m *mappedFile) Size() int64  { return m.size }
func (m *mappedFile) stamp() stamp { return stampOf(m.info) }

func (m *mappedFile) Stat() (fs.FileInfo, error) {
	info, err := os.Stat(m.name)
	if err == nil && !os.SameFile(info, m.info) {
		return nil, errReplaced
	}
	return info, err
}

// ReadAt implements io.ReaderAt. Where a file was cut short since, it returns io.EOF.
func (m *mappedFile) ReadAt(p []byte, off int64) (n int, err error) {
	if off < 0 || off > m.size {
		return 0, io.EOF
	}
	n, zeros, ok := m.copy(p, off)
	if !ok {
		return m.readFile(p, off)
	}
	if zeros {
		if info, err := m.Stat(); err == nil && info.Size() < off+int64(n) {
			return int(max(0, info.Size()-off)), io.EOF
		}
	}
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

// copy copies from the mapping. It reports !ok if a page cannot be had, which would
// otherwise end the process. zeros says that the last byte is 0, and so is the rest of
// its page: so it reads behind the end of a file that was cut short.
func (m *mappedFile) copy(p []byte, off int64) (n int, zeros, ok bool) {
	ok = mapping.Guard(func() {
		n = copy(p, m.data.Data[off:])
		zeros = n > 0 && p[n-1] == 0 && m.zeroToPageEnd(int(off)+n)
	})
	if !ok {
		return 0, false, false
	}
	return n, zeros, true
}

func (m *mappedFile) zeroToPageEnd(off int) bool {
	page := os.Getpagesize()
	end := min(int(m.size), (off+page-1)/page*page)
	for _, b := range m.data.Data[off:end] {
		if b != 0 {
			return false
		}
	}
	return true
}

// readFile reads with system calls what could not be read from the mapping. They say why:
// the file was cut short, or the disk or the network fails.
func (m *mappedFile) readFile(p []byte, off int64) (int, error) {
	f, err := m.open(m.name)
	if err != nil {
		return 0, err
	}
	defer f.Close()
	switch info, err := f.Stat(); {
	case err != nil:
		return 0, err
	case !os.SameFile(info, m.info):
		return 0, errReplaced
	}
	return f.ReadAt(p, off)
}

func (m *mappedFile) Close() error { return m.data.Close() }
