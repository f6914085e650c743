package trainer

import (
	"errors"
	"fmt"
	"io"
	"math"
	"slices"

	"github.com/topksweep/sweep/trainer/safetensors"
)

// weightTensors lists the tensors of a file of weights, in its order.
func weightTensors(d, f int, p *Params) (out []NamedTensor) {
	p.Each(d, f, func(name string, shape []int, v []float32) {
		out = append(out, NamedTensor{name, shape, v})
	})
	return out
}

// EncodeWeights returns the weights of an autoencoder of width d with f latents as the file that
// Config.Init is the SHA-256 of: safetensors with W_enc [F,D], b_enc [F], W_dec [F,D] and b_dec [D]
// in float32, in units of the activations as stored, and nothing else. It reads p's own memory,
// which must not change while it is read. Equal weights give equal bytes.
func EncodeWeights(d, f int, p *Params) (*Body, error) { return NewBody(weightTensors(d, f, p), nil) }

// DecodeWeights reads what EncodeWeights wrote, size bytes, into p, which NewParams(d, f) made. It
// streams: it takes no memory besides p. After an error, what p holds is undefined. The error wraps
// ErrFormat if the bytes are no such file, and else the error of r.
func DecodeWeights(r io.Reader, size int64, d, f int, p *Params) error {
	h, err := safetensors.ReadHeader(r, size)
	if errors.Is(err, safetensors.ErrFormat) {
		return fmt.Errorf("decode weights: %w: %w", ErrFormat, err)
	}
	if err != nil {
		return fmt.Errorf("decode weights: %w", err)
	}
	want := weightTensors(d, f, p)
	if len(h.Tensors) != len(want) {
		return fmt.Errorf("decode weights: %w: %d tensors, want %d", ErrFormat, len(h.Tensors), len(want))
	}
	buf := make([]byte, 1<<16)
	for i, t := range h.Tensors {
		dtype, shape := want[i].describe()
		if t.Name != want[i].Name || t.DType != dtype || !slices.Equal(t.Shape, shape) {
			return fmt.Errorf("decode weights: %w: %s is %s %v, want %s, %s %v",
				ErrFormat, t.Name, t.DType, t.Shape, want[i].Name, dtype, shape)
		}
		if err := readInto(r, want[i].Data, buf); err != nil {
			return fmt.Errorf("decode weights: %s: %w", t.Name, err)
		}
	}
	return nil
}

// ScaleBiases multiplies b_enc and b_dec by the data's scale: weights in units of the activations as
// stored become those that training begins from, which sees each row multiplied by scale. W_enc and
// W_dec are the same in both. The error is a *NumericError where float32 cannot hold a bias.
func (p *Params) ScaleBiases(scale float64) error {
	for i, v := range [][]float32{p.BEnc, p.BDec} {
		for j, b := range v {
			v[j] = float32(float64(b) * scale)
			if !(math.Abs(float64(v[j])) <= math.MaxFloat32) {
				return &NumericError{What: fmt.Sprintf(
					"the init's %s: element %d, %v, times the data's scale, %v, is no float32",
					[]string{"b_enc", "b_dec"}[i], j, b, scale)}
			}
		}
	}
	return nil
}

// unitWithin is how far from 1 the norm of a row may be that counts as at unit norm. Rows that were
// normalised in float32 are within 1e-6.
const unitWithin = 1e-5

// RowNorms describes the norms of the rows of W_dec, in float64.
type RowNorms struct {
	Min, Mean, Max float64
	OffUnit        int // rows whose norm is not 1 within 1e-5, those of zeros included
	Zero           int // rows of zeros
}

// Off returns how far from 1 a norm is, at most. A row of zeros counts 1.
func (n RowNorms) Off() float64 { return max(n.Max-1, 1-n.Min) }

// NormsOf returns the norms of the rows of width d of w. Of no rows all is 0.
func NormsOf(w []float32, d int) RowNorms {
	n := RowNorms{Min: math.Inf(1)}
	rows := 0
	for ; d > 0 && len(w) >= d; w = w[d:] {
		norm := rowNorm(w[:d])
		rows++
		n.Min, n.Max, n.Mean = min(n.Min, norm), max(n.Max, norm), n.Mean+norm
		if !(math.Abs(norm-1) <= unitWithin) {
			n.OffUnit++
		}
		if norm == 0 {
			n.Zero++
		}
	}
	if rows == 0 {
		return RowNorms{}
	}
	n.Mean /= float64(rows)
	return n
}

func rowNorm(row []float32) float64 {
	sum := 0.0
	for _, v := range row {
		sum += float64(v) * float64(v)
	}
	return math.Sqrt(sum)
}
