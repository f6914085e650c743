package torchfile

import (
	"archive/zip"
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"reflect"
	"strings"
	"sync"
	"testing"
	"testing/iotest"
)

// floats returns the bytes of floats.
func floats(x ...float32) io.ReaderAt {
	var b []byte
	for _, v := range x {
		b = binary.LittleEndian.AppendUint32(b, math.Float32bits(v))
	}
	return bytes.NewReader(b)
}

// autoencoder is what dictionary_learning keeps, as testdata/make.py has it.
func autoencoder() []Entry {
	return []Entry{
		{"encoder.weight", "F32", []int64{4, 3}, floats(upTo(12)...)},
		{"encoder.bias", "F32", []int64{4}, floats(upTo(4)...)},
		{"decoder.weight", "F32", []int64{3, 4}, floats(upTo(12)...)},
		{"b_dec", "F32", []int64{3}, floats(upTo(3)...)},
		{"k", "I32", nil, bytes.NewReader([]byte{2, 0, 0, 0})},
		{"threshold", "F32", nil, floats(-1)},
	}
}

func newTestFile(t *testing.T, entries []Entry) *File {
	t.Helper()
	f, err := NewFile(entries)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// pickleOf returns the data.pkl of a file that torch.save wrote.
func pickleOf(t *testing.T, name string) []byte {
	t.Helper()
	z, err := zip.OpenReader("testdata/" + name + ".pt")
	if err != nil {
		t.Fatal(err)
	}
	defer z.Close()
	r, err := z.Open(name + "/data.pkl")
	if err != nil {
		t.Fatal(err)
	}
	b, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// The pickle is that of torch.save, byte for byte.
func TestWriteAsTorch(t *testing.T) {
	many := make([]Entry, 1201)
	for i := range many {
		many[i] = Entry{fmt.Sprintf("t%d", i), "F32", []int64{1, 1, 1, 2}[i%4:], floats(0, 0)}
	}
	var dtypes []Entry
	for _, d := range strings.Fields("F64 F32 F16 BF16 I64 I32 I16 I8 U8 BOOL") {
		dtypes = append(dtypes, Entry{kinds[d].name, d, []int64{2}, bytes.NewReader(make([]byte, 16))})
	}
	for name, entries := range map[string][]Entry{
		"ae":         autoencoder(),
		"one":        {{"one", "F32", []int64{300, 70000}, zeros{}}},
		"nothing":    nil,
		"zero":       {{"a", "F32", []int64{0}, nil}, {"b", "F32", []int64{2, 0, 3}, nil}},
		"all_dtypes": dtypes,
		"many":       many,
	} {
		sizes := make([]int64, len(entries))
		for i, e := range entries {
			var err error
			if sizes[i], err = e.size(); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile("testdata/pickles/" + name + ".pkl")
		if name == "ae" {
			want, err = pickleOf(t, "ae"), nil
		}
		if name == "many" { // 90 KB: only its digest is kept
			var got [32]byte = sha256.Sum256(pickleDict(entries, sizes))
			if err != nil || fmt.Sprintf("%x\n", got) != string(want) {
				t.Errorf("%s: the digest is %x, want %s (%v)", name, got, want, err)
			}
			continue
		}
		if got := pickleDict(entries, sizes); err != nil || !bytes.Equal(got, want) {
			t.Errorf("%s: got %q, want %q (%v)", name, got, want, err)
		}
	}
}

// The bytes of a file do not change: torch.load has read these.
func TestWriteGolden(t *testing.T) {
	f := newTestFile(t, autoencoder())
	const want = "a1d552905abf7b28134552afe5c9ea87d3507690b12058e4b3978bcdcdf087f8"
	if got := fmt.Sprintf("%x", sha256.Sum256(content(f))); got != want {
		t.Errorf("the digest is %s, want %s", got, want)
	}
}

// A file that is written is read as it was, also by an ordinary reader of zip archives.
func TestRoundTrip(t *testing.T) {
	entries := append(autoencoder(), Entry{"none", "I64", []int64{2, 0}, nil},
		Entry{"ü \n\"", "F32", []int64{1, 2, 1, 2}, floats(upTo(4)...)})
	b := content(newTestFile(t, entries))
	v, err := readFile(b)
	if err != nil {
		t.Fatal(err)
	}
	want := append(plain(t, load(t, "ae")).([]any), "none", "I64[2 0] []", "ü \n\"", "F32[1 2 1 2] [0 1 2 3]")
	if got := plain(t, v); !reflect.DeepEqual(got, want) {
		t.Errorf("got %v\nwant %v", got, want)
	}
	z, err := zip.NewReader(bytes.NewReader(b), int64(len(b)))
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range z.File {
		if off, err := f.DataOffset(); err != nil || off%alignment != 0 {
			t.Errorf("%s lies at byte %d (%v)", f.Name, off, err)
		}
		r, err := f.Open()
		if err != nil {
			t.Fatal(err)
		}
		if n, err := io.Copy(io.Discard, r); err != nil || n != int64(f.UncompressedSize64) {
			t.Errorf("%s: %d bytes, %v", f.Name, n, err)
		}
	}
}

// Any stretch of a file can be read, from many goroutines.
func TestReadAt(t *testing.T) {
	f := newTestFile(t, autoencoder())
	all := content(f)
	if err := iotest.TestReader(io.NewSectionReader(f, 0, f.Size()), all); err != nil {
		t.Error(err)
	}
	var wg sync.WaitGroup
	for from := range len(all) {
		wg.Go(func() {
			for _, n := range []int{0, 1, 7, 200, len(all)} {
				p := make([]byte, n)
				got, err := f.ReadAt(p, int64(from))
				want := all[from:min(from+n, len(all))]
				if !bytes.Equal(p[:got], want) || (err == io.EOF) != (got < n) {
					t.Errorf("ReadAt %d, %d: %d bytes, %v", from, n, got, err)
				}
			}
		})
	}
	wg.Wait()
	for _, off := range []int64{-1, f.Size(), f.Size() + 1, math.MaxInt64} {
		if n, err := f.ReadAt(make([]byte, 1), off); n != 0 || err == nil {
			t.Errorf("ReadAt %d: %d bytes, %v", off, n, err)
		}
	}
}

func TestWriteErrors(t *testing.T) {
	boom := errors.New("boom")
	ok := floats(0)
	for name, c := range map[string]struct {
		entries []Entry
		want    string
	}{
		"twice":         {[]Entry{{"a", "F32", nil, ok}, {"a", "F32", nil, ok}}, `two tensors have the name "a"`},
		"no name":       {[]Entry{{"", "F32", nil, ok}}, "the name"},
		"name":          {[]Entry{{"\xff", "F32", nil, ok}}, "UTF-8"},
		"dtype":         {[]Entry{{"a", "F31", nil, ok}}, `"F31"`},
		"dtype of none": {[]Entry{{"a", "U64", nil, ok}}, `"U64"`},
		"negative":      {[]Entry{{"a", "F32", []int64{-1}, ok}}, "negative"},
		"overflow":      {[]Entry{{"a", "F32", []int64{1 << 32, 1 << 32}, ok}}, "too large"},
		"bytes":         {[]Entry{{"a", "F64", []int64{1 << 60}, ok}}, "too large"},
		"no data":       {[]Entry{{"a", "F32", nil, nil}}, "no data"},
		"short":         {[]Entry{{"a", "F32", []int64{2}, ok}}, "end after 4 bytes"},
		"broken":        {[]Entry{{"a", "F32", nil, &failingReader{r: bytes.NewReader(make([]byte, 4)), err: boom}}}, "boom"},
		"dimensions":    {[]Entry{{"a", "F32", make([]int64, 65), ok}}, "dimensions"},
		"too many":      {make([]Entry, maxEntries+1), "more than"},
	} {
		if f, err := NewFile(c.entries); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, %v, want %q", name, f, err, c.want)
		}
	}
	late := &failingReader{r: bytes.NewReader(make([]byte, 4)), from: 4, err: boom}
	f := newTestFile(t, []Entry{{"a", "F32", nil, late}})
	late.from = 2
	if n, err := io.Copy(io.Discard, io.NewSectionReader(f, 0, f.Size())); !errors.Is(err, boom) || n == f.Size() {
		t.Errorf("data that can no longer be read: %d bytes, %v", n, err)
	}
	late.err = io.EOF
	if _, err := io.Copy(io.Discard, io.NewSectionReader(f, 0, f.Size())); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("data that have become shorter: %v", err)
	}
}

// zeros are as many bytes as one likes.
type zeros struct{}

func (zeros) ReadAt(p []byte, off int64) (int, error) {
	clear(p)
	return len(p), nil
}

// From 4 GiB on, sizes and offsets lie in the fields of zip64. The limits are those of 32 bits.
func TestWriteLarge(t *testing.T) {
	for _, n := range []int64{1<<30 - 1, 1 << 30, 1<<30 + 1, 5 << 30} { // elements of 4 bytes
		entries := []Entry{{"small", "F32", nil, floats(3)}, {"large", "F32", []int64{n}, zeros{}},
			{"behind", "F32", nil, floats(7)}}
		f, err := newFile(entries, func(e Entry, size int64) (uint32, error) {
			if size > 100 {
				return 0, nil // it is not read here
			}
			return checksum(e, size)
		})
		if err != nil {
			t.Fatal(err)
		}
		z, err := zip.NewReader(f, f.Size())
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range z.File {
			if off, err := e.DataOffset(); err != nil || off%alignment != 0 {
				t.Errorf("%s lies at %d, %v", e.Name, off, err)
			}
		}
		v, err := Read(f, f.Size())
		if err != nil {
			t.Fatal(err)
		}
		large, _ := v.(*Dict).Get("large")
		behind, _ := v.(*Dict).Get("behind")
		if got := plain(t, behind); large.(*Tensor).Elems() != n || got != "F32[] [7]" {
			t.Errorf("%d elements: %v and behind it %v", n, large, got)
		}
	}
}

func BenchmarkWrite(b *testing.B) {
	data := make([]byte, 256<<20)
	entries := []Entry{{"a", "F32", []int64{int64(len(data)) / 4}, bytes.NewReader(data)}}
	b.SetBytes(int64(len(data)))
	for b.Loop() {
		f, err := NewFile(entries)
		if err != nil {
			b.Fatal(err)
		}
		if _, err := io.CopyBuffer(onlyWriter{io.Discard}, onlyReader{io.NewSectionReader(f, 0, f.Size())},
			make([]byte, 1<<20)); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkRead(b *testing.B) {
	const rows, cols = 4096, 16384
	file := content(must(NewFile([]Entry{{"a", "F32", []int64{rows, cols}, zeros{}}})))
	v := must(readFile(file))
	a, _ := v.(*Dict).Get("a")
	t := *a.(*Tensor)
	for _, name := range []string{"rows", "transposed"} {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(4 * rows * cols)
			for b.Loop() {
				must(t.Float32s())
			}
		})
		t.Shape, t.Stride = []int64{cols, rows}, []int64{1, cols}
	}
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}
