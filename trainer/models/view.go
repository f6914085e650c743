package models

import (
	"encoding/binary"
	"errors"
	"io"
	"math"
	"sync"
)

// floats reads float32 numbers as little-endian bytes, where they lie. It implements io.ReaderAt.
type floats []float32

func (v floats) size() int64 { return 4 * int64(len(v)) }

func (v floats) ReadAt(p []byte, off int64) (int, error) {
	n, err := window(p, off, v.size())
	p = p[:n]
	for n := 0; n < len(p); {
		at := off + int64(n)
		if at%4 == 0 && len(p)-n >= 4 {
			whole := (len(p) - n) / 4
			src, dst := v[at/4:at/4+int64(whole)], p[n:n+4*whole]
			for i, x := range src {
				binary.LittleEndian.PutUint32(dst[4*i:], math.Float32bits(x))
			}
			n += 4 * whole
			continue
		}
		var word [4]byte // p begins or ends within a number
		binary.LittleEndian.PutUint32(word[:], math.Float32bits(v[at/4]))
		n += copy(p[n:], word[at%4:])
	}
	return n, err
}

// window returns how many of the bytes that p asks for lie before size, and io.EOF where p asks for more.
func window(p []byte, off, size int64) (int, error) {
	if off < 0 {
		return 0, errors.New("read at a negative offset")
	}
	left := max(size-off, 0)
	if int64(len(p)) > left {
		return int(left), io.EOF
	}
	return len(p), nil
}

// A transposed reads a matrix [rows,cols] as the bytes of its transpose [cols,rows], without a copy of it. One read of a
// column would use 4 bytes of each line of the processor's cache. So a block of columns is transposed at once, and kept:
// reads that follow one another, as those of a copy do, find their numbers there.
type transposed struct {
	v          []float32 // [rows,cols]
	rows, cols int
	block      int // columns at once

	mu     sync.Mutex
	blocks []columns // those used last, newest first
}

// columns are the columns [from, from+…) of a matrix, as rows of its transpose. They are not changed once they are there.
type columns struct {
	from int
	v    floats
}

// keptBlocks is how many blocks are kept: as many readers at several places do not undo each other's work.
const keptBlocks = 4

func newTransposed(v []float32, rows, cols int) *transposed {
	// A block has about 4 MiB, and at least 16 columns: the numbers of one line of the cache.
	return &transposed{v: v, rows: rows, cols: cols, block: min(cols, max(16, (1<<20)/rows))}
}

func (t *transposed) size() int64 { return 4 * int64(len(t.v)) }

func (t *transposed) ReadAt(p []byte, off int64) (int, error) {
	want, err := window(p, off, t.size())
	perBlock := 4 * int64(t.rows) * int64(t.block)
	n := 0
	for n < want {
		at := off + int64(n)
		i := at / perBlock
		m, _ := t.columns(int(i)*t.block).ReadAt(p[n:want], at-i*perBlock)
		n += m
	}
	return n, err
}

// columns returns the block that begins at a column.
func (t *transposed) columns(from int) floats {
	t.mu.Lock()
	for i, b := range t.blocks {
		if b.from == from {
			copy(t.blocks[1:i+1], t.blocks[:i])
			t.blocks[0] = b
			t.mu.Unlock()
			return b.v
		}
	}
	t.mu.Unlock()
	n := min(t.block, t.cols-from)
	out := make(floats, n*t.rows)
	transposeInto(out, t.v, t.rows, t.cols, from, n)
	t.mu.Lock()
	defer t.mu.Unlock()
	t.blocks = append([]columns{{from, out}}, t.blocks[:min(len(t.blocks), keptBlocks-1)]...)
	return out
}

// transposeInto fills out [n,rows] with the columns [from, from+n) of v [rows,cols], tile by tile, so that what is read
// and what is written both stay in the cache.
func transposeInto(out, v []float32, rows, cols, from, n int) {
	const tile = 16
	for r0 := 0; r0 < rows; r0 += tile {
		r1 := min(r0+tile, rows)
		for c0 := 0; c0 < n; c0 += tile {
			c1 := min(c0+tile, n)
			for c := c0; c < c1; c++ {
				dst := out[c*rows+r0 : c*rows+r1]
				at := r0*cols + from + c
				for i := range dst {
					dst[i] = v[at]
					at += cols
				}
			}
		}
	}
}

// joined reads several pieces one after the other.
type joined struct {
	pieces []piece
	length int64
}

type piece struct {
	body io.ReaderAt
	from int64 // in the whole
	size int64
}

func (j *joined) add(body io.ReaderAt, size int64) {
	j.pieces = append(j.pieces, piece{body, j.length, size})
	j.length += size
}

func (j *joined) ReadAt(p []byte, off int64) (int, error) {
	want, end := window(p, off, j.length)
	n := 0
	for _, x := range j.pieces {
		at := off + int64(n) - x.from
		if n == want || at >= x.size {
			continue
		}
		part := p[n:min(want, n+int(min(x.size-at, int64(want-n))))]
		m, err := x.body.ReadAt(part, at)
		n += m
		if m < len(part) {
			return n, err
		}
	}
	return n, end
}
