package table

import (
	"fmt"
	"io"
)

// Limits of what is read from a file, so that no file can take all memory.
const (
	MaxBytes  = 256 << 20 // of a file
	MaxValues = 1 << 24   // rows × columns
)

// A limit is a reader that fails behind so many bytes.
type limit struct {
	r    io.Reader
	left int64
}

func (l *limit) Read(p []byte) (int, error) {
	n, err := l.r.Read(p)
	if l.left -= int64(n); l.left < 0 {
		return 0, fmt.Errorf("more than %d MiB, which is all that is read of a file", MaxBytes>>20)
	}
	return n, err
}

func readAll(r io.Reader) ([]byte, error) { return io.ReadAll(&limit{r: r, left: MaxBytes}) }
