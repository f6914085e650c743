package parquetfile

import (
	"fmt"
	"io"
)

// A Column is a column of a file.
type Column struct {
	Name   string
	Type   string // for people
	Vector bool   // it is a list, or lists of lists, of floating-point numbers

	leaf        int // index among all leaves
	bytes       int // of a number
	inner, full int // the levels of a number that goes on with its list, and of one that is there
}

// A File is a Parquet file whose footer has been read.
type File struct {
	Columns []Column

	file   io.ReaderAt
	size   int64
	groups [][]chunk
}

// Open reads the footer of a file of size bytes.
func Open(r io.ReaderAt, size int64) (*File, error) {
	foot, err := readFooter(r, size)
	if err != nil {
		return nil, err
	}
	f := &File{file: r, size: size, groups: foot.groups}
	if len(foot.schema) == 0 {
		return nil, errDamaged
	}
	w := walk{rest: foot.schema[1:]}
	for range foot.schema[0].children {
		c, err := w.column()
		if err != nil {
			return nil, err
		}
		f.Columns = append(f.Columns, c)
	}
	for _, g := range f.groups {
		if len(g) != w.leaves || len(w.rest) > 0 {
			return nil, errDamaged
		}
	}
	return f, nil
}

// A walk goes over the elements of a schema.
type walk struct {
	rest   []element
	leaves int
}

func (w *walk) next() (element, error) {
	if len(w.rest) == 0 {
		return element{}, errDamaged
	}
	e := w.rest[0]
	w.rest = w.rest[1:]
	return e, nil
}

// column describes a column of the first level.
func (w *walk) column() (Column, error) {
	e, err := w.next()
	c := Column{Name: e.name, leaf: w.leaves}
	for depth := 0; err == nil; depth++ {
		switch e.repetition {
		case isOptional:
			c.full++
		case isRepeated:
			c.inner, c.full = c.inner+1, c.full+1
		}
		if e.leaf || e.children != 1 || depth == maxDepth {
			break
		}
		e, err = w.next()
	}
	if err != nil {
		return c, err
	}
	if !e.leaf {
		c.Type = "struct"
		return c, w.skip(e, 0)
	}
	w.leaves++
	c.bytes = e.numberBytes()
	if c.Type = e.typeName(); c.bytes > 0 {
		c.Type = fmt.Sprintf("float%d", 8*c.bytes)
	}
	for range c.inner {
		c.Type = "list<" + c.Type + ">"
	}
	c.Vector = c.inner > 0 && c.bytes > 0
	return c, nil
}

// skip passes over what an element holds.
func (w *walk) skip(e element, depth int) error {
	if e.leaf {
		w.leaves++
		return nil
	}
	if depth > maxDepth {
		return bad("its types are nested more than %d deep", maxDepth)
	}
	for range e.children {
		inner, err := w.next()
		if err == nil {
			err = w.skip(inner, depth+1)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// numberBytes returns the size of a leaf's numbers, or 0 if they are not floating-point numbers.
func (e element) numberBytes() int {
	switch {
	case e.kind == kindFloat:
		return 4
	case e.kind == kindDouble:
		return 8
	case e.kind == kindFixed && e.length == 2 && e.float16:
		return 2
	}
	return 0
}

func (e element) typeName() string {
	names := []string{"bool", "int32", "int64", "int96", "float32", "float64", "bytes", "bytes"}
	if e.kind < 0 || e.kind >= int64(len(names)) {
		return "another type"
	}
	return names[e.kind]
}

// Bytes returns the size of a number of a Vector column.
func (c Column) Bytes() int { return c.bytes }

// Rows calls row with each vector of a Vector column, as little-endian numbers. All have one width. raw is valid during
// the call. An error that IsFormat says what is wrong with the file; others are those of reading it and of row.
func (f *File) Rows(c Column, row func(raw []byte) error) error {
	v := &vectors{inner: uint32(c.inner), bytes: c.bytes, row: row}
	z := &codec{}
	defer z.close()
	for _, g := range f.groups {
		p := &pages{file: f.file, size: f.size, column: c, chunk: g[c.leaf], out: v, codec: z}
		if err := p.read(); err != nil {
			return err
		}
	}
	return v.end()
}

// vectors gathers numbers to vectors.
type vectors struct {
	inner uint32 // the repetition level of a number that goes on with its innermost list
	bytes int
	row   func(raw []byte) error

	raw  []byte // the numbers of a vector that may go on
	size int    // of a vector, in bytes; 0 before the first
}

// add adds numbers. One that does not go on with an innermost list begins a vector.
func (v *vectors) add(repetition []uint32, raw []byte) error {
	for i := 0; i < len(repetition); {
		if repetition[i] < v.inner {
			if err := v.end(); err != nil {
				return err
			}
		}
		j := i + 1
		for j < len(repetition) && repetition[j] >= v.inner {
			j++
		}
		v.raw = append(v.raw, raw[i*v.bytes:j*v.bytes]...)
		if len(v.raw) > maxNumbers*v.bytes {
			return bad("it holds a vector of more than %d numbers", maxNumbers)
		}
		i = j
	}
	return nil
}

// end ends a vector.
func (v *vectors) end() error {
	if len(v.raw) == 0 {
		return nil
	}
	if v.size == 0 {
		v.size = len(v.raw)
	}
	if len(v.raw) != v.size {
		return bad("it holds vectors of %d and of %d numbers: all rows need one width", len(v.raw)/v.bytes, v.size/v.bytes)
	}
	err := v.row(v.raw)
	v.raw = v.raw[:0]
	return err
}
