package torchfile

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"runtime"
	"strings"
	"testing"
)

// archiveOf returns a file with that pickle, and data as the entries of storages 0, 1, ….
func archiveOf(pickle string, data ...string) []byte {
	w := &zipWriter{}
	w.add("data.pkl", []byte(pickle))
	for i, d := range data {
		w.add(fmt.Sprintf("data/%d", i), []byte(d))
	}
	f, err := w.finish()
	if err != nil {
		panic(err)
	}
	return content(f)
}

// content returns the bytes of a file.
func content(f *File) []byte {
	b := make([]byte, f.Size())
	if n, err := f.ReadAt(b, 0); n != len(b) || err != nil {
		panic(fmt.Sprint(n, err))
	}
	return b
}

func readFile(b []byte) (Value, error) { return Read(bytes.NewReader(b), int64(len(b))) }

// text is the opcode of a text.
func text(s string) string {
	return string(binary.LittleEndian.AppendUint32([]byte{'X'}, uint32(len(s)))) + s
}

// long is the opcode of a whole number.
func long(n int64) string {
	return string(binary.LittleEndian.AppendUint64([]byte{opLong1, 8}, uint64(n)))
}

// storageOf is a float storage of the archive's entry data/0 with n elements.
func storageOf(n int64) string {
	return "(" + text("storage") + "ctorch\nFloatStorage\n" + text("0") + text("cpu") + long(n) + "tQ"
}

// tensorOf is a tensor of a storage of 4 elements.
func tensorOf(offset int64, shape, stride string) string {
	return rebuild(storageOf(4), offset, shape, stride)
}

func rebuild(storage string, offset int64, shape, stride string) string {
	return "ctorch._utils\n_rebuild_tensor_v2\n(" + storage + long(offset) + shape + stride + "\x89NtR"
}

func tuple(n ...int64) string {
	s := "("
	for _, v := range n {
		s += long(v)
	}
	return s + "t"
}

// Pickles that a hostile or broken file may hold. What would run a program in Python is refused by name.
func TestHostilePickles(t *testing.T) {
	const (
		system = "cposix\nsystem\n"
		proto  = "\x80\x02"
	)
	four := strings.Repeat("\x00", 16)
	max, half := int64(1<<63-1), int64(1)<<32
	for _, c := range []struct {
		name, pickle string
		err          error
		want         string
	}{
		{"os.system", proto + system + text("id") + "\x85R.", ErrRefused, "posix.system"},
		{"stack global", "\x80\x04\x8c\x02os\x8c\x06system\x93\x8c\x02id\x85R.", ErrRefused, "os.system"},
		{"eval", proto + "c__builtin__\neval\n" + text("1") + "\x85R.", ErrRefused, "__builtin__.eval"},
		{"dotted name", "\x80\x04\x8c\x05torch\x8c\x10_utils.os.system\x93.", ErrRefused, "torch._utils.os.system"},
		{"dotted module", proto + "ctorch._utils.os\nsystem\n.", ErrRefused, "torch._utils.os.system"},
		{"pickled storage", proto + "ctorch.storage\n_load_from_bytes\n.", ErrRefused, "torch.storage._load_from_bytes"},
		{"name with colors", proto + "cos\x1b[31m\nx\n.", ErrRefused, `"os\x1b[31m.x"`},
		{"long name", proto + "c" + strings.Repeat("m", 1<<20) + "\nx\n.", ErrRefused, "mmm…"},
		{"global without end", proto + "cos", ErrFormat, "in the middle of a name"},
		{"global of numbers", "\x80\x04K\x01K\x02\x93.", ErrFormat, "not a text"},
		{"build", proto + "}}b.", ErrRefused, "BUILD"},
		{"build of a list", proto + "]}b.", ErrRefused, "BUILD"},
		{"build of a tensor", proto + tensorOf(0, tuple(4), tuple(1)) + "}b.", ErrRefused, "BUILD"},
		{"inst", proto + "(ios\nsystem\n.", ErrRefused, "INST"},
		{"obj", proto + "(ccollections\nOrderedDict\no.", ErrRefused, "OBJ"},
		{"newobj", proto + "ccollections\nOrderedDict\n)\x81.", ErrRefused, "NEWOBJ"},
		{"newobj_ex", "\x80\x04ccollections\nOrderedDict\n)}\x92.", ErrRefused, "NEWOBJ_EX"},
		{"extension", proto + "\x82\x01.", ErrRefused, "EXT1"},
		{"persistent ID in a line", proto + "P0\n.", ErrRefused, "PERSID"},
		{"buffer", "\x80\x05\x97.", ErrRefused, "NEXT_BUFFER"},
		{"dup", proto + "K\x012.", ErrRefused, "DUP"},
		{"protocol 0", "I1\n.", ErrRefused, "INT"},
		{"unknown opcode", proto + "\xff.", ErrRefused, "0xff"},
		{"protocol 6", "\x80\x06N.", ErrRefused, "protocol 6"},

		{"call of a number", proto + "K\x01)R.", ErrFormat, "calls a whole number"},
		{"call of a class", proto + "ctorch\nFloatStorage\n)R.", ErrFormat, "torch.FloatStorage"},
		{"call with a list", proto + "ccollections\nOrderedDict\n]R.", ErrFormat, "a list where a tuple must be"},
		{"too many arguments", proto + "ccollections\nOrderedDict\n(]tR.", ErrFormat, "OrderedDict with 1 arguments"},
		{"size of a number", proto + "ctorch\nSize\nK\x01\x85R.", ErrFormat, "torch.Size"},
		{"device of a number", proto + "ctorch\ndevice\nK\x01\x85R.", ErrFormat, "torch.device"},
		{"device index", proto + "ctorch\ndevice\n" + text("cuda") + text("1") + "\x86R.", ErrFormat, "torch.device"},
		{"a class as value", proto + "ccollections\nOrderedDict\n.", ErrRefused, "collections.OrderedDict itself"},
		{"a storage as value", proto + storageOf(4) + ".", ErrRefused, "a storage without a tensor"},
		{"subclass", proto + "ctorch._tensor\n_rebuild_from_type_v2\n(ctorch\nSize\nctorch\nSize\n))tR.", ErrRefused,
			"the class torch.Size"},
		{"subclass of itself", proto + "ctorch._tensor\n_rebuild_from_type_v2\n(ctorch._tensor\n_rebuild_from_type_v2\n" +
			"ctorch\nTensor\n))tR.", ErrFormat, "other kinds"},
		{"type of a device", proto + "ctorch._tensor\n_rebuild_from_type_v2\n(ctorch\ndevice\nctorch\nTensor\n" +
			text("cpu") + "\x85)tR.", ErrFormat, "for a text"},
		{"parameter of None", proto + "ctorch._utils\n_rebuild_parameter\nN\x88N\x87R.", ErrFormat, "_rebuild_parameter"},

		{"negative length", proto + "\x8b\xff\xff\xff\xff.", ErrFormat, "in the middle"},
		{"long of 9 bytes", proto + "\x8a\x09123456789.", ErrRefused, "9 bytes"},
		{"long4 of 9 bytes", proto + "\x8b\x09\x00\x00\x00123456789.", ErrRefused, "9 bytes"},
		{"text of 2^63", "\x80\x04\x8d\x00\x00\x00\x00\x00\x00\x00\x80.", ErrFormat, "in the middle"},
		{"text of 2^64-1", "\x80\x04\x8d\xff\xff\xff\xff\xff\xff\xff\xff.", ErrFormat, "in the middle"},
		{"text of 4 GiB", proto + "X\xff\xff\xff\xff.", ErrFormat, "in the middle"},
		{"text that is not UTF-8", proto + "X\x01\x00\x00\x00\xff.", ErrFormat, "UTF-8"},
		{"frame of 2^63", "\x80\x04\x95\x00\x00\x00\x00\x00\x00\x00\x80N.", ErrFormat, "frame"},
		{"memo that is empty", proto + "h\x00.", ErrFormat, "memo has no number 0"},
		{"memo of 2^31", proto + "j\x00\x00\x00\x80.", ErrFormat, "memo has no number 2147483648"},
		{"put of nothing", proto + "q\x00.", ErrFormat, "too few"},
		{"put of a mark", proto + "N(q\x00.", ErrFormat, "too few"},
		{"pop of nothing", proto + "0.", ErrFormat, "too few"},
		{"stop with nothing", proto + ".", ErrFormat, "0 values"},
		{"stop with two", proto + "NN.", ErrFormat, "2 values"},
		{"stop with a mark", proto + "N(.", ErrFormat, "1 values"},
		{"no stop", proto + "N", ErrFormat, "in the middle"},
		{"empty", "", ErrFormat, "in the middle"},
		{"bytes after the end", proto + "N.N", ErrFormat, "1 bytes follow"},
		{"tuple without a mark", proto + "t.", ErrFormat, "no mark"},
		{"tuple past a mark", proto + "NN(N\x87.", ErrFormat, "too few"},
		{"append to None", proto + "NNa.", ErrFormat, "appends to None"},
		{"append to a tuple", proto + ")Na.", ErrFormat, "appends to a tuple"},
		{"key without a value", proto + "}(Nu.", ErrFormat, "1 keys and values"},
		{"items of a list", proto + "](NNu.", ErrFormat, "to a list"},
		{"key that is a list", proto + "}]Ns.", ErrRefused, "a key of a dict is a list"},
		{"key that is a float", proto + "}G" + strings.Repeat("\x00", 8) + "Ns.", ErrRefused, "a key of a dict is a float"},
		{"key that is a tensor", proto + "}" + tensorOf(0, tuple(4), tuple(1)) + "Ns.", ErrRefused, "a tensor"},

		{"deep marks", proto + strings.Repeat("(", 1<<20), ErrRefused, "deep"},
		{"deep lists", proto + strings.Repeat("]", 1<<16) + strings.Repeat("a", 1<<16-1) + ".", ErrRefused, "deep"},
		{"deep tuples", proto + ")" + strings.Repeat("\x85", 1<<19) + ".", ErrRefused, "deep"},
		{"list of itself", proto + "]q\x00h\x00a.", ErrRefused, "a list contains itself"},
		{"dict of itself", proto + "}q\x00" + text("a") + "h\x00s.", ErrRefused, "a dict contains itself"},
		{"tuple of a list of it", proto + "]q\x01h\x01\x85a.", ErrRefused, "contains itself"},
		{"doubling", proto + "]Na" + strings.Repeat("q\x000](h\x00h\x00e", 60) + ".", ErrRefused, "written out"},
		{"many values", proto + "](" + strings.Repeat("N", 2<<20) + "e.", ErrRefused, "more than 1048576 values"},

		{"persistent ID of None", proto + "NQ.", ErrFormat, "None where a tuple must be"},
		{"persistent ID of a list", proto + "]Q.", ErrFormat, "a list where a tuple must be"},
		{"persistent ID of a name", proto + text("storage") + "\x85Q.", ErrFormat, "1 parts"},
		{"persistent ID of another kind", proto + "(" + text("module") + "NNNNtQ.", ErrFormat, "not that of a storage"},
		{"persistent ID of Nones", proto + "(" + text("storage") + "NNNNtQ.", ErrFormat, "other kinds"},
		{"class of storage", proto + "(" + text("storage") + "ctorch\nSize\n" + text("0") + text("cpu") + "K\x04tQ.",
			ErrFormat, "torch.Size"},
		{"missing storage", proto + strings.ReplaceAll(storageOf(4), text("0"), text("1")) + ".", ErrFormat, "data/1"},
		{"storage elsewhere", proto + strings.ReplaceAll(storageOf(4), text("0"), text("../data.pkl")) + ".", ErrFormat,
			"data.pkl, which"},
		{"storage too large", proto + storageOf(5) + ".", ErrFormat, "4 elements of the 5"},
		{"storage of 2^63", proto + storageOf(max) + ".", ErrFormat, "4 elements of the"},
		{"negative storage", proto + storageOf(-1) + ".", ErrFormat, "other kinds"},

		{"shape too large", proto + tensorOf(0, tuple(5), tuple(1)) + ".", ErrFormat, "ends behind"},
		{"negative shape", proto + tensorOf(0, tuple(-1), tuple(1)) + ".", ErrFormat, "negative size"},
		{"negative shapes", proto + tensorOf(0, tuple(-1, -4), tuple(1, 1)) + ".", ErrFormat, "negative size"},
		{"negative shape of none", proto + tensorOf(0, tuple(0, -4), tuple(1, 1)) + ".", ErrFormat, "negative size"},
		{"shape overflow", proto + tensorOf(0, tuple(half, half), tuple(0, 0)) + ".", ErrFormat, "too large"},
		{"shape overflow beside 0", proto + tensorOf(0, tuple(0, half, half), tuple(0, 0, 0)) + ".", ErrFormat, "large"},
		{"negative stride", proto + tensorOf(3, tuple(4), tuple(-1)) + ".", ErrFormat, "strides"},
		{"stride overflow", proto + tensorOf(0, tuple(3), tuple(max)) + ".", ErrFormat, "ends behind"},
		{"strides overflow", proto + tensorOf(0, tuple(2, 2), tuple(max, max)) + ".", ErrFormat, "ends behind"},
		{"negative offset", proto + tensorOf(-1, tuple(1), tuple(1)) + ".", ErrFormat, "begins at"},
		{"offset too large", proto + tensorOf(4, tuple(), tuple()) + ".", ErrFormat, "begins at"},
		{"offset of 2^63", proto + tensorOf(max, tuple(1), tuple(1)) + ".", ErrFormat, "begins at"},
		{"repeated 2^40 times", proto + tensorOf(0, tuple(1<<40), tuple(0)) + ".", ErrRefused, "repeats"},
		{"overlapping", proto + tensorOf(0, tuple(3, 2), tuple(1, 1)) + ".", ErrRefused, "overlap"},
		{"too few strides", proto + tensorOf(0, tuple(4), tuple()) + ".", ErrFormat, "other arguments"},
		{"65 dimensions", proto + tensorOf(0, tuple(make([]int64, 65)...), tuple(make([]int64, 65)...)) + ".", ErrFormat,
			"65 dimensions"},
		{"shape of texts", proto + tensorOf(0, "("+text("4")+"t", tuple(1)) + ".", ErrFormat, "a text"},
		{"shape that is None", proto + tensorOf(0, "N", tuple(1)) + ".", ErrFormat, "None"},
		{"tensor of None", proto + rebuild("N", 0, tuple(1), tuple(1)) + ".", ErrFormat, "other arguments"},
		{"tensor of bytes", proto + rebuild("("+text("storage")+"ctorch.storage\nUntypedStorage\n"+text("0")+text("cpu")+
			"K\x10tQ", 0, tuple(4), tuple(1)) + ".", ErrFormat, "no dtype"},
	} {
		var err error
		var v Value
		file := archiveOf(c.pickle, four)
		taken := allocated(func() { v, err = readFile(file) })
		if !errors.Is(err, c.err) || !strings.Contains(fmt.Sprint(err), c.want) {
			t.Errorf("%s: got %v and %v, want %q", c.name, v, err, c.want)
		}
		if len(fmt.Sprint(err)) > 1000 {
			t.Errorf("%s: a message of %d bytes", c.name, len(fmt.Sprint(err)))
		}
		if most := uint64(200<<20 + 64*len(file)); taken > most {
			t.Errorf("%s: %d bytes of memory for a file of %d", c.name, taken, len(file))
		}
	}
}

// allocated returns the bytes that f allocates.
func allocated(f func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}

// What the largest pickles can make is bounded, and takes time in proportion to their length.
func TestLargestPickles(t *testing.T) {
	for name, unit := range map[string]string{
		"lists": "]0", "tuples of the memo": "h\x000", "puts": "q\x00", "marks": "(1", "frames": "\x95" + strings.Repeat("\x00", 8),
	} {
		pickle := "Nq\x00" + strings.Repeat(unit, (maxPickle-100)/len(unit)) + "."
		var err error
		file := archiveOf(pickle)
		if taken := allocated(func() { _, err = readFile(file) }); taken > 400<<20 {
			t.Errorf("%s: %d bytes of memory", name, taken)
		}
		if err != nil && !errors.Is(err, ErrRefused) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := readFile(archiveOf(strings.Repeat("q", maxPickle+1))); !errors.Is(err, ErrRefused) {
		t.Errorf("a pickle that is too large: %v", err)
	}
}

// Tensors whose file ends or whose reader fails while they are read.
func TestReadErrors(t *testing.T) {
	file := archiveOf("\x80\x02"+tensorOf(0, tuple(4), tuple(1))+".", strings.Repeat("\x01", 16))
	boom := errors.New("boom")
	for n := int64(0); n < int64(len(file)); n++ {
		for _, want := range []error{boom, io.EOF} {
			r := &failingReader{r: bytes.NewReader(file), from: n, err: want}
			v, err := Read(r, int64(len(file)))
			if err == nil {
				_, err = v.(*Tensor).Float32s()
			}
			if want == boom && r.met && !errors.Is(err, boom) {
				t.Errorf("error from byte %d on: got %v", n, err)
			}
			if want == io.EOF && r.met && err == nil {
				t.Errorf("end at byte %d: no error", n)
			}
		}
	}
}

// A failingReader fails from a byte on.
type failingReader struct {
	r    io.ReaderAt
	from int64
	err  error
	met  bool
}

func (f *failingReader) ReadAt(p []byte, off int64) (int, error) {
	if off+int64(len(p)) <= f.from {
		return f.r.ReadAt(p, off)
	}
	f.met = true
	n := max(0, min(int64(len(p)), f.from-off))
	if n > 0 {
		f.r.ReadAt(p[:n], off)
	}
	return int(n), f.err
}

// Each bit of a file matters, or does nothing: a flipped one is never a crash, and never another value than that of the
// file, unless it lies in what the checksums do not cover, the names and numbers of the archive's directory.
func TestFlippedBits(t *testing.T) {
	f, err := NewFile([]Entry{{"a", "F32", []int64{2, 2}, bytes.NewReader([]byte("0123456789abcdef"))}})
	if err != nil {
		t.Fatal(err)
	}
	good := content(f)
	want := plainOf(t, good)
	for i := range good {
		for bit := range 8 {
			b := bytes.Clone(good)
			b[i] ^= 1 << bit
			v, err := readFile(b)
			if err != nil {
				continue
			}
			d, ok := v.(*Dict)
			if !ok {
				t.Fatalf("bit %d of byte %d: %v", bit, i, v)
			}
			a, _ := d.Get("a")
			x, err := a.(*Tensor).Float32s()
			if err == nil && fmt.Sprint(x) != want {
				t.Errorf("bit %d of byte %d is flipped: got %v", bit, i, x)
			}
		}
	}
}

func plainOf(t *testing.T, file []byte) string {
	t.Helper()
	v, err := readFile(file)
	if err != nil {
		t.Fatal(err)
	}
	a, _ := v.(*Dict).Get("a")
	x, err := a.(*Tensor).Float32s()
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprint(x)
}
