// Package backendtest is the suite that every backend passes: recorded runs
// (goldens), steps and gradients against package plain, bit-exact restarts, shared
// prefixes, runs that begin from a model, Encode against a plain sort, Recovery against
// plain loops, held-out points against Evaluate, awkward shapes, data that cannot be read and numbers that are not
// finite. It is for tests only and uses nothing but trainer,
// trainer/plain, trainer/safetensors and the standard library; the goldens are
// embedded, so that a test binary carries them.
package backendtest

import (
	"math"
	"testing"

	"github.com/topksweep/sweep/trainer"
)

// Run runs the whole suite on a backend.
func Run(t *testing.T, b trainer.Backend) {
	t.Run("goldens", func(t *testing.T) { Goldens(t, b) })
	t.Run("plain", func(t *testing.T) { likePlain(t, b) })
	t.Run("gradients", func(t *testing.T) { gradients(t, b) })
	t.Run("shapes", func(t *testing.T) { shapes(t, b) })
	t.Run("median", func(t *testing.T) { median(t, b) })
	t.Run("init", func(t *testing.T) { begin(t, b) })
	t.Run("reading", func(t *testing.T) { reading(t, b) })
	t.Run("restart", func(t *testing.T) { restart(t, b) })
	t.Run("shared", func(t *testing.T) { shared(t, b) })
	t.Run("encode", func(t *testing.T) { Encode(t, b) })
	t.Run("recovery", func(t *testing.T) { recovery(t, b) })
	t.Run("decoder", func(t *testing.T) { DecoderRows(t, b) })
	t.Run("heldout", func(t *testing.T) { heldOut(t, b) })
	t.Run("state", func(t *testing.T) { stateRoundTrip(t, b) })
	t.Run("numbers", func(t *testing.T) { numbers(t, b) })
	t.Run("rows", func(t *testing.T) { nanRows(t, b) })
	t.Run("messages", func(t *testing.T) { Messages(t, b) })
	t.Run("class", func(t *testing.T) { classes(t, b) })
}

func recipes() []string {
	var names []string
	for _, r := range trainer.Recipes() {
		names = append(names, r.Name)
	}
	return names
}

// config is a small run in which latents die early.
func config(recipe string) trainer.Config {
	return trainer.Config{
		Recipe: recipe, ActivationDim: 20, DictSize: 150, K: 4, AuxKAlpha: 1.0 / 32, KAux: 10, DecayStart: 30,
		Steps: 60, BatchSize: 48, LR: 3e-3, ThresholdStartStep: 3, ThresholdBeta: 0.999, DeadFeatureThreshold: 300,
		Seed: 7, Precision: "f32",
	}
}

// model makes a model that trains on data and that the test closes.
func model(t *testing.T, b trainer.Backend, c trainer.Config, s *trainer.State, data trainer.Batches) trainer.Model {
	t.Helper()
	m, err := b.New(c, s, data)
	if err != nil {
		t.Fatalf("new: %v", err)
	}
	t.Cleanup(func() {
		if err := m.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	return m
}

// Train takes the steps up to step to and returns their stats.
func Train(t testing.TB, m trainer.Model, to int64) []trainer.Stats {
	t.Helper()
	var all []trainer.Stats
	for st, err := range m.Steps(t.Context(), to) {
		if err != nil {
			t.Fatalf("after %d steps: %v", len(all), err)
		}
		all = append(all, st)
	}
	return all
}

// step takes the step of that number, at which the model is.
func step(t *testing.T, m trainer.Model, number int64) (trainer.Stats, error) {
	t.Helper()
	for st, err := range m.Steps(t.Context(), number+1) {
		return st, err
	}
	t.Fatalf("the model takes no step %d", number)
	return trainer.Stats{}, nil
}

func save(t testing.TB, m trainer.Model, c trainer.Config) *trainer.State {
	t.Helper()
	s := trainer.NewState(c)
	if err := m.Save(s); err != nil {
		t.Fatalf("save: %v", err)
	}
	return s
}

// SameState reports each part of two states whose bits differ.
func SameState(t testing.TB, c trainer.Config, got, want *trainer.State) {
	t.Helper()
	if got.Step != want.Step || math.Float32bits(got.Threshold) != math.Float32bits(want.Threshold) {
		t.Errorf("step %d, threshold %v; want %d, %v", got.Step, got.Threshold, want.Step, want.Threshold)
	}
	for f, n := range want.SinceFired {
		if got.SinceFired[f] != n {
			t.Errorf("latent %d: %d tokens since fired, want %d", f, got.SinceFired[f], n)
			break
		}
	}
	for i, p := range []*trainer.Params{&got.W, &got.M, &got.V} {
		q := []*trainer.Params{&want.W, &want.M, &want.V}[i]
		tensors := map[string][]float32{}
		q.Each(c.ActivationDim, c.DictSize, func(name string, _ []int, v []float32) { tensors[name] = v })
		p.Each(c.ActivationDim, c.DictSize, func(name string, _ []int, v []float32) {
			for j, w := range tensors[name] {
				if math.Float32bits(v[j]) != math.Float32bits(w) {
					what := []string{"weights", "exp_avg", "exp_avg_sq"}[i]
					t.Errorf("%s of %s: element %d is %v, want the bits of %v", name, what, j, v[j], w)
					return
				}
			}
		})
	}
}

// near reports a number that differs from want by more than tol·|want|.
func near(t testing.TB, what string, got, want, tol float64) {
	t.Helper()
	if !(math.Abs(got-want) <= tol*math.Abs(want)) {
		t.Errorf("%s is %.9g, want %.9g within %.0e of it", what, got, want, tol)
	}
}

// nearAll reports the element that differs most from want, if by more than bound.
func nearAll[T float32 | float64](t testing.TB, what string, got []T, want []float64, bound float64) {
	t.Helper()
	if len(got) != len(want) {
		t.Errorf("%s has %d elements, want %d", what, len(got), len(want))
		return
	}
	worst, at := 0.0, 0
	for i, w := range want {
		if diff := math.Abs(float64(got[i]) - w); !(diff <= worst) {
			worst, at = diff, i
		}
	}
	if !(worst <= bound) {
		t.Errorf("%s: element %d is %v, want %v; off by %.1e, allowed %.1e", what, at, got[at], want[at], worst, bound)
	}
}

// largestOf returns the largest absolute value: the scale of a tensor.
func largestOf(v []float64) float64 {
	scale := 0.0
	for _, x := range v {
		scale = max(scale, math.Abs(x))
	}
	return scale
}
