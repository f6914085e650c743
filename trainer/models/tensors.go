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

// readSafetensors reads the tensors of a layout from a safetensors file as float32. optional ones, of a number for each
// latent at most, may be absent. Every other tensor is an error: the model would be more than what is read. Shapes are
// checked before memory is taken.
func readSafetensors(fsys fs.FS, name string, l layout, optional []string) (
	tensors map[string]array, metadata map[string]string, err error,
) {
	want := l.names()
	fail := func(err error) (map[string]array, map[string]string, error) {
		return nil, nil, fmt.Errorf("%s: %w", name, err)
	}
	file, info, err := openFile(fsys, name)
	if err != nil {
		return nil, nil, err
	}
	defer file.Close()
	r := bufio.NewReaderSize(file, 1<<20)
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
	for _, t := range h.Tensors {
		tensors[t.Name] = array{shape: t.Shape}
	}
	f, _, err := checkShapes(tensors, name, l)
	if err != nil {
		return nil, nil, err
	}
	for _, n := range optional {
		if t, ok := h.Tensor(n); ok && t.Elems() > int64(f) {
			return fail(fmt.Errorf("the tensor %s has %d numbers, in a model of %d latents", n, t.Elems(), f))
		}
	}
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
	decode := map[string]func(dst []float32, src []byte){
		"F64": func(dst []float32, src []byte) {
			for i := range dst {
				dst[i] = float32(math.Float64frombits(binary.LittleEndian.Uint64(src[8*i:])))
			}
		},
		"F32": func(dst []float32, src []byte) {
			for i := range dst {
				dst[i] = math.Float32frombits(binary.LittleEndian.Uint32(src[4*i:]))
			}
		},
		"BF16": func(dst []float32, src []byte) {
			for i := range dst {
				dst[i] = safetensors.BFloat16(binary.LittleEndian.Uint16(src[2*i:]))
			}
		},
		"F16": func(dst []float32, src []byte) {
			for i := range dst {
				dst[i] = safetensors.Float16(binary.LittleEndian.Uint16(src[2*i:]))
			}
		},
	}[t.DType]
	if decode == nil {
		return nil, fmt.Errorf("numbers of the type %s are not read; F32, F16, BF16 and F64 are", t.DType)
	}
	size := safetensors.DTypeSize(t.DType)
	out := make([]float32, t.Elems()) // the header agrees with the size of the file
	buf := make([]byte, 1<<16)
	for done := 0; done < len(out); {
		part := out[done:min(len(out), done+len(buf)/int(size))]
		if _, err := io.ReadFull(r, buf[:len(part)*int(size)]); err != nil {
			if err == io.EOF {
				err = io.ErrUnexpectedEOF
			}
			return nil, err
		}
		decode(part, buf)
		if i := slices.IndexFunc(part, notFinite); i >= 0 {
			return nil, fmt.Errorf("number %d is no finite float32: the model is broken", done+i)
		}
		done += len(part)
	}
	return out, nil
}

// turned returns the transpose [cols,rows] of v [rows,cols].
func turned(v []float32, rows, cols int) []float32 {
	out := make([]float32, len(v))
	transposeInto(out, v, rows, cols, 0, cols)
	return out
}
