package models

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"io"
	"io/fs"
	"math"
	"slices"

	"github.com/topksweep/sweep/trainer/safetensors"
)

// An array is a tensor as float32.
type array struct {
	shape []int64
	v     []float32
	dtype string // as stored
}

// readSafetensors reads the named tensors of a safetensors file as float32. optional ones may be absent. Every other
// tensor is an error: the model would be more than what is read.
func readSafetensors(fsys fs.FS, name string, want, optional []string) (
	tensors map[string]array, metadata map[string]string, err error,
) {
	fail := func(err error) (map[string]array, map[string]string, error) {
		return nil, nil, fmt.Errorf("%s: %w", name, err)
	}
	f, err := fsys.Open(name)
	if err != nil {
		return nil, nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return fail(err)
	}
	r := bufio.NewReaderSize(f, 1<<20)
	h, err := safetensors.ReadHeader(r, info.Size())
	if err != nil {
		return fail(err)
	}
	var names []string
	for _, t := range h.Tensors {
		names = append(names, t.Name)
	}
	slices.Sort(names)
	for _, n := range want {
		if !slices.Contains(names, n) {
			return fail(fmt.Errorf("the tensor %s is missing; there are %q", n, names))
		}
	}
	for _, n := range names {
		if !slices.Contains(want, n) && !slices.Contains(optional, n) {
			return fail(fmt.Errorf("the tensor %q belongs to no Top-K autoencoder, which has %q", n, want))
		}
	}
	tensors = map[string]array{}
	for _, t := range h.Tensors { // in the order of their bytes
		v, err := readFloats(r, t)
		if err != nil {
			return fail(fmt.Errorf("the tensor %s: %w", t.Name, err))
		}
		tensors[t.Name] = array{t.Shape, v, t.DType}
	}
	return tensors, h.Metadata, nil
}

// readFloats reads a tensor's bytes from r as float32.
func readFloats(r io.Reader, t safetensors.Tensor) ([]float32, error) {
	size := safetensors.DTypeSize(t.DType)
	var number func(b []byte) float64
	switch t.DType {
	case "F64":
		number = func(b []byte) float64 { return math.Float64frombits(binary.LittleEndian.Uint64(b)) }
	case "F32":
		number = func(b []byte) float64 { return float64(math.Float32frombits(binary.LittleEndian.Uint32(b))) }
	case "BF16":
		number = func(b []byte) float64 {
			return float64(math.Float32frombits(uint32(binary.LittleEndian.Uint16(b)) << 16))
		}
	case "F16":
		number = func(b []byte) float64 { return halfFloat(binary.LittleEndian.Uint16(b)) }
	default:
		return nil, fmt.Errorf("numbers of the type %s are not read; F32, F16, BF16 and F64 are", t.DType)
	}
	n := t.Elems()
	out := make([]float32, 0, n) // the header agrees with the size of the file
	buf := make([]byte, min(n*size, 1<<16))
	for int64(len(out)) < n {
		part := buf[:min(int64(len(buf)), (n-int64(len(out)))*size)]
		if _, err := io.ReadFull(r, part); err != nil {
			if err == io.EOF {
				err = io.ErrUnexpectedEOF
			}
			return nil, err
		}
		for ; len(part) > 0; part = part[size:] {
			v := float32(number(part))
			if notFinite(v) {
				return nil, fmt.Errorf("number %d is %v, no finite float32: the model is broken", len(out), number(part))
			}
			out = append(out, v)
		}
	}
	return out, nil
}

// halfFloat returns the value of a float16.
func halfFloat(h uint16) float64 {
	sign := 1.0
	if h>>15 == 1 {
		sign = -1
	}
	exponent, fraction := int(h>>10&31), float64(h&1023)
	switch exponent {
	case 0:
		return sign * math.Ldexp(fraction, -24)
	case 31:
		if fraction != 0 {
			return math.NaN()
		}
		return sign * math.Inf(1)
	}
	return sign * math.Ldexp(1024+fraction, exponent-25)
}

// take returns the numbers of a tensor of that shape.
func take(tensors map[string]array, file, name string, shape ...int64) ([]float32, error) {
	a := tensors[name]
	if !slices.Equal(a.shape, shape) {
		return nil, fmt.Errorf("%s: the tensor %s has the shape %v, not %v as the others ask for", file, name, a.shape, shape)
	}
	return a.v, nil
}

// turned returns the transpose [cols,rows] of v [rows,cols].
func turned(v []float32, rows, cols int) []float32 {
	out := make([]float32, len(v))
	transposeInto(out, v, rows, cols, 0, cols)
	return out
}
