package backendtest

import (
	"fmt"
	"math"
	"testing"

	"github.com/topksweep/sweep/trainer"
)

// recovery checks the largest cosines of directions with decoder rows of any norm against plain loops, also where they
// are more than one group, where some rows are zeros, and whatever the model's own precision is.
func recovery(t *testing.T, b trainer.Backend) {
	for _, shape := range [][3]int{{1, 5, 3}, {20, 150, 1100}, {37, 70, 100}} { // D, F, directions
		for _, precision := range []string{"f32", "tf32"} {
			t.Run(fmt.Sprintf("%v/%s", shape, precision), func(t *testing.T) {
				c := config("corrected")
				c.ActivationDim, c.DictSize, c.Precision = shape[0], shape[1], precision
				s, d := trainer.NewState(c), c.ActivationDim
				s.M, s.V = trainer.Params{}, trainer.Params{} // as where a model is measured
				integers(s.W.WDec, 1, 100)
				x := make([]float32, shape[2]*d)
				integers(x, 2, 100)
				copy(x, s.W.WDec[:d])
				directions, _ := trainer.UnitRows(x, d)
				mean, share, err := trainer.Recovery(t.Context(), b, c, s, directions)
				if err != nil {
					t.Fatal(err)
				}
				sum, over := bestCosines(s.W.WDec, x, d)
				n := float64(shape[2])
				if !(math.Abs(*mean-sum/n) <= 3e-7) || *share != over/n {
					t.Errorf("recovery %v, recovered %v, want %v and %v", *mean, *share, sum/n, over/n)
				}
			})
		}
	}
}

// bestCosines returns the sum over the rows of x of the largest cosine with a row of w, and how many are over 0.9.
func bestCosines(w, x []float32, d int) (sum, over float64) {
	for r := 0; r < len(x); r += d {
		best := math.Inf(-1)
		for f := 0; f < len(w); f += d {
			var ww, xx, xw float64
			for j := range d {
				v, u := float64(x[r+j]), float64(w[f+j])
				ww, xx, xw = ww+u*u, xx+v*v, xw+v*u
			}
			if ww*xx == 0 {
				ww, xx = 1, 1 // of a row of zeros, the cosine counts as 0
			}
			best = max(best, xw/math.Sqrt(ww*xx))
		}
		sum += best
		if best > 0.9 {
			over++
		}
	}
	return sum, over
}
