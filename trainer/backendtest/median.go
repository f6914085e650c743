package backendtest

import (
	"math"
	"testing"

	"github.com/topksweep/sweep/trainer"
)

// median checks what step 0 sets b_dec to, with a learning rate too small to
// move it: the geometric median, computed here as the reference does; and for a
// batch of equal rows, where the reference divides by zero, that row.
func median(t *testing.T, b trainer.Backend) {
	for _, recipe := range recipes() {
		c := config(recipe)
		c.LR = 1e-30
		x := make([]float32, c.BatchSize*c.ActivationDim)
		Batch(c, 0, x)
		for i := range c.ActivationDim {
			x[i] += 5 // a row far off, so that mean and median differ
		}
		want := geometricMedian(widen(x), c.ActivationDim)
		m := model(t, b, c, trainer.Init(c), Repeat(c, x))
		if _, err := step(t, m, 0); err != nil {
			t.Fatal(err)
		}
		nearAll(t, recipe+": b_dec", save(t, m, c).W.BDec, want, 1e-6*largestOf(want))

		for i := range x {
			x[i] = float32(i%c.ActivationDim) - 3
		}
		m = model(t, b, c, trainer.Init(c), Repeat(c, x))
		if _, err := step(t, m, 0); err != nil {
			t.Fatal(err)
		}
		want = widen(x[:c.ActivationDim])
		nearAll(t, recipe+": b_dec of equal rows", save(t, m, c).W.BDec, want, 1e-6*largestOf(want))
	}
}

// geometricMedian is Weiszfeld's iteration from the mean (reference:
// geometric_median).
func geometricMedian(x []float64, d int) []float64 {
	guess := weightedMean(x, d, func([]float64) float64 { return 1 })
	for range 100 {
		next := weightedMean(x, d, func(row []float64) float64 { return 1 / distance(row, guess) })
		if distance(next, guess) < 1e-5 {
			return next
		}
		guess = next
	}
	return guess
}

func weightedMean(x []float64, d int, weight func(row []float64) float64) []float64 {
	mean, total := make([]float64, d), 0.0
	for at := 0; at < len(x); at += d {
		w := weight(x[at : at+d])
		total += w
		for i, v := range x[at : at+d] {
			mean[i] += w * v
		}
	}
	for i := range mean {
		mean[i] /= total
	}
	return mean
}

func distance(a, b []float64) float64 {
	s := 0.0
	for i := range a {
		s += (a[i] - b[i]) * (a[i] - b[i])
	}
	return math.Sqrt(s)
}
