package torchfile

import (
	"archive/zip"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"strings"
	"testing"
)

// pickleNone is a pickle of None.
const pickleNone = "\x80\x02N."

// A stored is an entry of an archive to write with archive/zip.
type stored struct {
	name, content string
	method        uint16
}

// zipOf writes an archive with an ordinary writer.
func zipOf(t *testing.T, entries ...stored) []byte {
	t.Helper()
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for _, e := range entries {
		w, err := z.CreateHeader(&zip.FileHeader{Name: e.name, Method: e.method})
		if err == nil {
			_, err = io.WriteString(w, e.content)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// replaced returns b with every old as new, of the same length.
func replaced(b []byte, old, new string) []byte {
	if len(old) != len(new) || !bytes.Contains(b, []byte(old)) {
		panic(old)
	}
	return bytes.ReplaceAll(b, []byte(old), []byte(new))
}

// central returns b with the bytes at offset of the n-th central header changed.
func central(b []byte, n, offset int, change ...byte) []byte {
	b = bytes.Clone(b)
	at := -1
	for range n + 1 {
		at += 1 + bytes.Index(b[at+1:], []byte("PK\x01\x02"))
	}
	copy(b[at+offset:], change)
	return b
}

func TestHostileArchives(t *testing.T) {
	pkl := stored{"a/data.pkl", pickleNone, zip.Store}
	plainFile := zipOf(t, pkl, stored{"a/data/0", "0123", zip.Store})
	if v, err := readFile(plainFile); v != nil || err != nil {
		t.Fatalf("a plain archive: %v, %v", v, err)
	}
	if v, err := readFile(append([]byte("PK, then a program to unpack"), plainFile...)); v != nil || err != nil {
		t.Errorf("an archive behind other bytes: %v, %v", v, err)
	}
	huge := bytes.Repeat([]byte{0xff}, 4)
	many := make([]stored, maxFiles+1)
	for i := range many {
		many[i].name = fmt.Sprintf("a/%d", i)
	}
	long := make([]stored, 300)
	for i := range long {
		long[i].name = fmt.Sprintf("a/%d/%s", i, strings.Repeat("x", 60000))
	}
	for _, c := range []struct {
		name string
		file []byte
		err  error
		want string
	}{
		{"empty", nil, ErrFormat, "empty"},
		{"one byte", []byte("P"), ErrFormat, "zip"},
		{"text", []byte("hello, this is no archive"), ErrFormat, "zip"},
		{"PK alone", []byte("PK\x03\x04"), ErrFormat, "zip"},
		{"empty archive", zipOf(t), ErrFormat, "is empty"},
		{"cut off", plainFile[:len(plainFile)-1], ErrFormat, "cut off"},
		{"first half", plainFile[:len(plainFile)/2], ErrFormat, "cut off"},
		{"no pickle", zipOf(t, stored{"a/version", "3\n", zip.Store}), ErrFormat, "no a/data.pkl"},
		{"npz", zipOf(t, stored{"encoder.npy", "", zip.Store}), ErrFormat, "no encoder.npy/data.pkl"},
		{"torch.export", zipOf(t, stored{"m/archive_format", "pt2", zip.Store}), ErrRefused, "torch.export"},
		{"TorchScript", zipOf(t, pkl, stored{"a/code/x.py", "", zip.Deflate}), ErrRefused, "TorchScript"},
		{"compressed", zipOf(t, stored{"a/data.pkl", strings.Repeat("N", 1<<24), zip.Deflate}), ErrRefused, "compressed"},
		{"compressed beside", zipOf(t, pkl, stored{"a/data/0", strings.Repeat("0", 1<<20), zip.Deflate}), ErrRefused,
			"compressed"},
		{"twice", zipOf(t, pkl, pkl), ErrFormat, "two entries a/data.pkl"},
		{"parent", zipOf(t, pkl, stored{"a/../../etc/passwd", "", zip.Store}), ErrFormat, "a/../../etc/passwd"},
		{"only parent", zipOf(t, stored{"../data.pkl", pickleNone, zip.Store}), ErrFormat, "../data.pkl"},
		{"root", zipOf(t, stored{"/data.pkl", pickleNone, zip.Store}), ErrFormat, "/data.pkl"},
		{"backslash", zipOf(t, pkl, stored{`a\b`, "", zip.Store}), ErrFormat, `a\\b`},
		{"too many", zipOf(t, append(many, pkl)...), ErrRefused, "65538 entries"},
		{"large directory", zipOf(t, append(long, pkl)...), ErrRefused, "MiB"},
		{"encrypted", central(plainFile, 0, 8, 1, 0), ErrRefused, "encrypted"},
		{"other size", central(plainFile, 1, 20, 3), ErrRefused, "compressed"},
		{"huge size", central(plainFile, 1, 20, append(huge, huge...)...), ErrFormat, ""},
		{"huge offset", central(plainFile, 1, 42, huge...), ErrFormat, ""},
		{"offset behind", central(plainFile, 1, 42, 0xff, 0xff, 0xff, 0x7f), ErrFormat, ""},
		{"overlap", central(plainFile, 1, 42, 0, 0, 0, 0), ErrFormat, "overlap"},
		{"overlap of data", central(plainFile, 0, 20, 60, 0, 0, 0, 60), ErrFormat, "overlap"},
		{"damaged pickle", replaced(plainFile, pickleNone, "\x80\x02\x88."), ErrFormat, "data.pkl: it is damaged"},
		{"byte order", zipOf(t, pkl, stored{"a/byteorder", "middle", zip.Store}), ErrFormat, "middle"},
		{"large byte order", zipOf(t, pkl, stored{"a/byteorder", strings.Repeat(" ", 17), zip.Store}), ErrRefused,
			"17 bytes"},
		{"bare pickle", []byte(pickleNone), ErrRefused, "bare pickle"},
		{"NumPy", []byte("\x93NUMPY\x01\x00"), ErrFormat, "NumPy"},
		{"safetensors", []byte("\x20\x00\x00\x00\x00\x00\x00\x00{\"a\":{}}"), ErrFormat, "safetensors"},
		{"Git LFS", []byte("version https://git-lfs.github.com/spec/v1\n"), ErrFormat, "git lfs pull"},
	} {
		var v Value
		var err error
		taken := allocated(func() { v, err = readFile(c.file) })
		if !errors.Is(err, c.err) || !strings.Contains(fmt.Sprint(err), c.want) || len(fmt.Sprint(err)) > 1000 {
			t.Errorf("%s: got %v and %v, want %q", c.name, v, err, c.want)
		}
		if taken > 100<<20 {
			t.Errorf("%s: %d bytes of memory for a file of %d", c.name, taken, len(c.file))
		}
	}
}

// A file of a machine that stores numbers with the first byte first is read by its own order.
func TestBigEndian(t *testing.T) {
	data := binary.BigEndian.AppendUint32(nil, 0x3f800000) // 1
	file := zipOf(t, stored{"a/data.pkl", "\x80\x02" + rebuild(storageOf(1), 0, tuple(1), tuple(1)) + ".", zip.Store},
		stored{"a/byteorder", "big", zip.Store}, stored{"a/data/0", string(data), zip.Store})
	v, err := readFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if got := plain(t, v); got != "F32[1] [1]" {
		t.Error(got)
	}
}

// Elements that differ from what was written are found by their checksum.
func TestDamagedData(t *testing.T) {
	file := archiveOf("\x80\x02"+tensorOf(0, tuple(4), tuple(1))+".", "sixteen  letters")
	file = replaced(file, "sixteen  letters", "sixteen  Letters")
	v, err := readFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if x, err := v.(*Tensor).Float32s(); !errors.Is(err, ErrFormat) || !strings.Contains(fmt.Sprint(err), "data/0") {
			t.Errorf("got %v, %v", x, err)
		}
	}
}

// A tensor is read in stretches: every layout that is longer than one gives what a walk through its indices gives.
func TestGatherLayouts(t *testing.T) {
	const n = 3 << 18 // elements: 3 MiB
	numbers := make([]byte, 4*n)
	for i := range n {
		binary.LittleEndian.PutUint32(numbers[4*i:], uint32(i))
	}
	for _, c := range []struct {
		offset        int64
		shape, stride []int64
	}{
		{0, []int64{n}, []int64{1}},
		{0, []int64{768, 1024}, []int64{1024, 1}},
		{0, []int64{1024, 768}, []int64{1, 1024}},
		{5, []int64{1000, 700}, []int64{1, 1024}},
		{0, []int64{3, 1}, []int64{1 << 18, 7}},
		{1, []int64{2, 100, 3}, []int64{3, 7, 1 << 18}},
		{0, []int64{2, 3, 2, 1 << 16}, []int64{1 << 16, 1 << 18, 1 << 17, 1}},
		{n - 1, []int64{10, 20}, []int64{0, 0}},
		{0, []int64{4, n / 8}, []int64{0, 2}},
		{0, []int64{n / 4, 2, 2}, []int64{4, 0, 3}},
		{7, nil, nil},
	} {
		file := bytes.NewReader(numbers)
		s := &storage{kind: kinds["I32"], dtype: "I32", order: binary.LittleEndian, elements: n}
		s.data = &data{r: file, name: "data/0", entry: entry{size: 4 * n, crc: crc32.ChecksumIEEE(numbers)}}
		x := &Tensor{DType: "I32", Shape: c.shape, Stride: c.stride, offset: c.offset, storage: s}
		if err := x.check(); err != nil {
			t.Fatalf("shape %v, strides %v: %v", c.shape, c.stride, err)
		}
		got, err := x.Int64s()
		if err != nil || int64(len(got)) != x.Elems() {
			t.Fatalf("shape %v, strides %v: %d elements, %v", c.shape, c.stride, len(got), err)
		}
		for i, v := range got {
			want, rest := c.offset, int64(i)
			for d := len(c.shape) - 1; d >= 0; d-- {
				want += rest % c.shape[d] * c.stride[d]
				rest /= c.shape[d]
			}
			if v != want {
				t.Fatalf("shape %v, strides %v: element %d is %d, want %d", c.shape, c.stride, i, v, want)
			}
		}
	}
}
