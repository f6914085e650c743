package arrowfile

import (
	"bytes"
	"encoding/binary"
	"os"
	"runtime"
	"strings"
	"testing"
)

// testFile reads a file that pyarrow wrote.
func testFile(t testing.TB, name string) []byte {
	t.Helper()
	b, err := os.ReadFile("../testdata/formats/" + name + "/a.arrow")
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// rowsOf returns how many rows the column acts has.
func rowsOf(b []byte) (n int64, err error) {
	f, err := Open(bytes.NewReader(b), int64(len(b)))
	if err != nil {
		return 0, err
	}
	for _, c := range f.Columns {
		if c.Name != "acts" {
			continue
		}
		rows, err := f.Rows(c)
		if err != nil {
			return 0, err
		}
		for _, seg := range rows.Segments {
			n += seg.Rows
		}
	}
	return n, nil
}

// A file that was cut anywhere, between two messages too, is refused, and so is one to which something was added.
func TestCutAnywhere(t *testing.T) {
	for _, name := range []string{"arrow-file", "arrow-stream"} {
		b := testFile(t, name)
		if n, err := rowsOf(b); n != 40 || err != nil {
			t.Fatalf("%s: %d rows, %v", name, n, err)
		}
		for size := range b {
			if n, err := rowsOf(b[:size]); err == nil || !IsFormat(err) {
				t.Errorf("%s: the first %d bytes of %d hold %d rows, %v", name, size, len(b), n, err)
			}
		}
		if n, err := rowsOf(append(bytes.Clone(b), b...)); err == nil || !IsFormat(err) {
			t.Errorf("%s, twice: %d rows, %v", name, n, err)
		}
	}
	// A footer behind fewer record batches than it names.
	b := testFile(t, "arrow-file")
	foot := len(b) - 10 - int(binary.LittleEndian.Uint32(b[len(b)-10:]))
	f, err := Open(bytes.NewReader(b), int64(len(b)))
	if err != nil {
		t.Fatal(err)
	}
	for batches := 0; ; {
		if f.at < int64(foot) {
			cut := append(bytes.Clone(b[:f.at]), b[foot:]...)
			if n, err := rowsOf(cut); batches < f.batches && (err == nil || !strings.Contains(err.Error(), "its footer names")) {
				t.Errorf("%d record batches: %d rows, %v", batches, n, err)
			}
		}
		m, err := f.next()
		if err != nil {
			t.Fatal(err)
		}
		if m == nil {
			break
		}
		if m.kind == headerBatch {
			batches++
		}
	}
}

// A builder writes FlatBuffers whose tables have fields of four bytes.
type builder struct{ b []byte }

func (f *builder) word(v int) int {
	f.b = binary.LittleEndian.AppendUint32(f.b, uint32(v))
	return len(f.b) - 4
}

// table writes a table with these fields, and returns where it is. Its i-th field lies 4+4i bytes behind.
func (f *builder) table(fields ...int) int {
	vtable := len(f.b)
	f.b = binary.LittleEndian.AppendUint16(f.b, uint16(4+2*6))
	f.b = binary.LittleEndian.AppendUint16(f.b, 4+4*6)
	for i := range 6 {
		slot := 0
		for _, has := range fields {
			if has == i {
				slot = 4 + 4*i
			}
		}
		f.b = binary.LittleEndian.AppendUint16(f.b, uint16(slot))
	}
	at := f.word(len(f.b) - vtable)
	f.b = append(f.b, make([]byte, 4*6)...)
	return at
}

func (f *builder) set(table, i, v int) { binary.LittleEndian.PutUint32(f.b[table+4+4*i:], uint32(v)) }

// vector writes a vector behind all that is there, which a field of a table names. It returns where its elements begin.
func (f *builder) vector(table, i, n, bytes int) int {
	f.set(table, i, f.word(n)-(table+4+4*i))
	at := len(f.b)
	f.b = append(f.b, make([]byte, n*bytes)...)
	return at
}

// stream returns a stream whose schema has n fields of type struct, all the same one, whose name has so many bytes. Its
// children are depth levels of n fields, each all the same one.
func stream(n, name, depth int) []byte {
	f := &builder{make([]byte, 4)}
	message := f.table(0, 1, 2)
	binary.LittleEndian.PutUint32(f.b, uint32(message))
	f.set(message, 0, version5)
	f.set(message, 1, headerSchema)
	schema := f.table(1)
	f.set(message, 2, schema-(message+4+4*2))
	table, slot := schema, 1
	for range depth {
		at := f.vector(table, slot, n, 4)
		field := f.table(0, 2, 5)
		f.set(field, 2, typeStruct)
		for i := range n {
			binary.LittleEndian.PutUint32(f.b[at+4*i:], uint32(field-(at+4*i)))
		}
		f.vector(field, 0, name, 1)
		table, slot = field, 5
	}
	f.vector(table, slot, 0, 4)
	out := binary.LittleEndian.AppendUint32([]byte{255, 255, 255, 255}, uint32(len(f.b)))
	return append(append(out, f.b...), 255, 255, 255, 255, 0, 0, 0, 0)
}

// What metadata name many times is not read many times, and names are bounded.
func TestDamagedSchemas(t *testing.T) {
	for _, tt := range []struct {
		name           string
		n, size, depth int
		want           string // in the error; "" for none
	}{
		{"two columns", 2, 3, 1, ""},
		{"a long name", 1, maxName, 1, ""},
		{"a name that is too long", 1, maxName + 1, 1, "a column's name has 65537 bytes"},
		{"a name of many columns", 100, maxName, 1, "damaged"},
		{"columns of one place", 3000, 3, 4, "damaged"},
	} {
		b := stream(tt.n, tt.size, tt.depth)
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		f, err := Open(bytes.NewReader(b), int64(len(b)))
		runtime.ReadMemStats(&after)
		if tt.want == "" && (err != nil || len(f.Columns) != tt.n || len(f.Columns[0].Name) != tt.size) ||
			tt.want != "" && (err == nil || !IsFormat(err) || !strings.Contains(err.Error(), tt.want)) {
			t.Errorf("%s: %v", tt.name, err)
		}
		if bytes := after.TotalAlloc - before.TotalAlloc; bytes > 4<<20 {
			t.Errorf("%s: %d bytes were allocated", tt.name, bytes)
		}
	}
}
