package backendtest

import (
	"errors"
	"fmt"
	"math"
	"reflect"
	"strings"
	"testing"

	"github.com/topksweep/sweep/trainer"
)

// restart saves in mid-run and goes on from there: stats and final state have
// the bits of the undisturbed run.
func restart(t *testing.T, b trainer.Backend) {
	for _, recipe := range recipes() {
		t.Run(recipe, func(t *testing.T) {
			c := config(recipe)
			if recipe == "upstream" {
				c.WarmupSteps = 5
			}
			whole := model(t, b, c, trainer.Init(c), Data(c))
			stats := Train(t, whole, 40)
			want := save(t, whole, c)
			if stats[39].Dead == 0 {
				t.Error("no latent died: the case is too easy")
			}
			s, at := trainer.Init(c), int64(0)
			for _, stop := range []int64{1, 2, 17, 18, 40} {
				m := model(t, b, c, s, Data(c))
				if got := Train(t, m, stop); !reflect.DeepEqual(got, stats[at:stop]) {
					t.Fatalf("stats of steps %d to %d are %+v, want %+v", at, stop, got, stats[at:stop])
				}
				s, at = save(t, m, c), stop
			}
			SameState(t, c, s, want)
		})
	}
}

// stateRoundTrip checks that a model starts from exactly what it is given, and
// that it keeps no hold of it.
func stateRoundTrip(t *testing.T, b trainer.Backend) {
	c := config("corrected")
	c.ActivationDim, c.DictSize = 13, 45
	s := trainer.NewState(c)
	s.Step, s.Threshold = 9, 0.25
	i := 0
	for _, p := range []*trainer.Params{&s.W, &s.M, &s.V} {
		p.Each(c.ActivationDim, c.DictSize, func(_ string, _ []int, v []float32) {
			for j := range v {
				i++
				v[j] = float32(i) * 0x1p-10
			}
		})
	}
	for f := range s.SinceFired {
		s.SinceFired[f] = int64(f) << 33
	}
	m := model(t, b, c, s, nil)
	SameState(t, c, save(t, m, c), s)
	want := save(t, m, c)
	clear(s.W.WEnc)
	clear(s.SinceFired)
	SameState(t, c, save(t, m, c), want)
}

// numbers checks that what is not finite is a *trainer.NumericError.
func numbers(t *testing.T, b trainer.Backend) {
	for name, v := range map[string]float32{
		"nan": float32(math.NaN()), "inf": float32(math.Inf(1)), "-inf": float32(math.Inf(-1)), "huge": math.MaxFloat32,
	} {
		for _, first := range []int64{0, 3} {
			for _, recipe := range recipes() {
				c := config(recipe)
				m := model(t, b, c, trainer.Init(c), batches{c.ActivationDim, func(_, step int64, x []float32) error {
					Batch(c, step, x)
					if step == first {
						x[17*c.ActivationDim+3] = v
					}
					return nil
				}})
				Train(t, m, first)
				_, err := step(t, m, first)
				var numeric *trainer.NumericError
				switch {
				case name == "huge" && err == nil: // finite in some backend's arithmetic
				case !errors.As(err, &numeric):
					t.Errorf("%s, %s at step %d: error %v, want a NumericError", recipe, name, first, err)
				case numeric.Step != first || !strings.Contains(err.Error(), "step "):
					t.Errorf("%s, %s at step %d: error %q", recipe, name, first, err)
				}
			}
		}
	}
}

// nanRows checks that the model itself names the first row with a NaN, also where a batch
// has more rows than it encodes at a time.
func nanRows(t *testing.T, b trainer.Backend) {
	const rows, d = 8300, 4
	for _, row := range []int{17, 8191, 8192} {
		c := config("corrected")
		c.ActivationDim, c.DictSize, c.K, c.KAux, c.BatchSize, c.DeadFeatureThreshold = d, 24, 2, 2, rows, 1
		m := model(t, b, c, trainer.Init(c), batches{d, func(_, step int64, x []float32) error {
			Batch(c, step, x)
			if step == 1 {
				x[row*d+3], x[(rows-1)*d] = float32(math.NaN()), float32(math.NaN())
			}
			return nil
		}})
		Train(t, m, 1)
		_, err := step(t, m, 1)
		want := fmt.Sprintf("step 1: the pre-activations of row %d of the batch hold a NaN", row)
		if err == nil || err.Error() != want {
			t.Errorf("error %v\nwant  %s", err, want)
		}
	}
}
