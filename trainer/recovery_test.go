package trainer_test

import (
	"context"
	"errors"
	"math"
	"testing"

	"github.com/topksweep/sweep/trainer"
	"github.com/topksweep/sweep/trainer/cpu"
	"github.com/topksweep/sweep/trainer/plain"
)

// Each direction counts with its largest cosine, be it of either sign, whatever norms the rows have.
func TestRecovery(t *testing.T) {
	nan, half := float32(math.NaN()), math.Sqrt(0.5)
	for name, test := range map[string]struct {
		w, directions []float32
		mean, share   float64 // −9: none
	}{
		"two directions":     {[]float32{2, 0, 0, 0, 1, 1}, []float32{1, 0, 0, 0, 0, 1}, (1 + half) / 2, 0.5},
		"any norm":           {[]float32{2e-30, 0, 0, 0, 1e30, 1e30}, []float32{1, 0, 0, 0, 0, 1}, (1 + half) / 2, 0.5},
		"opposite":           {[]float32{-1, 0, 0, -5, 0, 0}, []float32{1, 0, 0}, -1, 0},
		"all negative":       {[]float32{-1, -1, 0, -1, 0, 0}, []float32{0.6, 0.8, 0, 0, 1, 0}, -0.3, 0},
		"zeros are better":   {[]float32{-1, 0, 0, 0, 0, 0}, []float32{1, 0, 0}, 0, 0},
		"zeros alone":        {[]float32{0, 0, 0, 0, 0, 0}, []float32{1, 0, 0, 0, 1, 0}, 0, 0},
		"a NaN":              {[]float32{1, 0, 0, nan, 0, 0}, []float32{1, 0, 0}, -9, -9},
		"an infinite number": {[]float32{1, 0, 0, float32(math.Inf(1)), 0, 0}, []float32{1, 0, 0}, -9, -9},
		"no direction":       {[]float32{1, 0, 0}, nil, -9, -9},
		"just over":          {[]float32{0.9001, 0.4357, 0, 0, 0, 1}, []float32{1, 0, 0, 0, 0.8, 0.6}, 0.75005, 0.5},
	} {
		for _, b := range []trainer.Backend{cpu.New(2), plain.Backend{}} {
			c := config(t, func(c *trainer.Config) {
				c.ActivationDim, c.DictSize, c.K, c.KAux = 3, len(test.w)/3, 1, 1
			})
			s := trainer.NewState(c)
			copy(s.W.WDec, test.w)
			mean, share, err := trainer.Recovery(t.Context(), b, c, s, test.directions)
			if err != nil {
				t.Fatal(err)
			}
			for what, x := range map[string]struct {
				got  *float64
				want float64
			}{"recovery": {mean, test.mean}, "recovered": {share, test.share}} {
				got := -9.0
				if x.got != nil {
					got = *x.got
				}
				if !(math.Abs(got-x.want) <= 1e-4) {
					t.Errorf("%s, %s: %s is %v, want %v", b.Name(), name, what, got, x.want)
				}
			}
		}
	}
}

// Recovery ends when its context does, and frees the device where it fails.
func TestRecoveryEnds(t *testing.T) {
	c := config(t, nil)
	s := trainer.Init(c)
	cause := errors.New("nobody waits")
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(cause)
	var closed int
	mean, share, err := trainer.Recovery(ctx, closing{cpu.New(1), &closed}, c, s, make([]float32, c.ActivationDim))
	if mean != nil || share != nil || !errors.Is(err, cause) || closed != 1 {
		t.Errorf("%v, %v, %v, closed %d times", mean, share, err, closed)
	}
}

// closing counts the models that are closed.
type closing struct {
	trainer.Backend
	closed *int
}

func (b closing) New(c trainer.Config, s *trainer.State, data trainer.Batches) (trainer.Model, error) {
	m, err := b.Backend.New(c, s, data)
	return closingModel{m, b.closed}, err
}

type closingModel struct {
	trainer.Model
	closed *int
}

func (m closingModel) Close() error {
	*m.closed++
	return m.Model.Close()
}

// BenchmarkRecovery compares many directions with a large dictionary.
func BenchmarkRecovery(b *testing.B) {
	c := trainer.Config{
		Recipe: "corrected", ActivationDim: 512, DictSize: 32768, K: 100, BatchSize: 1024, Steps: 1, Precision: "f32",
	}.Resolve()
	s := trainer.Init(c)
	directions := make([]float32, 16384*512)
	(&noise{d: 512}).Batch(1, 2, directions)
	directions = unitDecoder(directions, 512)
	for b.Loop() {
		if _, _, err := trainer.Recovery(b.Context(), cpu.New(0), c, s, directions); err != nil {
			b.Fatal(err)
		}
	}
}
