package backendtest

import (
	"fmt"
	"testing"

	"github.com/topksweep/sweep/trainer"
	"github.com/topksweep/sweep/trainer/plain"
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

// gradients compares one step's loss, counters and gradients with those of package
// plain. Adam's exp_avg after one step from zero moments is a tenth of the gradient.
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

// oneStep takes a step from s, which has zero moments, and compares it with that of
// package plain.
func oneStep(t *testing.T, b trainer.Backend, c trainer.Config, s *trainer.State, x []float32) {
	t.Helper()
	m := model(t, b, c, s, Repeat(c, x))
	st, err := step(t, m, s.Step)
	if err != nil {
		t.Fatal(err)
	}
	p, err := plain.New(c, s)
	if err != nil {
		t.Fatal(err)
	}
	x_BD := plain.Rows(x, c.ActivationDim)
	// What clip and projection leave is as exact as what they started from: at
	// D=1 the projection leaves nothing but rounding.
	var scale []float64
	for _, v := range tensors(p.Gradients(x_BD)) {
		scale = append(scale, largestOf(v))
	}
	want := p.Train(x_BD)
	clip := min(1, 1/(want.GradNorm+1e-6))
	sameStats(t, "", st, want)
	after := save(t, m, c)
	sameCounters(t, after, p)
	for i, got := range [][]float32{after.M.WEnc, after.M.BEnc, after.M.WDec, after.M.BDec} {
		nearAll(t, "gradient of "+tensorNames[i], got, tensors(p.M)[i], 2e-5*0.1*clip*scale[i])
	}
}

var tensorNames = [4]string{"W_enc", "b_enc", "W_dec", "b_dec"}

// tensors returns the parameters of package plain, row after row, in the order of
// tensorNames.
func tensors(p plain.Params) (flat [4][]float64) {
	for i, rows := range [4][][]float64{p.Enc_FD, {p.EncBias_F}, p.Dec_FD, {p.DecBias_D}} {
		for _, row := range rows {
			flat[i] = append(flat[i], row...)
		}
	}
	return flat
}

// sameStats holds a step's stats to those of package plain.
func sameStats(t *testing.T, when string, got, want trainer.Stats) {
	t.Helper()
	near(t, when+"loss", got.Loss, want.Loss, 1e-5)
	near(t, when+"l2_loss", got.L2Loss, want.L2Loss, 1e-5)
	near(t, when+"auxk_loss", got.AuxKLoss, want.AuxKLoss, 1e-5)
	near(t, when+"grad_norm", got.GradNorm, want.GradNorm, 1e-5)
	near(t, when+"lr", got.LR, want.LR, 1e-12)
	near(t, when+"threshold", got.Threshold, want.Threshold, 1e-5)
	if got.Dead != want.Dead {
		t.Errorf("%s%d dead latents, want %d", when, got.Dead, want.Dead)
	}
	if got.MaxSinceFired != want.MaxSinceFired {
		t.Errorf("%slongest since fired is %d, want %d", when, got.MaxSinceFired, want.MaxSinceFired)
	}
}

// sameCounters holds the counters of a state to those of package plain.
func sameCounters(t *testing.T, got *trainer.State, want *plain.Model) {
	t.Helper()
	if got.Step != want.Step {
		t.Errorf("the state is at step %d, want %d", got.Step, want.Step)
	}
	for f, n := range want.SinceFired_F {
		if got.SinceFired[f] != n {
			t.Errorf("latent %d: %d tokens since fired, want %d", f, got.SinceFired[f], n)
		}
	}
}

// likePlain trains over many steps, in which latents die, as package plain does:
// stats within 1e-5, and weights and moments within 1e-4 of their scale, as goldens
// are compared.
func likePlain(t *testing.T, b trainer.Backend) {
	for _, recipe := range recipes() {
		t.Run(recipe, func(t *testing.T) {
			const steps = 20
			c := config(recipe)
			s := trainer.Init(c)
			p, err := plain.New(c, s)
			if err != nil {
				t.Fatal(err)
			}
			m := model(t, b, c, s, Data(c))
			x, dead := make([]float32, c.BatchSize*c.ActivationDim), 0
			for i, st := range Train(t, m, steps) {
				Batch(c, int64(i), x)
				want := p.Train(plain.Rows(x, c.ActivationDim))
				sameStats(t, fmt.Sprintf("step %d: ", i), st, want)
				if dead = want.Dead; t.Failed() {
					t.FailNow() // what follows would only repeat it
				}
			}
			if dead == 0 {
				t.Error("no latent died: the case is too easy")
			}
			after := save(t, m, c)
			sameCounters(t, after, p)
			for i, set := range []trainer.Params{after.W, after.M, after.V} {
				want := tensors([]plain.Params{p.W, p.M, p.V}[i])
				for j, got := range [][]float32{set.WEnc, set.BEnc, set.WDec, set.BDec} {
					what := []string{"", "exp_avg of ", "exp_avg_sq of "}[i] + tensorNames[j]
					nearAll(t, what, got, want[j], 1e-4*largestOf(want[j]))
				}
			}
		})
	}
}

// shapes takes a step at shapes that no block size divides.
func shapes(t *testing.T, b trainer.Backend) {
	for _, recipe := range recipes() {
		for _, v := range []struct{ d, f, k, b, dead int }{
			{1, 1, 1, 1, 0}, {1, 1, 1, 5, 0}, {1, 40, 3, 7, 10}, {5, 1, 1, 3, 0}, {7, 33, 33, 13, 11},
			{16, 32, 32, 12, 0}, {17, 31, 4, 1, 0}, {9, 64, 1, 11, 5}, {33, 100, 10, 25, 30}, {100, 300, 7, 37, 290},
			// Every latent that does not fire in the step is dead.
			{12, 1000, 20, 40, -1}, {40, 200, 3, 20, -1},
		} {
			name := fmt.Sprintf("%s/D=%d,F=%d,K=%d,B=%d,dead=%d", recipe, v.d, v.f, v.k, v.b, v.dead)
			t.Run(name, func(t *testing.T) {
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
