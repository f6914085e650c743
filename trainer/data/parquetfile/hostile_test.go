package parquetfile

import (
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"math"
	"runtime"
	"strings"
	"testing"

	"github.com/klauspost/compress/zstd"
)

// A writer writes values of Thrift's compact protocol. Numbers of fields are from 1 to 15, and steps are at most 15.
type writer struct {
	b    []byte
	last []int
}

func (w *writer) field(id int, kind byte) *writer {
	n := len(w.last) - 1
	w.b = append(w.b, byte(id-w.last[n])<<4|kind)
	w.last[n] = id
	return w
}

func (w *writer) int(id int, v int64) { w.b = binary.AppendVarint(w.field(id, thriftI64).b, v) }

func (w *writer) list(id, n int, do func()) {
	w.b = binary.AppendUvarint(append(w.field(id, thriftList).b, 0xf0|thriftStruct), uint64(n))
	do()
}

func (w *writer) open() { w.last = append(w.last, 0) }
func (w *writer) end()  { w.b, w.last = append(w.b, 0), w.last[:len(w.last)-1] }

func (w *writer) in(id int, do func()) {
	w.field(id, thriftStruct)
	w.open()
	do()
	w.end()
}

// structure returns a structure.
func structure(do func(w *writer)) []byte {
	w := &writer{}
	w.open()
	do(w)
	w.end()
	return w.b
}

// column returns a file of one column x, a list of float32, whose pages are given.
func column(codec, values int64, pages []byte) []byte {
	foot := structure(func(w *writer) {
		w.list(2, 3, func() {
			w.open()
			w.int(5, 1)
			w.end()
			for _, e := range []struct{ kind, repetition, children int64 }{{0, isRepeated, 1}, {kindFloat, 0, 0}} {
				w.open()
				if e.children == 0 {
					w.int(1, e.kind)
				}
				w.int(3, e.repetition)
				w.b = append(w.field(4, thriftBinary).b, 1, 'x')
				w.int(5, e.children)
				w.end()
			}
		})
		w.list(4, 1, func() {
			w.open()
			w.list(1, 1, func() {
				w.open()
				w.in(3, func() {
					w.int(4, codec)
					w.int(5, values)
					w.int(7, int64(len(pages)))
					w.int(9, 4)
				})
				w.end()
			})
			w.end()
		})
	})
	return file(pages, foot)
}

func file(pages, foot []byte) []byte {
	b := append(append([]byte("PAR1"), pages...), foot...)
	return append(binary.LittleEndian.AppendUint32(b, uint32(len(foot))), "PAR1"...)
}

// page returns a page of version 1, whose body may be compressed.
func page(encoding, values, full int64, body []byte) []byte {
	return append(structure(func(w *writer) {
		w.int(1, pageData)
		w.int(2, full)
		w.int(3, int64(len(body)))
		w.in(5, func() {
			w.int(1, values)
			w.int(2, encoding)
			w.int(3, encodingRuns)
			w.int(4, encodingRuns)
		})
	}), body...)
}

// dictionary returns a page of one number, 0.
func dictionary() []byte {
	return append(structure(func(w *writer) {
		w.int(1, pageDictionary)
		w.int(2, 4)
		w.int(3, 4)
		w.in(7, func() {
			w.int(1, 1)
			w.int(2, encodingPlain)
		})
	}), 0, 0, 0, 0)
}

// run returns n times a number of one byte.
func run(n uint64, value byte) []byte { return append(binary.AppendUvarint(nil, n<<1), value) }

func sized(b []byte) []byte {
	return append(binary.LittleEndian.AppendUint32(nil, uint32(len(b))), b...)
}

// body returns the levels and the values of a page, of which each repetition level is the given one.
func body(n uint64, repetition byte, values []byte) []byte {
	return append(append(sized(run(n, repetition)), sized(run(n, 1))...), values...)
}

// hostile is a file that states more than it holds, and what is said of it.
type hostile struct {
	name string
	file []byte
	want string // in the error
}

func hostileFiles() []hostile {
	const many = math.MaxInt32
	one := body(many, 1, append([]byte{0}, run(many, 0)[:5]...))
	lists := structure(func(w *writer) { w.list(2, many, func() {}) })
	text := structure(func(w *writer) { w.b = binary.AppendUvarint(w.field(1, thriftBinary).b, many) })
	return []hostile{
		{"a vector of billions in a run", column(codecNone, many, append(dictionary(),
			page(encodingDictionary, many, int64(len(one)), one)...)), "a vector of more than 1048576 numbers"},
		{"a list of billions in the footer", file(nil, lists), "damaged"},
		{"a text of billions in the footer", file(nil, text), "damaged"},
		{"a text of billions in the header of a page", column(codecNone, 1, text), "damaged"},
		{"a page of a gigabyte in snappy", column(codecSnappy, 1, page(encodingPlain, 1, 1<<30, one)), "damaged"},
		{"a page of a gigabyte in lz4", column(codecLz4, 1, page(encodingPlain, 1, 1<<30, one)), "damaged"},
		{"a page of a gigabyte in zstd", column(codecZstd, 1, page(encodingPlain, 1, 1<<30, one)), "damaged"},
		{"a page of two gigabytes", column(codecNone, 1, page(encodingPlain, 1, many, one)), "more than 1073741824"},
	}
}

// bombs are pages that hold more than they state.
func bombs(t *testing.T) []hostile {
	t.Helper()
	zeros := make([]byte, 64<<20)
	var zipped bytes.Buffer
	z, _ := gzip.NewWriterLevel(&zipped, gzip.BestSpeed)
	z.Write(zeros)
	z.Close()
	e, err := zstd.NewWriter(nil)
	if err != nil {
		t.Fatal(err)
	}
	ofGzip, ofZstd := page(encodingPlain, 1, 100, zipped.Bytes()), page(encodingPlain, 1, 100, e.EncodeAll(zeros, nil))
	return []hostile{
		{"more in gzip than is stated", column(codecGzip, 1, ofGzip), "damaged"},
		{"more in zstd than is stated", column(codecZstd, 1, ofZstd), "damaged"},
	}
}

// Memory is bounded by what a file holds, not by what it states.
func TestHostileLengths(t *testing.T) {
	for _, h := range append(hostileFiles(), bombs(t)...) {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		f, err := Open(bytes.NewReader(h.file), int64(len(h.file)))
		if err == nil {
			err = f.Rows(f.Columns[0], func([]byte) error { return nil })
		}
		runtime.ReadMemStats(&after)
		if err == nil || !IsFormat(err) || !strings.Contains(err.Error(), h.want) {
			t.Errorf("%s: %v", h.name, err)
		}
		if n := after.TotalAlloc - before.TotalAlloc; n > 48<<20 {
			t.Errorf("%s: %d bytes were allocated", h.name, n)
		}
	}
	// What is not hostile is read: rows of one number, as many as a run says.
	const rows = 1 << 20
	runs := body(rows, 0, append([]byte{0}, run(rows, 0)[:4]...))
	b := column(codecNone, rows, append(dictionary(), page(encodingDictionary, rows, int64(len(runs)), runs)...))
	n := 0
	f, err := Open(bytes.NewReader(b), int64(len(b)))
	if err == nil {
		err = f.Rows(f.Columns[0], func([]byte) error { n++; return nil })
	}
	if err != nil || n != rows {
		t.Errorf("%d rows, %v", n, err)
	}
}

// A page of nulls alone has no numbers, and some writers compress nothing to nothing.
func TestEmptyPages(t *testing.T) {
	for kind := range int64(codecLz4 + 1) {
		if kind == 3 || kind == 5 { // LZO, and LZ4 in frames of Hadoop
			continue
		}
		z := &codec{}
		b, err := z.decompress(kind, nil, 0)
		if z.close(); len(b) > 0 || err != nil {
			t.Errorf("compression %d: %v, %v", kind, b, err)
		}
	}
}
