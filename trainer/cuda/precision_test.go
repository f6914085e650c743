//go:build cuda

package cuda_test

import (
	"math"
	"testing"

	"github.com/topksweep/sweep/trainer"
	"github.com/topksweep/sweep/trainer/backendtest"
)

// TestPrecision checks what docs/training.md promises: a pre-activation is off by at most
// rounding · Σ|x·w|, and the L2 loss of a run by at most the share loss of itself.
func TestPrecision(t *testing.T) {
	precisions := []struct {
		name           string
		rounding, loss float64
	}{
		{"f32", 0x1p-21, 0},
		{"tf32", 0x1p-10, 1e-3}, // 10 bits of mantissa
		{"bf16", 0x1p-8, 1e-2},  // 7 bits
	}
	b := open(t)
	exact := l2(t, b, "f32")
	off := map[string]float64{}
	for _, p := range precisions {
		t.Run(p.name, func(t *testing.T) {
			off[p.name] = preActivations(t, b, p.name, p.rounding)
			got := l2(t, b, p.name)
			if !(math.Abs(got-exact) <= p.loss*exact) {
				t.Errorf("L2 loss %v, in float32 %v", got, exact)
			}
			if second := l2(t, b, p.name); second != got {
				t.Errorf("L2 loss %v, then %v", got, second)
			}
		})
	}
	if !(off["f32"] < off["tf32"] && off["tf32"] < off["bf16"]) {
		t.Errorf("errors of the pre-activations %v: the precisions are not told apart", off)
	}
}

// l2 returns the mean L2 loss of a run's last steps.
func l2(t *testing.T, b trainer.Backend, precision string) float64 {
	c := config("corrected")
	c.Precision, c.DictSize, c.BatchSize = precision, 120, 64
	m := newModel(t, b, c, trainer.Init(c), backendtest.Data(c))
	stats, sum := backendtest.Train(t, m, 20), 0.0
	for _, s := range stats[10:] {
		sum += s.L2Loss / 10
	}
	return sum
}

// preActivations returns the largest error of a pre-activation.
func preActivations(t *testing.T, b trainer.Backend, precision string, rounding float64) float64 {
	c := config("corrected")
	c.Precision = precision
	s := trainer.Init(c)
	for f := range s.W.BEnc {
		s.W.BEnc[f] = float32(f%7) / 10
	}
	d, f, n := c.ActivationDim, c.DictSize, 9
	x := make([]float32, n*d)
	backendtest.Batch(c, 0, x)
	acts, latents := make([]float32, n*f), make([]int32, n*f)
	if err := newModel(t, b, c, s, nil).Encode(x, f, nil, acts, latents); err != nil {
		t.Fatal(err)
	}
	worst := 0.0
	for i, latent := range latents {
		row := i / f
		sum, size := float64(s.W.BEnc[latent]), float64(s.W.BEnc[latent])
		for j, w := range s.W.WEnc[int(latent)*d : (int(latent)+1)*d] {
			sum += float64(x[row*d+j]) * float64(w)
			size += math.Abs(float64(x[row*d+j]) * float64(w))
		}
		diff := math.Abs(float64(acts[i]) - max(0, sum))
		if !(diff <= rounding*size) {
			t.Fatalf("latent %d of row %d: %v, want %v within %.1e", latent, row, acts[i], sum, rounding*size)
		}
		worst = max(worst, diff)
	}
	return worst
}
