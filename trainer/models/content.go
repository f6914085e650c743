package models

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"

	"github.com/topksweep/sweep/trainer"
	"github.com/topksweep/sweep/trainer/safetensors"
)

// Content returns the model's weights as a safetensors file: W_enc, b_enc, W_dec and b_dec as F32, without metadata. hash
// is its SHA-256 in hex. Equal weights give equal bytes, wherever they were read: K, the threshold and all names are
// left out. The body reads the weights where they lie.
func (m *Model) Content() (body *trainer.Body, hash string, err error) {
	if err := m.Check(); err != nil {
		return nil, "", fmt.Errorf("the content of a model: %w", err)
	}
	var tensors []trainer.NamedTensor
	m.W.Each(m.ActivationDim, m.DictSize, func(name string, shape []int, v []float32) {
		tensors = append(tensors, trainer.NamedTensor{Name: name, Shape: shape, Data: v})
	})
	if body, err = trainer.NewBody(tensors, nil); err != nil {
		return nil, "", err
	}
	sum := sha256.New()
	if _, err := io.CopyBuffer(onlyWriter{sum}, io.NewSectionReader(body, 0, body.Size()), make([]byte, 1<<20)); err != nil {
		return nil, "", err
	}
	return body, hex.EncodeToString(sum.Sum(nil)), nil
}

// onlyWriter hides every other method of a writer, so that io.CopyBuffer uses its buffer.
type onlyWriter struct{ io.Writer }

// ReadContent reads the weights that Content has written, of width d with f latents. size is the number of bytes of r.
// No memory is taken for a file of another size.
func ReadContent(r io.Reader, size int64, d, f int) (trainer.Params, error) {
	fail := func(err error) (trainer.Params, error) {
		return trainer.Params{}, fmt.Errorf("the content of a model: %w", err)
	}
	h, err := safetensors.ReadHeader(r, size)
	if err != nil {
		return fail(err)
	}
	tensors := map[string]array{}
	if len(h.Tensors) != 4 {
		return fail(fmt.Errorf("it has %d tensors, not 4", len(h.Tensors)))
	}
	for _, t := range h.Tensors {
		if t.DType != "F32" || t.Elems() > int64(d)*int64(f) {
			return fail(fmt.Errorf("the tensor %q is %s of the shape %v, in a model of %d latents of width %d",
				t.Name, t.DType, t.Shape, f, d))
		}
		v, err := readFloats(r, t)
		if err != nil {
			return fail(fmt.Errorf("the tensor %s: %w", t.Name, err))
		}
		tensors[t.Name] = array{t.Shape, v, t.DType}
	}
	m, err := assemble(tensors, "the file", layout{"W_enc", "b_enc", "W_dec", "b_dec", false, false})
	if err == nil && (m.ActivationDim != d || m.DictSize != f) {
		err = fmt.Errorf("it has %d latents of width %d, not %d of %d", m.DictSize, m.ActivationDim, f, d)
	}
	if err != nil {
		return fail(err)
	}
	return m.W, nil
}
