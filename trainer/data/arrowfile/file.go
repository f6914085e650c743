package arrowfile

import (
	"encoding/binary"
	"errors"
	"io"
)

// maxMetadata bounds the metadata of one message, in bytes.
const maxMetadata = 64 << 20

// A Column is a column of a file.
type Column struct {
	Name   string
	Type   string // for people, such as list<list<float32>>
	Vector bool   // it is a list, or lists of lists, of floating-point numbers

	field field
	index int
}

// A Segment is rows that lie one after the other in a file, from byte Start on.
type Segment struct{ Start, Rows int64 }

// Rows say where those of a column lie.
type Rows struct {
	Segments []Segment // in order; none is empty
	Width    int64     // numbers in a row
	Bytes    int       // of a number: 2, 4 or 8
}

// A File is an IPC file whose schema has been read.
type File struct {
	Columns []Column

	file   io.ReaderAt
	size   int64
	at     int64 // of the next message
	fields []field
}

// IsFormat reports whether an error is about the content of a file, and not of reading it.
func IsFormat(err error) bool { return errors.As(err, new(formatError)) }

// Open reads the schema of a file of size bytes.
func Open(file io.ReaderAt, size int64) (*File, error) {
	f := &File{file: file, size: size}
	var lead [8]byte
	if n, err := file.ReadAt(lead[:], 0); n < len(lead) && err != io.EOF {
		return nil, err
	}
	if string(lead[:6]) == "ARROW1" {
		f.at = 8
	}
	m, err := f.next()
	if err != nil {
		return nil, err
	}
	if m == nil || m.kind != headerSchema {
		return nil, bad("it does not begin with the schema of an Arrow stream or file")
	}
	if m.shortField(m.header, 0) != 0 {
		return nil, bad("its numbers are big-endian: write it on a little-endian machine")
	}
	for i, t := range m.tables(m.header, 1) {
		d := m.readField(t, 0)
		if m.err != nil {
			return nil, m.err
		}
		f.fields = append(f.fields, d)
		f.Columns = append(f.Columns, Column{Name: d.name, Type: d.describe(), Vector: d.isVector(), field: d, index: i})
	}
	return f, m.err
}

// Rows finds the rows of a column, which is a Vector.
func (f *File) Rows(c Column) (Rows, error) {
	if !c.Vector {
		return Rows{}, bad("it is %s: want lists of floating-point numbers", c.Type)
	}
	out := Rows{Bytes: c.field.leaf().size}
	for at := f.at; ; {
		g := *f
		g.at = at
		m, err := g.next()
		if err != nil || m == nil {
			return out, err
		}
		at = g.at
		if m.kind != headerBatch {
			continue
		}
		b, err := m.readBatch(m.header, m.version, f.file, m.body, m.size)
		if err != nil {
			return out, err
		}
		for i := range c.index {
			if err := b.skip(&f.fields[i]); err != nil {
				return out, err
			}
		}
		seg, width, err := b.vectors(&c.field, out.Width)
		if err != nil {
			return out, err
		}
		out.Width = width
		if seg.Rows > 0 {
			out.Segments = append(out.Segments, seg)
		}
	}
}

// These are members of the union MessageHeader.
const (
	headerSchema = 1
	headerBatch  = 3
)

// A message is the metadata of a message and where its body lies.
type message struct {
	flat
	version    int
	kind       int
	header     table
	body, size int64
}

// next reads the next message. It returns nil at the end of the stream.
func (f *File) next() (*message, error) {
	if f.at == f.size {
		return nil, nil // a stream may end without a mark
	}
	length, err := f.word()
	if err == nil && length == 0xffffffff { // before version 0.15 of Arrow the length came at once
		length, err = f.word()
	}
	if err != nil || length == 0 {
		return nil, err
	}
	if length > maxMetadata || int64(length) > f.size-f.at {
		return nil, bad("truncated, or not an Arrow stream: %d bytes of metadata are said to follow byte %d of %d",
			length, f.at, f.size)
	}
	m := &message{flat: flat{b: make([]byte, length)}}
	if n, err := f.file.ReadAt(m.b, f.at); n < len(m.b) {
		return nil, noEOF(err)
	}
	f.at += int64(length)
	root := m.root()
	m.version, m.kind, m.header = m.shortField(root, 0), m.byteField(root, 1), m.tableField(root, 2)
	m.body, m.size = f.at, m.longField(root, 3)
	switch {
	case m.err != nil:
		return nil, m.err
	case m.header == 0 || m.size < 0:
		return nil, errMetadata
	case m.version != version4 && m.version != version5:
		return nil, bad("version %d of Arrow's metadata is unknown", m.version+1)
	case m.size > f.size-f.at:
		return nil, bad("truncated: a record batch of %d bytes begins at byte %d of %d: copy or write it again",
			m.size, f.at, f.size)
	}
	f.at += m.size
	return m, nil
}

// word reads four bytes.
func (f *File) word() (uint32, error) {
	if f.size-f.at < 4 {
		return 0, bad("truncated: it ends within a message: copy or write it again")
	}
	var b [4]byte
	if n, err := f.file.ReadAt(b[:], f.at); n < len(b) {
		return 0, noEOF(err)
	}
	f.at += 4
	return binary.LittleEndian.Uint32(b[:]), nil
}

// noEOF says that a file ended within its size.
func noEOF(err error) error {
	if err == nil || err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}
