package backendtest

import (
	"crypto/sha256"
	"encoding/hex"
	"io"
	"math"
	"reflect"
	"testing"

	"github.com/topksweep/sweep/trainer"
	"github.com/topksweep/sweep/trainer/plain"
)

// begin checks a run that begins from the weights of a model: b_dec of the state stays what it is in
// step 0, a run that stops in between has the bits of one that does not, and the steps are those of
// package plain.
func begin(t *testing.T, b trainer.Backend) {
	for _, recipe := range recipes() {
		t.Run(recipe, func(t *testing.T) {
			c := config(recipe)
			from := trained(t, c)
			c.Init = hashOf(t, c, &from)
			start := func() *trainer.State {
				s := trainer.NewState(c)
				copyParams(&s.W, &from)
				return s
			}

			still := c
			still.LR = 1e-30 // too small to move a weight
			m := model(t, b, still, start(), Data(still))
			if _, err := step(t, m, 0); err != nil {
				t.Fatal(err)
			}
			if got := save(t, m, still).W.BDec; !reflect.DeepEqual(got, from.BDec) {
				t.Errorf("after step 0 b_dec is %v, want that of the state, %v", got, from.BDec)
			}

			m = model(t, b, c, start(), Data(c))
			stats := Train(t, m, 20)
			want := save(t, m, c)
			s, at := start(), int64(0)
			for _, stop := range []int64{1, 7, 20} {
				m := model(t, b, c, s, Data(c))
				if got := Train(t, m, stop); !reflect.DeepEqual(got, stats[at:stop]) {
					t.Fatalf("stats of steps %d to %d are %+v, want %+v", at, stop, got, stats[at:stop])
				}
				s, at = save(t, m, c), stop
			}
			SameState(t, c, s, want)

			exact := model(t, plain.Backend{}, c, start(), Data(c))
			for i, st := range Train(t, exact, 5) {
				near(t, "l2_loss", stats[i].L2Loss, st.L2Loss, 1e-3)
				near(t, "the gradient's norm", stats[i].GradNorm, st.GradNorm, 1e-2)
				if stats[i].Dead != st.Dead {
					t.Errorf("step %d: %d latents are dead, want %d", i, stats[i].Dead, st.Dead)
				}
			}
			x := make([]float32, c.BatchSize*c.ActivationDim)
			Batch(c, 0, x)
			median := plain.GeometricMedian(plain.Rows(x, c.ActivationDim))
			for i, v := range median {
				if math.Abs(v-float64(from.BDec[i])) < 0.1 {
					t.Errorf("the model's b_dec is %v, the median of the batch %v: the case is too easy", from.BDec[i], v)
				}
			}
		})
	}
}

// trained returns weights that 40 steps have trained, with rows of W_dec at unit norm and b_dec
// moved away from the data.
func trained(t *testing.T, c trainer.Config) trainer.Params {
	t.Helper()
	c.Seed++
	m := model(t, plain.Backend{}, c, trainer.Init(c), Data(c))
	Train(t, m, 40)
	w := save(t, m, c).W
	w.WDec, _ = trainer.UnitRows(w.WDec, c.ActivationDim)
	for i := range w.BDec {
		w.BDec[i] += 1 // no median of a batch
	}
	return w
}

func copyParams(to, from *trainer.Params) {
	copy(to.WEnc, from.WEnc)
	copy(to.BEnc, from.BEnc)
	copy(to.WDec, from.WDec)
	copy(to.BDec, from.BDec)
}

// hashOf returns what Config.Init is for weights.
func hashOf(t *testing.T, c trainer.Config, p *trainer.Params) string {
	t.Helper()
	body, err := trainer.EncodeWeights(c.ActivationDim, c.DictSize, p)
	if err != nil {
		t.Fatal(err)
	}
	h := sha256.New()
	if _, err := io.Copy(h, io.NewSectionReader(body, 0, math.MaxInt64)); err != nil {
		t.Fatal(err)
	}
	return hex.EncodeToString(h.Sum(nil))
}
