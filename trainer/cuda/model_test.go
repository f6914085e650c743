//go:build cuda

package cuda_test

import (
	"errors"
	"math"
	"testing"

	"github.com/topksweep/sweep/trainer"
	"github.com/topksweep/sweep/trainer/backendtest"
	"github.com/topksweep/sweep/trainer/cpu"
	"github.com/topksweep/sweep/trainer/data"
)

// config is a small run in which latents die early. After a while some latents are kept for
// nearly every token.
func config(recipe string) trainer.Config {
	return trainer.Config{
		Recipe: recipe, ActivationDim: 24, DictSize: 200, K: 5, AuxKAlpha: 1.0 / 32, KAux: 12, DecayStart: 30, Steps: 60,
		BatchSize: 160, LR: 3e-3, ThresholdStartStep: 3, ThresholdBeta: 0.999, DeadFeatureThreshold: 900, Seed: 7,
		Precision: "f32",
	}
}

func newModel(t *testing.T, b trainer.Backend, c trainer.Config, s *trainer.State, data trainer.Batches) trainer.Model {
	t.Helper()
	m, err := b.New(c, s, data)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := m.Close(); err != nil {
			t.Error(err)
		}
	})
	return m
}

func saved(t *testing.T, m interface{ Save(*trainer.State) error }, c trainer.Config) *trainer.State {
	t.Helper()
	s := trainer.NewState(c)
	if err := m.Save(s); err != nil {
		t.Fatal(err)
	}
	return s
}

// near reports numbers that differ by more than tol times the largest number of want.
func near(t *testing.T, what string, got, want []float32, tol float64) {
	t.Helper()
	scale := 0.0
	for _, w := range want {
		scale = max(scale, math.Abs(float64(w)))
	}
	for i, w := range want {
		if diff := math.Abs(float64(got[i]) - float64(w)); !(diff <= tol*scale) {
			t.Errorf("%s: number %d is off by %.2g of the scale %.2g, allowed %.0e", what, i, diff/scale, scale, tol)
			return
		}
	}
}

// TestAgainstCPU compares a step with that of package cpu, for sizes that are too large for
// the suite of backendtest: latents with more hits than a segment, more pre-activations than a
// chunk, and rows that one, two, three and seventeen warps hold.
func TestAgainstCPU(t *testing.T) {
	b := open(t)
	for name, change := range map[string]func(*trainer.Config){
		"segments": func(c *trainer.Config) { c.DictSize, c.K, c.BatchSize = 24, 6, 300 },
		"chunks":   func(c *trainer.Config) { c.ActivationDim, c.DictSize, c.BatchSize, c.K = 8, 20000, 500, 3 },
		"1 warp":   func(c *trainer.Config) { c.ActivationDim, c.DictSize, c.BatchSize = 300, 60, 70 },
		"2 warps":  func(c *trainer.Config) { c.ActivationDim, c.DictSize, c.BatchSize = 768, 40, 70 },
		"3 warps":  func(c *trainer.Config) { c.ActivationDim, c.DictSize, c.BatchSize = 1040, 30, 90 },
		"17 warps": func(c *trainer.Config) { c.ActivationDim, c.DictSize, c.BatchSize, c.KAux = 8200, 9, 68, 3 },
		"many kept": func(c *trainer.Config) {
			c.ActivationDim, c.DictSize, c.K, c.BatchSize, c.KAux = 16, 1500, 600, 20, 700
		},
	} {
		for _, recipe := range trainer.Recipes() {
			t.Run(name+"/"+recipe.Name, func(t *testing.T) {
				c := config(recipe.Name)
				change(&c)
				s := trainer.Init(c)
				s.Step = 5
				for f := range s.SinceFired {
					if f%3 == 1 { // dead, and unlikely to fire
						s.SinceFired[f] = c.DeadFeatureThreshold + 1
						s.W.BEnc[f] = -0.5
					}
				}
				want := newModel(t, cpu.New(1), c, s, backendtest.Data(c))
				got := newModel(t, b, c, s, backendtest.Data(c))
				ws, gs := backendtest.Train(t, want, 6)[0], backendtest.Train(t, got, 6)[0]
				if gs.Dead != ws.Dead || gs.Dead == 0 && recipe.Name == "corrected" || gs.MaxSinceFired != ws.MaxSinceFired {
					t.Errorf("stats %+v, want %+v", gs, ws)
				}
				numbers := func(s trainer.Stats) []float32 {
					return []float32{float32(s.Loss), float32(s.L2Loss), float32(s.AuxKLoss), float32(s.GradNorm)}
				}
				near(t, "loss, L2, AuxK, norm", numbers(gs), numbers(ws), 1e-5)
				g, w := saved(t, got, c), saved(t, want, c)
				near(t, "gradient of W_enc", g.M.WEnc, w.M.WEnc, 2e-5)
				near(t, "gradient of b_enc", g.M.BEnc, w.M.BEnc, 2e-5)
				near(t, "gradient of W_dec", g.M.WDec, w.M.WDec, 2e-5)
				near(t, "gradient of b_dec", g.M.BDec, w.M.BDec, 2e-5)
			})
		}
	}
}

// source is a data set that counts how it is read.
type source struct {
	*data.Set
	numbered      bool // offer the rows as a data set
	batches, rows int64
	stored        int64 // rows that were read as they are stored; one goroutine reads them, as they are few
}

func (s *source) ReadStored(rows []int64, x []byte) error {
	s.stored += int64(len(rows))
	return s.Set.ReadStored(rows, x)
}

func (s *source) Batch(seed, step int64, x []float32) error {
	s.batches++
	return s.Set.Batch(seed, step, x)
}

func (s *source) BatchRows(seed, step int64, rows []int64) error {
	s.rows++
	return s.Set.BatchRows(seed, step, rows)
}

func (s *source) Dataset() trainer.Dataset {
	if !s.numbered {
		return nil
	}
	return s
}

// TestEqualBits trains equal runs, whose batches reach the GPU in different ways: they must
// give equal bits. That a run which is saved and goes on does so too is a test of backendtest.
func TestEqualBits(t *testing.T) {
	b := open(t)
	set, err := data.Open(t.Context(), trainer.DataSpec{
		Synthetic:  &trainer.Synthetic{ActivationDim: 24, Directions: 60, Tokens: 3000, Active: 3, Noise: 0.05, Seed: 2},
		EvalTokens: 100,
	}, data.Options{Workers: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer set.Close()
	c := config("corrected")
	c.BatchSize, c.DeadFeatureThreshold = 64, 300
	const steps = 13
	// A loop of its own for each step: no batch is uploaded ahead.
	plain := newModel(t, b, c, trainer.Init(c), &source{Set: set})
	for step := range int64(steps) {
		backendtest.Train(t, plain, step+1)
	}
	want := saved(t, plain, c)
	want.Curve = nil

	for name, numbered := range map[string]bool{"uploaded": false, "from a data set": true} {
		for range 2 {
			data := &source{Set: set, numbered: numbered}
			loop, err := trainer.Start(b, c, trainer.Init(c), data)
			if err != nil {
				t.Fatal(err)
			}
			defer loop.Close()
			// In two parts: a batch that was uploaded for a step that did not come is dropped.
			stop := errors.New("stop")
			err = loop.Run(t.Context(), steps, func(done int64, _ trainer.Stats) error {
				if done == 5 {
					return stop
				}
				return nil
			})
			if !errors.Is(err, stop) {
				t.Fatal(err)
			}
			if err := loop.Run(t.Context(), steps, func(int64, trainer.Stats) error { return nil }); err != nil {
				t.Fatal(err)
			}
			if (data.batches > 0) == numbered || (data.rows > 0) != numbered {
				t.Fatalf("%s: %d batches and the numbers of %d were read", name, data.batches, data.rows)
			}
			t.Run(name, func(t *testing.T) { backendtest.SameState(t, c, saved(t, loop, c), want) })
		}
	}
}

func TestUnsupported(t *testing.T) {
	b := open(t)
	for name, change := range map[string]func(*trainer.Config){
		"precision": func(c *trainer.Config) { c.Precision = "tf32" },
		"width":     func(c *trainer.Config) { c.ActivationDim = 20000 },
		"k":         func(c *trainer.Config) { c.K = c.DictSize + 1 },
		"recipe":    func(c *trainer.Config) { c.Recipe = "none" },
	} {
		c := config("corrected")
		change(&c)
		if _, err := b.New(c, trainer.NewState(c), nil); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	c := config("corrected")
	s := trainer.NewState(c)
	s.W.BEnc = s.W.BEnc[1:]
	if _, err := b.New(c, s, nil); err == nil {
		t.Error("no error for a state of other shapes")
	}
}
