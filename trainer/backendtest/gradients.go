package backendtest

import (
	"fmt"
	"testing"

	"github.com/topksweep/sweep/trainer"
)

// gradientCase is a state in mid-training, with zero moments, in which some
// latents are dead, and a batch for it.
func gradientCase(recipe string) (trainer.Config, *trainer.State, []float32) {
	c := config(recipe)
	c.ActivationDim, c.DictSize, c.K, c.KAux, c.BatchSize, c.AuxKAlpha = 12, 40, 5, 6, 16, 0.25
	s := trainer.Init(c)
	s.Step = 5
	for f := range s.SinceFired {
		s.W.BEnc[f] = float32(0.1*trainer.Uniform(1, 2, uint64(f)) - 0.05)
		if f%3 == 1 {
			s.SinceFired[f] = c.DeadFeatureThreshold
			s.W.BEnc[f] -= 0.4 // hold it back, so that it stays dead
		}
	}
	for j := range s.W.BDec {
		s.W.BDec[j] = float32(0.2 * trainer.Uniform(1, 3, uint64(j)))
	}
	x := make([]float32, c.BatchSize*c.ActivationDim)
	Batch(c, 5, x)
	return c, s, x
}

// gradients compares one step's loss, counters and gradients with the oracle's.
// Adam's exp_avg after one step from zero moments is a tenth of the gradient.
func gradients(t *testing.T, b trainer.Backend) {
	for _, recipe := range recipes() {
		for _, clip := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s/clip=%v", recipe, clip), func(t *testing.T) {
				c, s, x := gradientCase(recipe)
				if clip {
					for i := range x {
						x[i] *= 30
					}
				}
				oneStep(t, b, c, s, x)
			})
		}
	}
}

// oneStep takes a step from s, which has zero moments, and compares it with the
// oracle's.
func oneStep(t *testing.T, b trainer.Backend, c trainer.Config, s *trainer.State, x []float32) {
	t.Helper()
	m := model(t, b, c, s, Repeat(c, x))
	st, err := step(t, m, s.Step)
	if err != nil {
		t.Fatal(err)
	}
	o := newOracle(c, s)
	p := o.forward(widen(x), nil)
	g := o.gradients(widen(x), p)
	// What clip and projection leave is as exact as what they started from: at
	// D=1 the projection leaves nothing but rounding.
	var scale []float64
	for _, v := range g.each() {
		scale = append(scale, largestOf(v))
	}
	norm := o.descend(g)
	clip := min(1, 1/(norm+1e-6))
	near(t, "loss", st.Loss, p.loss, 1e-5)
	near(t, "l2_loss", st.L2Loss, p.l2, 1e-5)
	near(t, "auxk_loss", st.AuxKLoss, p.auxk, 1e-5)
	near(t, "grad_norm", st.GradNorm, norm, 1e-5)
	near(t, "lr", st.LR, c.LRAt(s.Step), 1e-12)
	if st.Dead != p.nDead {
		t.Errorf("%d dead latents, want %d", st.Dead, p.nDead)
	}
	after := save(t, m, c)
	if after.Step != s.Step+1 {
		t.Errorf("the state is at step %d, want %d", after.Step, s.Step+1)
	}
	longest := int64(0)
	for f, n := range p.since {
		longest = max(longest, n)
		if after.SinceFired[f] != n {
			t.Errorf("latent %d: %d tokens since fired, want %d", f, after.SinceFired[f], n)
		}
	}
	if st.MaxSinceFired != longest {
		t.Errorf("longest since fired is %d, want %d", st.MaxSinceFired, longest)
	}
	for i, got := range [][]float32{after.M.WEnc, after.M.BEnc, after.M.WDec, after.M.BDec} {
		want := g.each()[i]
		for j := range want {
			want[j] *= 0.1
		}
		nearAll(t, []string{"gradient of W_enc", "gradient of b_enc", "gradient of W_dec", "gradient of b_dec"}[i], got, want, 2e-5*0.1*clip*scale[i])
	}
}

// shapes takes a step at shapes that no block size divides.
func shapes(t *testing.T, b trainer.Backend) {
	for _, recipe := range recipes() {
		for _, v := range []struct{ d, f, k, b, dead int }{
			{1, 1, 1, 1, 0}, {1, 1, 1, 5, 0}, {1, 40, 3, 7, 10}, {5, 1, 1, 3, 0}, {7, 33, 33, 13, 11}, {16, 32, 32, 12, 0},
			{17, 31, 4, 1, 0}, {9, 64, 1, 11, 5}, {33, 100, 10, 25, 30}, {100, 300, 7, 37, 290},
			// Every latent that does not fire in the step is dead.
			{12, 1000, 20, 40, -1}, {40, 200, 3, 20, -1},
		} {
			t.Run(fmt.Sprintf("%s/D=%d,F=%d,K=%d,B=%d,dead=%d", recipe, v.d, v.f, v.k, v.b, v.dead), func(t *testing.T) {
				c := config(recipe)
				c.ActivationDim, c.DictSize, c.K, c.BatchSize, c.KAux = v.d, v.f, v.k, v.b, 0
				c = c.Resolve()
				s := trainer.Init(c)
				s.Step = 1
				// Weights of no structure: a tied start reconstructs so well at D=1 that
				// only rounding would be left to compare.
				for i := range s.W.WEnc {
					s.W.WEnc[i] = float32(trainer.Uniform(3, 4, uint64(i)) - 0.5)
				}
				for f := range s.W.BEnc {
					s.W.BEnc[f] = float32(0.2*trainer.Uniform(3, 5, uint64(f)) - 0.05)
				}
				if v.dead < 0 {
					c.DeadFeatureThreshold = 1
				}
				for f := range v.dead {
					s.SinceFired[f] = c.DeadFeatureThreshold + 1
				}
				x := make([]float32, v.b*v.d)
				Batch(c, 1, x)
				oneStep(t, b, c, s, x)
			})
		}
	}
}
