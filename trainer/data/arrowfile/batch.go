package arrowfile

import (
	"encoding/binary"
	"io"
	"math"
)

// A buffer is a part of the file.
type buffer struct{ at, size int64 }

// A node is the table FieldNode of a column or of a child of one.
type node struct{ rows, nulls int64 }

// A batch is the content of a record batch, taken in the order of the fields.
type batch struct {
	file    io.ReaderAt
	version int
	nodes   []node
	buffers []buffer
	views   []int64 // buffers of each column of views
}

// readBatch reads a table RecordBatch, whose body is size bytes from body on.
func (f *flat) readBatch(t table, version int, file io.ReaderAt, body, size int64) (*batch, error) {
	if f.tableField(t, 3) != 0 {
		return nil, bad("its buffers are compressed: write it without compression")
	}
	b := &batch{file: file, version: version}
	at, n := f.vector(t, 1, 16)
	for i := range n {
		b.nodes = append(b.nodes, node{f.i64(at + 16*i), f.i64(at + 16*i + 8)})
	}
	at, n = f.vector(t, 2, 16)
	for i := range n {
		off, length := f.i64(at+16*i), f.i64(at+16*i+8)
		if off < 0 || length < 0 || off > size || length > size-off {
			return nil, bad("a buffer lies outside of its record batch: copy or write it again")
		}
		b.buffers = append(b.buffers, buffer{body + off, length})
	}
	at, n = f.vector(t, 4, 8)
	for i := range n {
		b.views = append(b.views, f.i64(at+8*i))
	}
	return b, f.err
}

func (b *batch) node() (node, error) {
	if len(b.nodes) == 0 || b.nodes[0].rows < 0 || b.nodes[0].rows > math.MaxInt64/16 {
		return node{}, errMetadata
	}
	n := b.nodes[0]
	b.nodes = b.nodes[1:]
	return n, nil
}

// take returns the next n buffers.
func (b *batch) take(n int64) ([]buffer, error) {
	if n < 0 || n > int64(len(b.buffers)) {
		return nil, errMetadata
	}
	out := b.buffers[:n]
	b.buffers = b.buffers[n:]
	return out, nil
}

// skip passes over a field.
func (b *batch) skip(d *field) error {
	if _, err := b.node(); err != nil {
		return err
	}
	n := int64(2) // validity and values
	switch d.kind {
	case typeNull, typeRunEndEncoded:
		n = 0
	case typeBinary, typeUtf8, typeLargeBinary, typeLargeUtf8, typeListView, typeLargeListView:
		n = 3
	case typeBinaryView, typeUtf8View:
		if len(b.views) == 0 || b.views[0] > math.MaxInt32 {
			return errMetadata
		}
		n += b.views[0]
		b.views = b.views[1:]
	case typeStruct, typeFixedSizeList:
		n = 1
	case typeUnion:
		n = 1
		if d.dense {
			n++
		}
		if b.version < version5 {
			n++
		}
	}
	if d.coded { // the batch holds indexes
		n = 2
	}
	if _, err := b.take(n); err != nil || d.coded {
		return err
	}
	for i := range d.children {
		if err := b.skip(&d.children[i]); err != nil {
			return err
		}
	}
	return nil
}

// vectors returns the rows of a field that isVector: all vectors of its innermost lists, which have one width. width is
// 0 if that is not known before.
func (b *batch) vectors(d *field, width int64) (Segment, int64, error) {
	from, to := int64(0), int64(-1) // of the elements of d; to is −1 for all
	for ; d.isList(); d = &d.children[0] {
		n, err := b.node()
		if err != nil {
			return Segment{}, 0, err
		}
		if to < 0 {
			to = n.rows
		}
		if n.nulls != 0 {
			return Segment{}, 0, bad("%d of its values are null: leave such rows out", n.nulls)
		}
		if from < 0 || to < from || to > n.rows {
			return Segment{}, 0, errMetadata
		}
		innermost := !d.children[0].isList()
		if d.kind == typeFixedSizeList {
			if _, err := b.take(1); err != nil {
				return Segment{}, 0, err
			}
			size := int64(d.size)
			if size < 0 || size > 0 && to > math.MaxInt64/size {
				return Segment{}, 0, errMetadata
			}
			if innermost && from < to {
				if size == 0 {
					return Segment{}, 0, bad("it holds empty vectors: leave such rows out")
				}
				if width != 0 && width != size {
					return Segment{}, 0, widths(size, width)
				}
				width = size
			}
			from, to = from*size, to*size
			continue
		}
		buffers, err := b.take(2)
		if err != nil {
			return Segment{}, 0, err
		}
		if from == to {
			from, to = 0, 0
			continue
		}
		bytes := int64(4)
		if d.kind == typeLargeList {
			bytes = 8
		}
		o := offsets{b.file, buffers[1], bytes}
		if innermost {
			from, to, width, err = o.regular(from, to, width)
		} else {
			from, to, err = o.span(from, to)
		}
		if err != nil {
			return Segment{}, 0, err
		}
	}
	n, err := b.node()
	if err != nil {
		return Segment{}, 0, err
	}
	buffers, err := b.take(2)
	if err != nil {
		return Segment{}, 0, err
	}
	size := int64(d.size)
	switch {
	case n.nulls != 0:
		return Segment{}, 0, bad("%d of its numbers are null: leave such rows out", n.nulls)
	case from == to || width == 0:
		return Segment{}, width, nil
	case from < 0 || to < from || to > n.rows || to > buffers[1].size/size:
		return Segment{}, 0, bad("lists reach beyond their numbers: copy or write it again")
	}
	return Segment{Start: buffers[1].at + from*size, Rows: (to - from) / width}, width, nil
}

func widths(a, b int64) error {
	return bad("it holds vectors of %d and of %d numbers: all rows need one width", a, b)
}

// offsets are those of a column of lists.
type offsets struct {
	file  io.ReaderAt
	in    buffer
	bytes int64 // of one
}

// read reads n offsets from the i-th on.
func (o offsets) read(i, n int64) ([]int64, error) {
	if n > o.in.size/o.bytes || i > o.in.size/o.bytes-n {
		return nil, bad("a list has fewer offsets than elements: copy or write it again")
	}
	b := make([]byte, n*o.bytes)
	if got, err := o.file.ReadAt(b, o.in.at+i*o.bytes); got < len(b) {
		return nil, noEOF(err)
	}
	out := make([]int64, n)
	for j := range out {
		if o.bytes == 4 {
			out[j] = int64(int32(binary.LittleEndian.Uint32(b[4*j:])))
		} else {
			out[j] = int64(binary.LittleEndian.Uint64(b[8*j:]))
		}
	}
	return out, nil
}

// span returns which elements the lists from up to to hold.
func (o offsets) span(from, to int64) (first, end int64, err error) {
	a, err := o.read(from, 1)
	if err != nil {
		return 0, 0, err
	}
	b, err := o.read(to, 1)
	if err != nil {
		return 0, 0, err
	}
	return a[0], b[0], nil
}

// regular is span of lists that all have one length: width, unless that is 0. It returns the width.
func (o offsets) regular(from, to, width int64) (first, end, same int64, err error) {
	const most = 1 << 14
	for i := from; i < to; {
		n := min(most, to-i)
		all, err := o.read(i, n+1)
		if err != nil {
			return 0, 0, 0, err
		}
		if i == from {
			first = all[0]
			if width == 0 {
				width = all[1] - all[0]
			}
		}
		for j := range n {
			switch w := all[j+1] - all[j]; {
			case width == 0 && w == 0:
				return 0, 0, 0, bad("it holds empty vectors: leave such rows out")
			case w != width || w < 0:
				return 0, 0, 0, widths(w, width)
			}
		}
		end = all[n]
		i += n
	}
	return first, end, width, nil
}
