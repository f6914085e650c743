package cpu_test

import (
	"reflect"
	"testing"

	"github.com/topksweep/sweep/trainer"
	"github.com/topksweep/sweep/trainer/backendtest"
	"github.com/topksweep/sweep/trainer/cpu"
)

// The bits do not depend on the number of threads: neither stats nor any part of
// the state, over many steps in which latents die.
func TestThreads(t *testing.T) { eachPath(t, threads) }

func threads(t *testing.T) {
	for _, r := range trainer.Recipes() {
		t.Run(r.Name, func(t *testing.T) {
			c := trainer.Config{
				Recipe: r.Name, ActivationDim: 37, DictSize: 500, K: 6, AuxKAlpha: 1.0 / 32, KAux: 18, DecayStart: 60, Steps: 80,
				BatchSize: 150, LR: 3e-3, ThresholdStartStep: 3, ThresholdBeta: 0.999, DeadFeatureThreshold: 900, Seed: 5, Precision: "f32",
			}
			var stats []trainer.Stats
			var state *trainer.State
			for _, threads := range []int{1, 2, 3, 7} {
				m, err := cpu.New(threads).New(c, trainer.Init(c), backendtest.Data(c))
				if err != nil {
					t.Fatal(err)
				}
				got, s := backendtest.Train(t, m, int64(c.Steps)), trainer.NewState(c)
				if err := m.Save(s); err != nil {
					t.Fatal(err)
				}
				if state == nil {
					stats, state = got, s
					if got[len(got)-1].Dead < 10 {
						t.Errorf("only %d latents died: the case is too easy", got[len(got)-1].Dead)
					}
					continue
				}
				if !reflect.DeepEqual(got, stats) {
					t.Errorf("%d threads: other stats than 1 thread", threads)
				}
				backendtest.SameState(t, c, s, state)
			}
		})
	}
}

// Screening in integers decides nothing: with it and without it, AVX-512 trains to
// the same bits, over many steps in which latents die.
func TestScreeningDecidesNothing(t *testing.T) {
	var stats []trainer.Stats
	var state *trainer.State
	for _, path := range []string{"avx512", "avx512vnni"} {
		t.Setenv(cpu.PathVariable, path)
		c := trainer.Config{
			Recipe: "corrected", ActivationDim: 70, DictSize: 900, K: 9, AuxKAlpha: 1.0 / 32, KAux: 35, DecayStart: 60, Steps: 80,
			BatchSize: 100, LR: 3e-3, DeadFeatureThreshold: 900, Seed: 6, Precision: "f32",
		}
		m, err := cpu.New(2).New(c, trainer.Init(c), backendtest.Data(c))
		if err != nil {
			t.Skip(err) // TestPathsFound fails where it should be there
		}
		got, s := backendtest.Train(t, m, int64(c.Steps)), trainer.NewState(c)
		if err := m.Save(s); err != nil {
			t.Fatal(err)
		}
		if state == nil {
			stats, state = got, s
			if got[len(got)-1].Dead < 10 {
				t.Errorf("only %d latents died: the case is too easy", got[len(got)-1].Dead)
			}
			continue
		}
		if !reflect.DeepEqual(got, stats) {
			t.Error("other stats with screening in integers")
		}
		backendtest.SameState(t, c, s, state)
	}
}
