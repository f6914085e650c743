// Package parquetfile reads the vectors of a column of lists from Parquet files. Their pages are encoded and
// compressed, so that a row cannot be read by itself: the caller writes all of them to a file.
package parquetfile

import (
	"encoding/binary"
	"fmt"
	"io"
	"math"
	"strings"

	"github.com/parquet-go/parquet-go"
)

// A Column is a column of a file.
type Column struct {
	Name   string
	Type   string // for people
	Vector bool   // it is a list, or lists of lists, of floating-point numbers

	leaf  *parquet.Column
	bytes int
}

// A File is a Parquet file whose footer has been read.
type File struct {
	Columns []Column
	file    *parquet.File
}

// Open reads the footer of a file of size bytes.
func Open(r io.ReaderAt, size int64) (f *File, err error) {
	defer recovered(&err)
	file, err := parquet.OpenFile(r, size, parquet.SkipPageIndex(true), parquet.SkipBloomFilters(true))
	if err != nil {
		return nil, err
	}
	f = &File{file: file}
	halves := float16s(file)
	for _, c := range file.Root().Columns() {
		f.Columns = append(f.Columns, column(c, halves))
	}
	return f, nil
}

// recovered turns a panic into an error: the library may panic at damaged pages.
func recovered(err *error) {
	if e := recover(); e != nil {
		*err = fmt.Errorf("its content is damaged: %v", e)
	}
}

// float16s returns the indexes of the leaves that are of float16: the library's columns do not tell.
func float16s(file *parquet.File) map[int]bool {
	out, leaf := map[int]bool{}, 0
	for _, e := range file.Metadata().Schema {
		if !e.Type.Valid { // a group
			continue
		}
		if strings.EqualFold(e.LogicalType.String(), "FLOAT16") && e.TypeLength.V == 2 {
			out[leaf] = true
		}
		leaf++
	}
	return out
}

// column describes a column of the first level.
func column(top *parquet.Column, halves map[int]bool) Column {
	c := Column{Name: top.Name(), leaf: top}
	lists := 0
	if top.Repeated() {
		lists++
	}
	for !c.leaf.Leaf() {
		inner := c.leaf.Columns()
		if len(inner) != 1 {
			c.Type = "struct"
			return c
		}
		if c.leaf = inner[0]; c.leaf.Repeated() {
			lists++
		}
	}
	c.bytes = numberBytes(c.leaf, halves)
	if c.Type = c.leaf.Type().String(); c.bytes > 0 {
		c.Type = fmt.Sprintf("float%d", 8*c.bytes)
	}
	for range lists {
		c.Type = "list<" + c.Type + ">"
	}
	c.Vector = lists > 0 && c.bytes > 0
	return c
}

// numberBytes returns the size of a column's numbers, or 0 if they are not floating-point numbers.
func numberBytes(c *parquet.Column, halves map[int]bool) int {
	switch c.Type().Kind() {
	case parquet.Float:
		return 4
	case parquet.Double:
		return 8
	}
	if halves[c.Index()] {
		return 2
	}
	return 0
}

// Bytes returns the size of a number of a Vector column.
func (c Column) Bytes() int { return c.bytes }

// Rows calls row with each vector of a Vector column, as little-endian numbers. All have one width. raw is valid during
// the call.
func (f *File) Rows(c Column, row func(raw []byte) error) (err error) {
	defer recovered(&err)
	v := vectors{inner: c.leaf.MaxRepetitionLevel(), full: c.leaf.MaxDefinitionLevel(), bytes: c.bytes, row: row}
	for _, group := range f.file.RowGroups() {
		if err := v.pages(group.ColumnChunks()[c.leaf.Index()].Pages()); err != nil {
			return err
		}
	}
	return v.end()
}

// vectors gathers numbers to vectors.
type vectors struct {
	inner, full, bytes int
	row                func(raw []byte) error

	raw  []byte // the numbers of a vector that may go on
	size int    // of a vector, in bytes; 0 before the first
}

func (v *vectors) pages(pages parquet.Pages) error {
	defer pages.Close()
	values := make([]parquet.Value, 4096)
	for {
		page, err := pages.ReadPage()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		for reader := page.Values(); err == nil; {
			var n int
			n, err = reader.ReadValues(values)
			for _, value := range values[:n] {
				if err := v.add(value); err != nil {
					return err
				}
			}
		}
		parquet.Release(page)
		if err != io.EOF {
			return err
		}
	}
}

// add adds a number. One that does not go on with an innermost list begins a vector.
func (v *vectors) add(value parquet.Value) error {
	if value.RepetitionLevel() < v.inner {
		if err := v.end(); err != nil {
			return err
		}
	}
	if value.DefinitionLevel() < v.full {
		return fmt.Errorf("a value is null, or a list is empty: leave such rows out")
	}
	switch v.bytes {
	case 2:
		v.raw = append(v.raw, value.ByteArray()...)
	case 4:
		v.raw = binary.LittleEndian.AppendUint32(v.raw, math.Float32bits(value.Float()))
	default:
		v.raw = binary.LittleEndian.AppendUint64(v.raw, math.Float64bits(value.Double()))
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
		return fmt.Errorf("it holds vectors of %d and of %d numbers: all rows need one width", len(v.raw)/v.bytes,
			v.size/v.bytes)
	}
	err := v.row(v.raw)
	v.raw = v.raw[:0]
	return err
}
