package torchfile

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"io"
	"math"
	"sync"

	"github.com/topksweep/sweep/trainer/safetensors"
)

// A Tensor is an array whose elements lie in the file until they are read. Tensors may share their elements.
type Tensor struct {
	DType  string  // as safetensors names it: F64 F32 F16 BF16 I64 I32 I16 I8 U8 BOOL U16 U32 U64
	Shape  []int64 // none: a single number
	Stride []int64 // in elements of the storage: how far apart the elements along each dimension lie; may be 0

	offset  int64 // of the first element, in elements of the storage
	storage *storage
}

// Elems returns the number of elements.
func (t *Tensor) Elems() int64 {
	n, _ := elements(t.Shape) // newTensor has checked it
	return n
}

// String names dtype and shape, as F32[512 64].
func (t *Tensor) String() string { return fmt.Sprintf("%s%v", t.DType, t.Shape) }

// A storage is what the elements of tensors are stored in: an entry of the archive as numbers of a kind.
type storage struct {
	data     *data
	dtype    string // "": of a kind that each tensor gives
	kind     kind
	order    binary.ByteOrder
	elements int64
}

// A data is the bytes of a storage.
type data struct {
	r     io.ReaderAt
	name  string
	entry entry

	mu      sync.Mutex
	checked bool
}

// maxRepeated is how many elements a tensor may have whose storage is smaller, because a stride is 0.
const maxRepeated = 1 << 20

// newTensor makes the tensor of _rebuild_tensor_v2(storage, offset, shape, strides, requires_grad, hooks, metadata).
func newTensor(args, metadata []any) (*Tensor, error) {
	s, isStorage := args[0].(*storage)
	offset, isInt := args[1].(int64)
	shape, err := ints(args[2])
	if err != nil {
		return nil, err
	}
	stride, err := ints(args[3])
	if err != nil {
		return nil, err
	}
	if !isStorage || !isInt || len(shape) != len(stride) {
		return nil, bad("it makes a tensor from other arguments than torch.save writes")
	}
	if s.dtype == "" {
		return nil, bad("it makes a tensor from a storage that has no dtype")
	}
	if err := checkMetadata(metadata); err != nil {
		return nil, err
	}
	t := &Tensor{DType: s.dtype, Shape: shape, Stride: stride, offset: offset, storage: s}
	return t, t.check()
}

// typedTensor makes the tensor of _rebuild_tensor_v3(storage, offset, shape, strides, requires_grad, hooks, dtype,
// metadata), which torch writes for kinds of elements without a class of storage.
func typedTensor(args []any) (*Tensor, error) {
	s, isStorage := args[0].(*storage)
	g, isGlobal := args[6].(global)
	if !isStorage || !isGlobal || s.dtype != "" {
		return nil, bad("it makes a tensor from other arguments than torch.save writes")
	}
	for dtype, k := range kinds {
		if g.module == "torch" && g.name == k.name {
			typed := &storage{data: s.data, dtype: dtype, kind: k, order: s.order, elements: s.elements / k.size}
			return newTensor(append([]any{typed}, args[1:4]...), args[7:])
		}
	}
	return nil, bad("it makes a tensor of %s", g)
}

// checkMetadata refuses a tensor whose elements are to be negated or conjugated when they are read.
func checkMetadata(metadata []any) error {
	for _, v := range metadata {
		if d, ok := v.(*Dict); v != nil && (!ok || d.Len() > 0) {
			return refuse("it has a tensor that is to be negated or conjugated: save tensor.resolve_neg().resolve_conj()")
		}
	}
	return nil
}

// ints returns a tuple of whole numbers.
func ints(v any) ([]int64, error) {
	s, ok := v.(*sequence)
	if !ok {
		return nil, bad("the shape or strides of a tensor are %s", nameOf(v))
	}
	if len(s.items) > maxDims {
		return nil, bad("a tensor has %d dimensions, more than %d", len(s.items), maxDims)
	}
	n := make([]int64, len(s.items))
	for i, item := range s.items {
		if n[i], ok = item.(int64); !ok {
			return nil, bad("the shape or strides of a tensor have %s", nameOf(item))
		}
	}
	return n, nil
}

// check returns an error unless all elements lie in the storage.
func (t *Tensor) check() error {
	n, err := elements(t.Shape)
	if err != nil {
		return bad("a tensor: %v", err)
	}
	for _, s := range t.Stride {
		if s < 0 {
			return bad("a tensor of shape %v has strides %v", t.Shape, t.Stride)
		}
	}
	room := t.storage.elements
	if t.offset < 0 || t.offset > room {
		return bad("a tensor of shape %v begins at element %d of %s, which has %d", t.Shape, t.offset,
			clip(t.storage.data.name), room)
	}
	if n == 0 {
		return nil
	}
	if n > max(room, maxRepeated) {
		return refuse("a tensor of shape %v repeats the %d elements of %s: save tensor.contiguous()", t.Shape, room,
			clip(t.storage.data.name))
	}
	last := t.offset
	for i, s := range t.Stride {
		steps := t.Shape[i] - 1
		if s > 0 && steps > (room-1-last)/s {
			return bad("a tensor of shape %v and strides %v, from element %d on, ends behind %s, which has %d", t.Shape,
				t.Stride, t.offset, clip(t.storage.data.name), room)
		}
		last += steps * s
	}
	if last >= room {
		return bad("a tensor of shape %v begins at element %d of %s, which has %d", t.Shape, t.offset,
			clip(t.storage.data.name), room)
	}
	if t.overlaps() {
		return refuse("a tensor of shape %v and strides %v has elements that overlap in %s: save tensor.contiguous()",
			t.Shape, t.Stride, clip(t.storage.data.name))
	}
	return nil
}

// overlaps reports whether the elements along a dimension may lie among those of others. Those of a stride of 0 are
// repeated, which is another matter. It is only right for strides that end in the storage, so that no span overflows.
func (t *Tensor) overlaps() bool {
	dims := t.dims()
	span := int64(1)
	for i := len(dims) - 1; i >= 0; i-- {
		if in := dims[i].in; in > 0 {
			if in < span {
				return true
			}
			span += (dims[i].size - 1) * in
		}
	}
	return false
}

// verify checks the checksum of the bytes, the first time. It reads them once.
func (d *data) verify() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.checked || d.entry.crc == 0 {
		return nil
	}
	h := crc32.NewIEEE()
	bytes := io.NewSectionReader(d.r, d.entry.begin, d.entry.size)
	n, err := io.CopyBuffer(onlyWriter{h}, onlyReader{bytes}, make([]byte, min(d.entry.size, 1<<20)+1))
	if err != nil {
		return fmt.Errorf("%s: read its bytes: %w", d.name, err)
	}
	if n != d.entry.size {
		return fmt.Errorf("%s: read its bytes: %w", d.name, io.ErrUnexpectedEOF)
	}
	if h.Sum32() != d.entry.crc {
		return bad("%s: it is damaged: its checksum differs", clip(d.name))
	}
	d.checked = true
	return nil
}

// An onlyReader hides all methods but Read, so that io.CopyBuffer uses its buffer.
type onlyReader struct{ io.Reader }

// Float32s returns the elements of a tensor of floats, the last index fastest. F64 is rounded: what is too large for
// float32 becomes infinite.
func (t *Tensor) Float32s() ([]float32, error) {
	order := t.storage.order
	var decode func(b []byte) float32
	switch t.DType {
	case "F64":
		decode = func(b []byte) float32 { return float32(math.Float64frombits(order.Uint64(b))) }
	case "F32":
		if order == binary.LittleEndian {
			return gather(t, littleFloats)
		}
		decode = func(b []byte) float32 { return math.Float32frombits(order.Uint32(b)) }
	case "F16":
		decode = func(b []byte) float32 { return safetensors.Float16(order.Uint16(b)) }
	case "BF16":
		decode = func(b []byte) float32 { return safetensors.BFloat16(order.Uint16(b)) }
	default:
		return nil, fmt.Errorf("a tensor of %s does not hold floats", t.DType)
	}
	return gather(t, each(decode))
}

// Int64s returns the elements of a tensor of whole numbers or of bools, the last index fastest. A U64 from 2⁶³ on is an
// error.
func (t *Tensor) Int64s() ([]int64, error) {
	order := t.storage.order
	var decode func(b []byte) int64
	tooLarge := false
	switch t.DType {
	case "I64":
		decode = func(b []byte) int64 { return int64(order.Uint64(b)) }
	case "I32":
		decode = func(b []byte) int64 { return int64(int32(order.Uint32(b))) }
	case "I16":
		decode = func(b []byte) int64 { return int64(int16(order.Uint16(b))) }
	case "I8":
		decode = func(b []byte) int64 { return int64(int8(b[0])) }
	case "U8", "BOOL":
		decode = func(b []byte) int64 { return int64(b[0]) }
	case "U16":
		decode = func(b []byte) int64 { return int64(order.Uint16(b)) }
	case "U32":
		decode = func(b []byte) int64 { return int64(order.Uint32(b)) }
	case "U64":
		decode = func(b []byte) int64 {
			v := order.Uint64(b)
			tooLarge = tooLarge || v > math.MaxInt64
			return int64(v)
		}
	default:
		return nil, fmt.Errorf("a tensor of %s does not hold whole numbers", t.DType)
	}
	out, err := gather(t, each(decode))
	if err == nil && tooLarge {
		return nil, fmt.Errorf("a tensor of %s has a number from 2⁶³ on", t.DType)
	}
	return out, err
}
