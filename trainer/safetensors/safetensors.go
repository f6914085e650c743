// Package safetensors reads and writes the header of a safetensors file. Such a file is
// eight bytes of little-endian length, a header of that length, which is a JSON object
// that names the tensors, and the data section: the tensors' bytes, one after the other.
// The package does not read the data section, so that data of any size can be streamed.
// It reads from the given reader only.
package safetensors

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"math"
	"slices"
)

// MaxHeader is the largest header that ReadHeader accepts, in bytes. The format's own
// library has the same limit.
const MaxHeader = 100 << 20

// ErrFormat is in the chain of every error about the content of a header.
var ErrFormat = errors.New("not a valid safetensors file")

// A Tensor describes one array in a file.
type Tensor struct {
	Name       string
	DType      string // F64 F32 F16 BF16 I64 I32 I16 I8 U8 BOOL …
	Shape      []int64
	Begin, End int64 // its bytes in the data section: Begin to End−1
}

// Elems returns the number of elements, which is the product of the shape.
func (t Tensor) Elems() int64 {
	n := int64(1)
	for _, s := range t.Shape {
		n *= s
	}
	return n
}

// A Header lists the contents of a file.
type Header struct {
	Tensors   []Tensor          // in the order of their bytes
	Metadata  map[string]string // strings of the writer's choice; may be nil
	DataStart int64             // byte of the file at which the data section starts
}

// Tensor returns the tensor with that name, and whether there is one.
func (h *Header) Tensor(name string) (Tensor, bool) {
	i := slices.IndexFunc(h.Tensors, func(t Tensor) bool { return t.Name == name })
	if i < 0 {
		return Tensor{}, false
	}
	return h.Tensors[i], true
}

// DTypeSize returns the size of one element in bytes, or 0 for an unknown dtype.
func DTypeSize(dtype string) int64 {
	switch dtype {
	case "F64", "I64", "U64":
		return 8
	case "F32", "I32", "U32":
		return 4
	case "F16", "BF16", "I16", "U16":
		return 2
	case "I8", "U8", "BOOL", "F8_E4M3", "F8_E5M2":
		return 1
	}
	return 0
}

// ReadHeader reads the header from the start of a file of size bytes, and leaves r at the
// data section. It checks that the tensors' bytes fill the data section without overlap
// or gap, and that their number agrees with dtype and shape. An error about that has
// ErrFormat in its chain. Other errors are those of r, and io.ErrUnexpectedEOF if r ends
// before size.
func ReadHeader(r io.Reader, size int64) (*Header, error) {
	var word [8]byte
	if size < 8 {
		return nil, bad("%d bytes are too few for a header", size)
	}
	if _, err := io.ReadFull(r, word[:]); err != nil {
		return nil, fmt.Errorf("read header: %w", noEOF(err))
	}
	n := binary.LittleEndian.Uint64(word[:])
	if n > MaxHeader || n > uint64(size-8) {
		return nil, bad("the header's length is given as %d, in a file of %d bytes", n, size)
	}
	// The buffer grows as bytes arrive: a stream may be shorter than its header claims.
	var buf bytes.Buffer
	if _, err := io.CopyN(&buf, r, int64(n)); err != nil {
		return nil, fmt.Errorf("read header: %w", noEOF(err))
	}
	h := &Header{DataStart: 8 + int64(n)}
	if err := h.parse(buf.Bytes(), size-h.DataStart); err != nil {
		return nil, err
	}
	return h, nil
}

// parse reads the JSON of a header. The data section has room bytes.
func (h *Header) parse(data []byte, room int64) error {
	var raw map[string]json.RawMessage
	if err := json.Unmarshal(data, &raw); err != nil {
		return bad("header: %v", err)
	}
	for _, name := range slices.Sorted(maps.Keys(raw)) { // so that equal files have equal errors
		msg := raw[name]
		if name == "__metadata__" {
			if err := json.Unmarshal(msg, &h.Metadata); err != nil {
				return bad("__metadata__: %v", err)
			}
			continue
		}
		var e entry
		if err := json.Unmarshal(msg, &e); err != nil {
			return bad("tensor %q: %v", name, err)
		}
		t := Tensor{Name: name, DType: e.DType, Shape: e.Shape, Begin: e.Offsets[0], End: e.Offsets[1]}
		if err := t.check(room); err != nil {
			return err
		}
		h.Tensors = append(h.Tensors, t)
	}
	slices.SortFunc(h.Tensors, func(a, b Tensor) int {
		if a.Begin != b.Begin {
			return cmp.Compare(a.Begin, b.Begin)
		}
		if a.End != b.End {
			return cmp.Compare(a.End, b.End)
		}
		return cmp.Compare(a.Name, b.Name)
	})
	end := int64(0)
	for _, t := range h.Tensors {
		if t.Begin != end {
			return bad("tensor %q begins at byte %d of the data, not at %d where the one before it ends", t.Name, t.Begin, end)
		}
		end = t.End
	}
	if end != room {
		return bad("the tensors take %d bytes but the file holds %d: it is truncated or has bytes left over", end, room)
	}
	return nil
}

// An entry is what the header's JSON says of a tensor.
type entry struct {
	DType   string   `json:"dtype"`
	Shape   []int64  `json:"shape"`
	Offsets [2]int64 `json:"data_offsets"`
}

// check returns an error unless dtype, shape and bytes agree and the bytes end within
// room.
func (t Tensor) check(room int64) error {
	size := DTypeSize(t.DType)
	if size == 0 {
		return bad("tensor %q: dtype %q is unknown", t.Name, t.DType)
	}
	want := size
	for _, s := range t.Shape {
		if s < 0 || (s > 0 && want > math.MaxInt64/s) {
			return bad("tensor %q: shape %v", t.Name, t.Shape)
		}
		want *= s
	}
	if t.Begin < 0 || t.End < t.Begin || t.End-t.Begin != want {
		return bad("tensor %q: bytes %d to %d do not hold %s of shape %v", t.Name, t.Begin, t.End, t.DType, t.Shape)
	}
	if t.End > room {
		return bad("tensor %q: its bytes end at %d but the file holds %d: it is truncated", t.Name, t.End, room)
	}
	return nil
}

// EncodeHeader returns the length and header of a file that holds the tensors in the given
// order. It sets their Begin and End. Equal input gives equal bytes. The length of the
// result, where the data section starts, is a multiple of eight.
func EncodeHeader(tensors []Tensor, metadata map[string]string) ([]byte, error) {
	var b bytes.Buffer
	b.Write(make([]byte, 8))
	b.WriteByte('{')
	if len(metadata) > 0 {
		m, err := json.Marshal(metadata) // keys sorted
		if err != nil {
			return nil, err
		}
		fmt.Fprintf(&b, `"__metadata__":%s`, m)
	}
	off := int64(0)
	for i := range tensors {
		t := &tensors[i]
		t.Begin, t.End = off, off+t.Elems()*DTypeSize(t.DType)
		off = t.End
		if err := t.check(off); err != nil {
			return nil, err
		}
		name, err := json.Marshal(t.Name)
		if err != nil {
			return nil, err
		}
		body, err := json.Marshal(entry{t.DType, nonNil(t.Shape), [2]int64{t.Begin, t.End}})
		if err != nil {
			return nil, err
		}
		if b.Len() > 9 {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, "%s:%s", name, body)
	}
	b.WriteByte('}')
	for b.Len()%8 != 0 {
		b.WriteByte(' ')
	}
	out := b.Bytes()
	binary.LittleEndian.PutUint64(out, uint64(len(out)-8))
	return out, nil
}

// nonNil returns an empty slice for nil, which JSON would write as null.
func nonNil(s []int64) []int64 {
	if s == nil {
		return []int64{}
	}
	return s
}

// noEOF returns io.ErrUnexpectedEOF for io.EOF, and other errors as they are.
func noEOF(err error) error {
	if err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}

// bad returns an error with ErrFormat in its chain.
func bad(format string, a ...any) error {
	return fmt.Errorf("%w: %s", ErrFormat, fmt.Sprintf(format, a...))
}
