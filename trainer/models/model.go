package models

import (
	"errors"
	"fmt"
	"io"
	"math"
	"slices"

	"github.com/topksweep/sweep/trainer"
)

// A Model is a Top-K autoencoder, apart from any training:
//
//	acts_F = the K largest of ReLU(W_enc·(x − b_dec) + b_enc), else 0
//	x̂_D    = W_decᵀ·acts + b_dec
//
// x is a row of activations as they are stored.
type Model struct {
	ActivationDim int // D
	DictSize      int // F
	K             int

	W trainer.Params // [F,D] and [F], [D]

	// Threshold is the activation that a latent must exceed where a tool keeps latents by value instead of the K
	// largest of a token. nil: none is known.
	Threshold *float64

	// Scale is what training multiplied activations by. It is folded into W and Threshold, and kept for the record.
	// 0: unknown.
	Scale float64

	Names    trainer.Names
	Metadata map[string]string // for the headers of safetensors files, besides what Files writes there
	Facts    []Fact            // for the model card, in order; Read says there what it folded
}

// A Fact is a line of a model card: a setting, a metric, where the data come from.
type Fact struct{ Name, Value string }

// A Format is a tool whose files a model is written as.
type Format string

const (
	Sparsify           Format = "sparsify"
	SAELens            Format = "saelens"
	DictionaryLearning Format = "dictionary_learning"
	Reference          Format = "reference"
)

// Formats lists every format, in the order in which they are named.
func Formats() []Format { return []Format{Sparsify, SAELens, DictionaryLearning, Reference} }

// A File is one file of a model's folder. Many goroutines may read Body at once.
type File struct {
	Name string // with slashes
	Body io.ReaderAt
	Size int64
}

// The largest widths, those of trainer.Config. They bound what a file may ask for.
const (
	maxActivationDim = 1 << 20
	maxDictSize      = 1 << 24
)

// Check returns an error unless widths, lengths and K agree and every number is finite.
func (m *Model) Check() error {
	d, f := m.ActivationDim, m.DictSize
	switch {
	case d < 1 || d > maxActivationDim:
		return fmt.Errorf("the width of activations is %d, not 1 to %d", d, maxActivationDim)
	case f < 1 || f > maxDictSize:
		return fmt.Errorf("the number of latents is %d, not 1 to %d", f, maxDictSize)
	case m.K < 1 || m.K > f:
		return fmt.Errorf("k is %d, not 1 to the number of latents, %d", m.K, f)
	case m.Threshold != nil && !(*m.Threshold >= 0 && *m.Threshold <= math.MaxFloat32):
		return fmt.Errorf("the threshold is %v, neither 0 nor a positive float32", *m.Threshold)
	case !(m.Scale >= 0 && m.Scale <= math.MaxFloat64):
		return fmt.Errorf("the scale of activations is %v, not a positive number", m.Scale)
	}
	var errs []error
	m.W.Each(d, f, func(name string, shape []int, v []float32) {
		want := shape[0]
		if len(shape) == 2 {
			want *= shape[1]
		}
		if len(v) != want {
			errs = append(errs, fmt.Errorf("%s has %d numbers, not those of the shape %v", name, len(v), shape))
		} else if i := slices.IndexFunc(v, notFinite); i >= 0 {
			errs = append(errs, fmt.Errorf("number %d of %s is %v: the model is broken", i, name, v[i]))
		}
	})
	return errors.Join(errs...)
}

// notFinite reports whether v is NaN or infinite.
func notFinite(v float32) bool { return v-v != 0 }
