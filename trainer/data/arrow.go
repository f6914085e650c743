package data

import (
	"fmt"
	"io"
	"slices"
	"sort"

	"github.com/topksweep/sweep/trainer/data/arrowfile"
)

// parts say where the rows of a shard lie that are not one after the other: those of each record batch of an Arrow
// file.
type parts struct {
	list  []arrowfile.Segment
	first []int64 // byte of the rows at which each part begins
}

// equal reports whether two shards have their rows in the same places; nil is for rows one after the other.
func (p *parts) equal(o *parts) bool {
	if p == nil || o == nil {
		return p == o
	}
	return slices.Equal(p.list, o.list)
}

func newParts(list []arrowfile.Segment, rowBytes int64) *parts {
	p := &parts{list: list, first: make([]int64, len(list))}
	var at int64
	for i, seg := range list {
		p.first[i] = at
		at += seg.Rows * rowBytes
	}
	return p
}

// readAt reads bytes of the rows from file, as io.ReaderAt does.
func (p *parts) readAt(file io.ReaderAt, b []byte, off int64) (n int, err error) {
	for i := sort.Search(len(p.first), func(i int) bool { return p.first[i] > off }) - 1; n < len(b); i++ {
		if i >= len(p.list) {
			return n, io.EOF
		}
		from := off + int64(n) - p.first[i]
		room := int64(len(b) - n)
		if i+1 < len(p.first) {
			room = min(room, p.first[i+1]-p.first[i]-from)
		}
		got, err := file.ReadAt(b[n:n+int(room)], p.list[i].Start+from)
		n += got
		if int64(got) < room {
			return n, err
		}
	}
	return n, nil
}

// arrowLayout returns where the rows are of the column of an Arrow file that holds them.
func (f form) arrowLayout(r io.ReaderAt, size int64) (l layout, err error) {
	file, err := arrowfile.Open(r, size)
	if err != nil {
		return l, fixable{err, func(path string) string { return ofColumn(path, f.tensor) }}
	}
	all := make([]array, len(file.Columns))
	for i, c := range file.Columns {
		all[i] = array{c.Name, c.Type, c.Vector}
	}
	i, err := chooseRows("column", f.tensor, all)
	if err != nil {
		return l, err
	}
	column := file.Columns[i].Name
	found, err := file.Rows(file.Columns[i])
	if err != nil {
		lines := func(path string) string { return ofColumn(path, column) }
		return l, fixable{fmt.Errorf("column %s: %w", column, err), lines}
	}
	if found.Width > maxDim {
		return l, fmt.Errorf("column %s: rows of %d numbers are wider than %d", column, found.Width, maxDim)
	}
	l.dtype, l.dim = map[int]dtype{2: f16, 4: f32, 8: f64}[found.Bytes], int(found.Width)
	for _, seg := range found.Segments {
		l.rows += seg.Rows
	}
	l.parts = newParts(found.Segments, l.rowBytes())
	return l, nil
}
