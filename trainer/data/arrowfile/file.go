package arrowfile

import (
	"encoding/binary"
	"errors"
	"io"
)

// maxMetadata bounds the metadata of one message, in bytes.
const maxMetadata = 64 << 20

// mostPadding is how many bytes may lie before a footer, so that it is aligned.
const mostPadding = 63

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

// A File is an IPC file whose schema has been read, or an IPC stream that was saved as a file.
type File struct {
	Columns []Column

	file   io.ReaderAt
	end    int64 // of the messages: where the footer begins, or the file ends
	at     int64 // of the next message
	fields []field

	footer  bool // it is a file, whose footer says how many record batches it has
	batches int
}

// IsFormat reports whether an error is about the content of a file, and not of reading it.
func IsFormat(err error) bool { return errors.As(err, new(formatError)) }

// Open reads the schema of a file of size bytes, and the footer if it has one.
func Open(file io.ReaderAt, size int64) (*File, error) {
	f := &File{file: file, end: size}
	var lead [8]byte
	if n, err := file.ReadAt(lead[:], 0); n < len(lead) && err != io.EOF {
		return nil, err
	}
	if string(lead[:len(magic)]) == magic {
		f.at, f.footer = int64(len(lead)), true
		if err := f.readFooter(size); err != nil {
			return nil, err
		}
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
	m.tables(m.header, 1, func(t table) {
		d := m.readField(t, 0)
		f.fields = append(f.fields, d)
		f.Columns = append(f.Columns, Column{Name: d.name, Type: d.describe(), Vector: d.isVector(), field: d,
			index: len(f.Columns)})
	})
	return f, m.err
}

// magic begins an IPC file and ends it, behind the footer and its length.
const magic = "ARROW1"

// readFooter finds where the messages end, and how many record batches they are to hold. A file that was cut short does
// not end with a footer.
func (f *File) readFooter(size int64) error {
	const tailBytes = 4 + len(magic)
	var tail [tailBytes]byte
	end := size - int64(tailBytes)
	if end < f.at {
		return errCut
	}
	if n, err := f.file.ReadAt(tail[:], end); n < len(tail) {
		return noEOF(err)
	}
	length := int64(binary.LittleEndian.Uint32(tail[:]))
	if string(tail[4:]) != magic || length > maxMetadata || length > end-f.at {
		return errCut
	}
	f.end = end - length
	b := flat{b: make([]byte, length)}
	if n, err := f.file.ReadAt(b.b, f.end); n < len(b.b) {
		return noEOF(err)
	}
	const blockBytes = 24
	_, f.batches = b.vector(b.root(), 3, blockBytes)
	return b.err
}

const errCut = formatError("truncated: it begins as an Arrow file, and does not end with a footer: copy or write it " +
	"again")

// Rows finds the rows of a column, which is a Vector.
func (f *File) Rows(c Column) (Rows, error) {
	if !c.Vector {
		return Rows{}, bad("it is %s: want lists of floating-point numbers", c.Type)
	}
	out := Rows{Bytes: c.field.leaf().size}
	batches := 0
	for g := *f; ; {
		m, err := g.next()
		if err != nil {
			return out, err
		}
		if m == nil {
			if f.footer && batches != f.batches {
				return out, bad("its footer names %d record batches, and it holds %d: copy or write it again", f.batches, batches)
			}
			return out, nil
		}
		if m.kind != headerBatch {
			continue
		}
		batches++
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

// next reads the next message. It returns nil at the end of the stream. Without the mark of the end it cannot be told
// from one that was cut short; the footer of a file tells.
func (f *File) next() (*message, error) {
	if f.at == f.end {
		if f.footer {
			return nil, nil
		}
		return nil, bad("truncated: no mark says that the stream ends: copy or write it again, and close its writer")
	}
	length, err := f.word()
	if err == nil && length == 0xffffffff { // before version 0.15 of Arrow the length came at once
		length, err = f.word()
	}
	if err != nil {
		return nil, err
	}
	if length == 0 {
		room := int64(0)
		if f.footer {
			room = mostPadding
		}
		if f.end-f.at > room {
			return nil, bad("%d bytes follow the end of its record batches: write one stream to a file", f.end-f.at)
		}
		return nil, nil
	}
	if length > maxMetadata || int64(length) > f.end-f.at {
		return nil, bad("truncated, or not an Arrow stream: %d bytes of metadata are said to follow byte %d of %d",
			length, f.at, f.end)
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
	case m.size > f.end-f.at:
		return nil, bad("truncated: a record batch of %d bytes begins at byte %d of %d: copy or write it again",
			m.size, f.at, f.end)
	}
	f.at += m.size
	return m, nil
}

// word reads four bytes.
func (f *File) word() (uint32, error) {
	if f.end-f.at < 4 {
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
