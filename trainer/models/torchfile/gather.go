package torchfile

import (
	"cmp"
	"fmt"
	"slices"
)

// readBytes is how many bytes of a storage are read at once.
const readBytes = 1 << 20

// A dim is a dimension of a tensor: its size, and how far apart its elements lie in the storage and in the result.
type dim struct{ size, in, out int64 }

// gather reads a tensor's elements in the order of its indices. It reads the storage in stretches of at most readBytes:
// it walks through the dimensions in the order of their strides, the largest first, until what is left is that short.
// A transposed matrix is thus read in the order of its storage.
func gather[T any](t *Tensor, decode func([]byte) T) ([]T, error) {
	n := t.Elems()
	if err := t.storage.data.verify(); err != nil {
		return nil, err
	}
	out := make([]T, n)
	if n == 0 {
		return out, nil
	}
	g := &gatherer[T]{t: t, dims: t.dims(), out: out, decode: decode, elem: t.storage.kind.size}
	// spans[i]: from the first to the last element of dims[i:], in elements of the storage.
	g.spans = make([]int64, len(g.dims)+1)
	g.spans[len(g.dims)] = 1
	for i := len(g.dims) - 1; i >= 0; i-- {
		g.spans[i] = g.spans[i+1] + (g.dims[i].size-1)*g.dims[i].in
	}
	g.buf = make([]byte, min(g.spans[0]*g.elem, readBytes))
	return out, g.walk(0, t.offset, 0)
}

// dims returns the dimensions of more than one element, by stride, the largest first. Those that follow each other
// without a gap in both orders are one.
func (t *Tensor) dims() []dim {
	var dims []dim
	for i, out := range contiguous(t.Shape) {
		if t.Shape[i] == 1 {
			continue
		}
		d := dim{t.Shape[i], t.Stride[i], out}
		if n := len(dims); n > 0 && dims[n-1].in == d.in*d.size && dims[n-1].out == d.out*d.size {
			d.size *= dims[n-1].size
			dims = dims[:n-1]
		}
		dims = append(dims, d)
	}
	slices.SortStableFunc(dims, func(a, b dim) int { return cmp.Compare(b.in, a.in) })
	return dims
}

// A gatherer is what a walk through a tensor needs.
type gatherer[T any] struct {
	t      *Tensor
	dims   []dim
	spans  []int64
	buf    []byte
	elem   int64
	out    []T
	decode func([]byte) T
}

// walk reads dims[i:] of a tensor: the first element is element in of the storage, and out of the result.
func (g *gatherer[T]) walk(i int, in, out int64) error {
	room := int64(len(g.buf)) / g.elem
	if g.spans[i] <= room {
		return g.read(g.dims[i:], g.spans[i], in, out)
	}
	d := g.dims[i]
	// As many steps along this dimension as fit into the buffer are read together.
	steps := int64(1)
	if rest := g.spans[i+1]; rest <= room && d.in > 0 {
		steps = 1 + (room-rest)/d.in
	}
	dims := append([]dim{d}, g.dims[i+1:]...)
	for at := int64(0); at < d.size; at += steps {
		n := min(steps, d.size-at)
		if steps == 1 {
			if err := g.walk(i+1, in+at*d.in, out+at*d.out); err != nil {
				return err
			}
			continue
		}
		dims[0].size = n
		if err := g.read(dims, g.spans[i+1]+(n-1)*d.in, in+at*d.in, out+at*d.out); err != nil {
			return err
		}
	}
	return nil
}

// read reads a stretch of span elements, and puts those of dims in their places.
func (g *gatherer[T]) read(dims []dim, span, in, out int64) error {
	d := g.t.storage.data
	b := g.buf[:span*g.elem]
	if n, err := d.r.ReadAt(b, d.entry.begin+in*g.elem); n < len(b) {
		return fmt.Errorf("%s: read its bytes: %w", d.name, noEOF(err))
	}
	g.place(dims, b, out)
	return nil
}

// place decodes the elements of dims from b, whose first element is element out of the result.
func (g *gatherer[T]) place(dims []dim, b []byte, out int64) {
	if len(dims) == 0 {
		g.out[out] = g.decode(b)
		return
	}
	d := dims[0]
	step := d.in * g.elem
	if len(dims) > 1 {
		for i := range d.size {
			g.place(dims[1:], b[i*step:], out+i*d.out)
		}
		return
	}
	for i := range d.size {
		g.out[out+i*d.out] = g.decode(b[i*step:])
	}
}
