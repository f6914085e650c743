package torchfile

import (
	"archive/zip"
	"bytes"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// seeds returns the files of testdata, which torch.save wrote.
func seeds(f *testing.F) [][]byte {
	f.Helper()
	var all [][]byte
	for _, pattern := range []string{"testdata/*.pt", "testdata/refused/*.pt"} {
		names, err := filepath.Glob(pattern)
		if err != nil || len(names) == 0 {
			f.Fatal(pattern, err)
		}
		for _, name := range names {
			b, err := os.ReadFile(name)
			if err != nil {
				f.Fatal(err)
			}
			all = append(all, b)
		}
	}
	return all
}

// walk reads all tensors of a value, and fails unless the value is as bounded as is said.
func walk(t *testing.T, v Value, file int, depth int, parts *int) {
	if *parts++; *parts > maxValues || depth > maxDepth {
		t.Fatalf("a value of more than %d parts, at depth %d", *parts, depth)
	}
	switch v := v.(type) {
	case *Dict:
		n := 0
		for k, item := range v.All() {
			switch k := k.(type) {
			case string:
				if got, ok := v.Get(k); !ok || got != nil && item == nil {
					t.Fatalf("key %q: %v", k, got)
				}
			case int64:
			default:
				t.Fatalf("a key %T", k)
			}
			walk(t, item, file, depth+1, parts)
			n++
		}
		if n != v.Len() {
			t.Fatalf("%d of %d keys", n, v.Len())
		}
	case List:
		for _, item := range v {
			walk(t, item, file, depth+1, parts)
		}
	case *Tensor:
		if n := v.Elems(); n < 0 || n > max(int64(file), maxRepeated) {
			t.Fatalf("%d elements in a file of %d bytes", n, file)
		}
		x, err := v.Float32s()
		y, err2 := v.Int64s()
		if err == nil && int64(len(x)) != v.Elems() || err2 == nil && int64(len(y)) != v.Elems() || err == nil && err2 == nil {
			t.Fatalf("%v: %d and %d elements, %v, %v", v, len(x), len(y), err, err2)
		}
	case nil, string, int64, float64, bool:
	default:
		t.Fatalf("a value %T", v)
	}
}

// check reads a file, and all that is in it.
func check(t *testing.T, file []byte) {
	v, err := readFile(file)
	if err != nil {
		if v != nil || len(err.Error()) > 2000 {
			t.Fatalf("got %v beside an error of %d bytes", v, len(err.Error()))
		}
		return
	}
	walk(t, v, len(file), 0, new(int))
}

// FuzzRead changes whole files.
func FuzzRead(f *testing.F) {
	for _, b := range seeds(f) {
		f.Add(b)
	}
	f.Fuzz(check)
}

// FuzzPickle changes pickles: the archive around one is whole, so that its checksum hides nothing from the fuzzer.
func FuzzPickle(f *testing.F) {
	for _, b := range seeds(f) {
		z, err := zip.NewReader(bytes.NewReader(b), int64(len(b)))
		if err != nil {
			continue // a file of torch before version 1.6
		}
		for _, e := range z.File {
			if !strings.HasSuffix(e.Name, "data.pkl") {
				continue
			}
			r, err := e.Open()
			if err != nil {
				f.Fatal(err)
			}
			pickle, err := io.ReadAll(r)
			if err != nil {
				f.Fatal(err)
			}
			f.Add(pickle)
		}
	}
	f.Add([]byte("\x80\x02" + tensorOf(0, tuple(2, 2), tuple(0, 1)) + "."))
	f.Add([]byte("\x80\x04]\x94(h\x00}\x94(\x8c\x01a\x94K\x01ue.")) // a list that contains itself
	data := strings.Repeat("\x01\x02\x03\x04", 64)
	f.Fuzz(func(t *testing.T, pickle []byte) {
		check(t, archiveOf(string(pickle), data, data, data, data, data, data))
	})
}

// FuzzWrite writes a tensor of any shape, and reads it.
func FuzzWrite(f *testing.F) {
	f.Add("encoder.weight", "F32", int64(4), int64(3), uint8(2))
	f.Add("k", "I32", int64(0), int64(0), uint8(0))
	f.Add("many", "F64", int64(300), int64(1), uint8(1))
	f.Fuzz(func(t *testing.T, name, dtype string, a, b int64, dims uint8) {
		shape := []int64{a, b, 1, 1, 1}[:dims%6]
		if n, err := elements(shape); err != nil || n > 1<<16 {
			return
		}
		file, err := NewFile([]Entry{{"first", "U8", []int64{1}, zeros{}}, {name, dtype, shape, zeros{}}})
		if err != nil {
			return
		}
		v, err := readFile(content(file))
		if err != nil {
			t.Fatal(err)
		}
		x, ok := v.(*Dict).Get(name)
		if !ok || x.(*Tensor).DType != dtype || len(x.(*Tensor).Shape) != len(shape) {
			t.Fatalf("%q: got %v, want %s%v", name, x, dtype, shape)
		}
		walk(t, v, 1<<20, 0, new(int))
	})
}
