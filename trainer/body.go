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
		littleEndian(p, off, 4, func(dst []byte, i int64) {
			for ; len(dst) >= 4; dst, i = dst[4:], i+1 {
				binary.LittleEndian.PutUint32(dst, math.Float32bits(v[i]))
			}
		})
	case []int64:
		littleEndian(p, off, 8, func(dst []byte, i int64) {
			for ; len(dst) >= 8; dst, i = dst[8:], i+1 {
				binary.LittleEndian.PutUint64(dst, uint64(v[i]))
			}
		})
	}
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
