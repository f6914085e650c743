package storagetest

import (
	"bytes"
	"io"

	"github.com/topksweep/sweep/storage"
)

// A brokenBody fails from byte end on.
type brokenBody struct {
	io.ReaderAt
	end int64
}

func (b brokenBody) ReadAt(p []byte, off int64) (int, error) {
	if off+int64(len(p)) <= b.end {
		return b.ReaderAt.ReadAt(p, off)
	}
	n := 0
	if off < b.end {
		n, _ = b.ReaderAt.ReadAt(p[:b.end-off], off)
	}
	return n, ErrInjected
}

// A flippedBody has one bit flipped in byte at.
type flippedBody struct {
	io.ReaderAt
	at int64
}

func (b flippedBody) ReadAt(p []byte, off int64) (int, error) {
	n, err := b.ReaderAt.ReadAt(p, off)
	if i := b.at - off; 0 <= i && i < int64(n) {
		p[i] ^= 1
	}
	return n, err
}

// A brokenReader spoils the second half of a stream. To find the half it reads the
// whole stream: what tests store is small.
type brokenReader struct {
	io.ReadCloser
	fault Fault
	key   string
	left  io.Reader
}

func (b *brokenReader) Read(p []byte) (int, error) {
	if b.left == nil {
		all, err := io.ReadAll(b.ReadCloser)
		if err != nil {
			return 0, err
		}
		half := len(all) / 2
		b.left = bytes.NewReader(all[:half])
		if b.fault == FlippedRead {
			if len(all) > 0 {
				all[half] ^= 1
			}
			b.left = bytes.NewReader(all)
		}
	}
	n, err := b.left.Read(p)
	if err == io.EOF && b.fault == BrokenRead {
		err = storage.Wrap("get", b.key, ErrInjected)
	}
	return n, err
}
