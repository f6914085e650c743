package backendtest

import (
	"testing"

	"github.com/topksweep/sweep/trainer"
	"github.com/topksweep/sweep/trainer/plain"
)

// median checks what step 0 sets b_dec to, with a learning rate too small to
// move it: the geometric median, computed by package plain; and for a
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
		want := plain.GeometricMedian(plain.Rows(x, c.ActivationDim))
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
		want = plain.Rows(x, c.ActivationDim)[0]
		nearAll(t, recipe+": b_dec of equal rows", save(t, m, c).W.BDec, want, 1e-6*largestOf(want))
	}
}
