package data

import (
	"encoding/binary"
	"errors"
	"slices"
	"sort"
)

// kept is a source without some rows of another. Its rows are numbered anew, from 0.
//
// With rows 2, 3 and 7 of ten left out, out is 2 3 7 and before is 2 2 5: so many rows are
// kept before each. Row 5 of kept is then row 8 of the other source, as three of before
// are at most 5.
type kept struct {
	source
	out    []int64 // numbers of the rows that are left out, rising
	before []int64 // out[i] − i
}

func newKept(src source, out []int64) *kept {
	k := &kept{source: src, out: out, before: make([]int64, len(out))}
	for i, row := range out {
		k.before[i] = row - int64(i)
	}
	return k
}

func (k *kept) rows() int64 { return k.source.rows() - int64(len(k.out)) }

// number returns the number that a row has in the other source.
func (k *kept) number(row int64) int64 {
	return row + int64(sort.Search(len(k.before), func(i int) bool { return k.before[i] > row }))
}

func (k *kept) read(row int64, x []float32, scale float32, buf []byte) error {
	return k.source.read(k.number(row), x, scale, buf)
}

func (k *kept) readStored(row int64, x []byte, limit limit, buf []byte) error {
	return k.source.readStored(k.number(row), x, limit, buf)
}

// encodeRows writes rising numbers as the differences between them.
func encodeRows(rows []int64) []byte {
	b, last := []byte{}, int64(0)
	for _, row := range rows {
		b, last = binary.AppendUvarint(b, uint64(row-last)), row
	}
	return b
}

// decodeRows reads what encodeRows wrote of rows below count.
func decodeRows(b []byte, count int64) (rows []int64, err error) {
	last := int64(-1)
	for len(b) > 0 {
		step, n := binary.Uvarint(b)
		if n <= 0 || step >= uint64(count) {
			return nil, errors.New("not a list of rows")
		}
		next := max(last, 0) + int64(step)
		if next <= last || next >= count {
			return nil, errors.New("not a list of rows")
		}
		rows, last, b = append(rows, next), next, b[n:]
	}
	return slices.Clip(rows), nil
}
