package trainer

import (
	"encoding/binary"
	"fmt"
	"io"
	"math"

	"github.com/topksweep/sweep/trainer/safetensors"
)

// A Body is a safetensors file that reads its tensors where they lie in memory:
// no second copy of a large state is ever made.
type Body struct {
	head    []byte
	tensors []NamedTensor
	offsets []int64 // in the file, of each tensor and of the end
}

// NewBody lays out tensors as a safetensors file with metadata.
func NewBody(tensors []NamedTensor, metadata map[string]string) (*Body, error) {
	list := make([]safetensors.Tensor, len(tensors))
	for i, t := range tensors {
		list[i].Name = t.Name
		list[i].DType, list[i].Shape = t.describe()
	}
	head, err := safetensors.EncodeHeader(list, metadata)
	if err != nil {
		return nil, fmt.Errorf("encode safetensors: %w", err)
	}
	b := &Body{head: head, tensors: tensors}
	for _, t := range list {
		b.offsets = append(b.offsets, int64(len(head))+t.Begin)
	}
	end := int64(len(head))
	if len(list) > 0 {
		end += list[len(list)-1].End
	}
	b.offsets = append(b.offsets, end)
	return b, nil
}

// Size returns the length of the file.
func (b *Body) Size() int64 { return b.offsets[len(b.offsets)-1] }

// ReadAt implements io.ReaderAt. Many goroutines may call it at once.
func (b *Body) ReadAt(p []byte, off int64) (n int, err error) {
	if off < 0 {
		return 0, fmt.Errorf("read at %d: negative offset", off)
	}
	if off < int64(len(b.head)) {
		n = copy(p, b.head[off:])
	}
	for i, t := range b.tensors {
		if n == len(p) {
			return n, nil
		}
		at := off + int64(n)
		if at < b.offsets[i+1] {
			room := min(int64(len(p)-n), b.offsets[i+1]-at)
			t.bytesAt(p[n:n+int(room)], at-b.offsets[i])
			n += int(room)
		}
	}
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

// bytesAt fills p with the tensor's little-endian bytes from off on.
func (t NamedTensor) bytesAt(p []byte, off int64) {
	switch v := t.Data.(type) {
	case []float32:
		littleEndian(p, off, 4, func(dst []byte, i int64) { putFloats(dst, v[i:]) })
	case []int64:
		littleEndian(p, off, 8, func(dst []byte, i int64) {
			for ; len(dst) >= 8; dst, i = dst[8:], i+1 {
				binary.LittleEndian.PutUint64(dst, uint64(v[i]))
			}
		})
	}
}

// putFloats writes the first numbers of v to dst, as many as it holds.
func putFloats(dst []byte, v []float32) {
	for ; len(dst) >= 32 && len(v) >= 8; dst, v = dst[32:], v[8:] {
		d, s := (*[32]byte)(dst), (*[8]float32)(v)
		binary.LittleEndian.PutUint64(d[0:], pair(s[0], s[1]))
		binary.LittleEndian.PutUint64(d[8:], pair(s[2], s[3]))
		binary.LittleEndian.PutUint64(d[16:], pair(s[4], s[5]))
		binary.LittleEndian.PutUint64(d[24:], pair(s[6], s[7]))
	}
	for ; len(dst) >= 4; dst, v = dst[4:], v[1:] {
		binary.LittleEndian.PutUint32(dst, math.Float32bits(v[0]))
	}
}

func pair(a, b float32) uint64 { return uint64(math.Float32bits(a)) | uint64(math.Float32bits(b))<<32 }

// getFloats fills v with numbers that putFloats wrote.
func getFloats(v []float32, src []byte) {
	for ; len(v) >= 8 && len(src) >= 32; v, src = v[8:], src[32:] {
		d, s := (*[8]float32)(v), (*[32]byte)(src)
		d[0], d[1] = unpair(binary.LittleEndian.Uint64(s[0:]))
		d[2], d[3] = unpair(binary.LittleEndian.Uint64(s[8:]))
		d[4], d[5] = unpair(binary.LittleEndian.Uint64(s[16:]))
		d[6], d[7] = unpair(binary.LittleEndian.Uint64(s[24:]))
	}
	for i := range v {
		v[i] = math.Float32frombits(binary.LittleEndian.Uint32(src[4*i:]))
	}
}

func unpair(bits uint64) (a, b float32) {
	return math.Float32frombits(uint32(bits)), math.Float32frombits(uint32(bits >> 32))
}

// littleEndian fills p with the bytes of a tensor from byte off on. put writes
// whole elements of size bytes, from element i on. Where p begins or ends within an
// element, that element is written beside p, and the part that p holds is copied:
//
//	off 6, size 4, 8 bytes:  [e1: 2 bytes copied] [e2: put into p] [e3: 2 bytes copied]
func littleEndian(p []byte, off, size int64, put func(dst []byte, i int64)) {
	var element [8]byte
	if r := off % size; r != 0 {
		put(element[:size], off/size)
		n := copy(p, element[r:size])
		p, off = p[n:], off+int64(n)
	}
	whole := int64(len(p)) / size * size
	put(p[:whole], off/size)
	if rest := p[whole:]; len(rest) > 0 {
		put(element[:size], (off+whole)/size)
		copy(rest, element[:size])
	}
}
