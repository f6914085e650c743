package table

import (
	"bytes"
	"fmt"
	"io"
)

// Limits of what is read from a file, so that no file can take all memory.
const (
	MaxBytes  = 256 << 20 // of a file
	MaxValues = 1 << 24   // rows × columns

	maxColumns = 10_000
	maxLine    = 16 << 20 // bytes of a line of text
)

// A limit is a reader that fails behind so many bytes, or in a line that is too long.
type limit struct {
	r    io.Reader
	left int64
	text bool  // there are lines
	line int64 // bytes of the present one
}

func (l *limit) Read(p []byte) (int, error) {
	n, err := l.r.Read(p)
	if l.left -= int64(n); l.left < 0 {
		return 0, fmt.Errorf("more than %d MiB, which is all that is read of a file", MaxBytes>>20)
	}
	if l.text {
		if i := bytes.LastIndexByte(p[:n], '\n'); i >= 0 {
			l.line = int64(n - 1 - i)
		} else {
			l.line += int64(n)
		}
		if l.line > maxLine {
			return 0, fmt.Errorf("a line of more than %d MiB, which is all that is read of one", maxLine>>20)
		}
	}
	return n, err
}

// checkColumns refuses more columns than any table has.
func checkColumns(n int) error {
	if n > maxColumns {
		return fmt.Errorf("more than %d columns", maxColumns)
	}
	return nil
}

func readAll(r io.Reader) ([]byte, error) { return io.ReadAll(&limit{r: r, left: MaxBytes}) }
