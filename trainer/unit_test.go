package trainer_test

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/topksweep/sweep/trainer"
)

func TestUnitRows(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for _, d := range []int{1, 3, 512, 5000} {
		for _, scale := range []float64{1, 1e-45, 1e-42, 1e-38, 1e-20, 1e19, 1e30, 5e37} {
			w := make([]float32, 4*d)
			for i := range w {
				w[i] = float32(scale * (1 + rng.Float64()))
			}
			clear(w[d : 2*d])
			before := slices.Clone(w)
			unit, zeros := trainer.UnitRows(w, d)
			if zeros != 1 || !slices.Equal(w, before) {
				t.Errorf("D=%d, %g: %d rows of zeros; or it changed what it was given", d, scale, zeros)
			}
			for r := range 4 {
				norm := 0.0
				for _, v := range unit[r*d : (r+1)*d] {
					norm += float64(v) * float64(v)
				}
				want := 1.0
				if r == 1 {
					want = 0
				}
				if norm = math.Sqrt(norm); !(math.Abs(norm-want) <= 1e-6) {
					t.Errorf("D=%d, %g: row %d has norm %v", d, scale, r, norm)
				}
			}
		}
	}
}
