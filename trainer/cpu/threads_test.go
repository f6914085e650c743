package cpu_test

import (
	"reflect"
	"testing"

	"github.com/topksweep/sweep/trainer"
	"github.com/topksweep/sweep/trainer/backendtest"
	"github.com/topksweep/sweep/trainer/cpu"
)

// Neither the stats nor any bit of the state depend on the number of threads, over many
// steps in which latents die.
func TestThreads(t *testing.T) { eachPath(t, threads) }

func threads(t *testing.T) {
	for _, r := range trainer.Recipes() {
		t.Run(r.Name, func(t *testing.T) {
			c := trainer.Config{
				Recipe: r.Name, ActivationDim: 37, DictSize: 500, K: 6, BatchSize: 150, Seed: 5, Precision: "f32",
				Steps: 80, DecayStart: 60, LR: 3e-3, AuxKAlpha: 1.0 / 32, KAux: 18, DeadFeatureThreshold: 900,
				ThresholdStartStep: 3, ThresholdBeta: 0.999,
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

// Screening in integers does not change the results: with it and without it, AVX-512
// trains to the same bits, over many steps in which latents die, on ordinary rows and on
// rows with outliers.
func TestScreeningIsExact(t *testing.T) {
	t.Run("ordinary", func(t *testing.T) { screeningIsExact(t, backendtest.Data) })
	t.Run("outliers", func(t *testing.T) {
		screeningIsExact(t, func(c trainer.Config) trainer.Batches {
			x := make([]float32, c.BatchSize*c.ActivationDim)
			for i := range x {
				x[i] = float32(trainer.Uniform(7, 1, uint64(i)) - 0.5)
				switch at, row := i%c.ActivationDim, i/c.ActivationDim; at {
				case 3:
					x[i] *= 1000
				case 10 + row%40: // in each row at another coordinate
					x[i] = 300
				}
			}
			return backendtest.Repeat(c, x)
		})
	})
}

func screeningIsExact(t *testing.T, data func(trainer.Config) trainer.Batches) {
	var stats []trainer.Stats
	var state *trainer.State
	for _, path := range []string{"avx512", "avx512vnni"} {
		t.Setenv(cpu.PathVariable, path)
		c := trainer.Config{
			Recipe: "corrected", ActivationDim: 70, DictSize: 900, K: 9, BatchSize: 100, Seed: 6, Precision: "f32",
			Steps: 80, DecayStart: 60, LR: 3e-3, AuxKAlpha: 1.0 / 32, KAux: 35, DeadFeatureThreshold: 900,
		}
		m, err := cpu.New(2).New(c, trainer.Init(c), data(c))
		if err != nil {
			t.Skip(err) // TestPathsFound fails if the processor has the instructions
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
