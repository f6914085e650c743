package parquetfile

import (
	"encoding/binary"
	"io"
)

// A footer is the table FileMetaData, as far as it is needed.
type footer struct {
	schema    []element
	groups    [][]chunk // row groups: a chunk for each leaf of the schema
	encrypted bool
}

// An element is a SchemaElement. Elements come in the order of a walk into depth.
type element struct {
	name       string
	leaf       bool // it has numbers or texts, and no children
	kind       int64
	length     int64 // bytes of a value of fixed length
	repetition int64
	children   int64
	float16    bool
}

// These are values of the enumerations Type and FieldRepetitionType.
const (
	kindFloat  = 4
	kindDouble = 5
	kindFixed  = 7

	isOptional = 1
	isRepeated = 2
)

// A chunk is the pages of a leaf in a row group.
type chunk struct {
	elsewhere  bool // in another file
	codec      int64
	values     int64
	bytes      int64 // with the headers of pages
	data, dict int64 // where the first page of data is, and the dictionary; 0 for none
}

// start returns where the pages begin.
func (c chunk) start() int64 {
	if c.dict > 0 && (c.dict < c.data || c.data == 0) {
		return c.dict
	}
	return c.data
}

// readFooter reads the footer of a file of size bytes.
func readFooter(r io.ReaderAt, size int64) (footer, error) {
	const magic = "PAR1"
	var lead [4]byte
	var tail [8]byte
	if size < 12 {
		return footer{}, bad("its %d bytes are no Parquet file: copy or write it again", size)
	}
	if err := readFull(r, lead[:], 0); err != nil {
		return footer{}, err
	}
	if err := readFull(r, tail[:], size-8); err != nil {
		return footer{}, err
	}
	const encrypted = "it is encrypted: write it without encryption"
	switch end := string(tail[4:]); {
	case end == "PARE":
		return footer{}, bad(encrypted)
	case string(lead[:]) != magic:
		return footer{}, bad("it does not begin as a Parquet file")
	case end != magic:
		return footer{}, bad("truncated: it does not end as a Parquet file: copy or write it again")
	}
	length := int64(binary.LittleEndian.Uint32(tail[:]))
	if length > maxFooter || length > size-12 {
		return footer{}, bad("its footer is said to have %d bytes, of a file of %d: copy or write it again", length, size)
	}
	b := make([]byte, length)
	if err := readFull(r, b, size-8-length); err != nil {
		return footer{}, err
	}
	t := &thrift{b: b}
	f := t.footer()
	if t.err == nil && f.encrypted {
		return f, bad(encrypted)
	}
	return f, t.err
}

func (t *thrift) footer() (f footer) {
	t.fields(func(id int, kind byte) {
		switch id {
		case 2:
			t.list(kind, func() { f.schema = append(f.schema, t.element()) })
			t.most("types", len(f.schema), maxTypes)
		case 4:
			chunks := 0
			t.list(kind, func() {
				f.groups = append(f.groups, t.group())
				chunks += 1 + len(f.groups[len(f.groups)-1])
				t.most("column chunks", chunks, maxChunks)
			})
		case 8:
			f.encrypted = true
		}
	})
	return f
}

// most fails if there are more of something than real files have.
func (t *thrift) most(what string, n, most int) {
	if n > most {
		t.fail(bad("it has more than %d %s", most, what))
	}
}

func (t *thrift) element() (e element) {
	t.fields(func(id int, _ byte) {
		switch id {
		case 1:
			e.kind, e.leaf = t.int(), true
		case 2:
			e.length = t.int()
		case 3:
			e.repetition = t.int()
		case 4:
			if e.name = t.text(); len(e.name) > maxName {
				t.fail(bad("a column's name has %d bytes: want at most %d", len(e.name), maxName))
			}
		case 5:
			e.children = t.int()
		case 10:
			t.fields(func(id int, _ byte) { e.float16 = e.float16 || id == 15 })
		}
	})
	return e
}

func (t *thrift) group() (chunks []chunk) {
	t.fields(func(id int, kind byte) {
		if id == 1 {
			t.list(kind, func() { chunks = append(chunks, t.chunk()) })
		}
	})
	return chunks
}

func (t *thrift) chunk() (c chunk) {
	t.fields(func(id int, _ byte) {
		switch id {
		case 1:
			c.elsewhere = t.text() != ""
		case 3:
			t.fields(func(id int, _ byte) {
				switch id {
				case 4:
					c.codec = t.int()
				case 5:
					c.values = t.int()
				case 7:
					c.bytes = t.int()
				case 9:
					c.data = t.int()
				case 11:
					c.dict = t.int()
				}
			})
		}
	})
	return c
}

// readFull reads all of b, which lies within the file.
func readFull(r io.ReaderAt, b []byte, off int64) error {
	n, err := r.ReadAt(b, off)
	if n == len(b) {
		return nil
	}
	if err == nil || err == io.EOF {
		err = io.ErrUnexpectedEOF
	}
	return err
}
