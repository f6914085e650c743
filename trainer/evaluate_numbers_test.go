package trainer_test

import (
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"runtime"
	"slices"
	"testing"

	"github.com/topksweep/sweep/trainer"
	"github.com/topksweep/sweep/trainer/cpu"
)

// rows are held-out rows of width d.
type rows struct {
	d int
	x []float32
}

func (r rows) Eval(row int64, x []float32) error {
	if n := len(x) / r.d; n > 1024 {
		return fmt.Errorf("%d rows at once: memory must not grow with the held-out rows", n)
	}
	copy(x, r.x[int(row)*r.d:])
	return nil
}

func (r rows) EvalRows() int64 { return int64(len(r.x) / r.d) }

// numbersOf are metrics as JSON has them: by name, nil for null.
func numbersOf(t *testing.T, m trainer.Metrics) map[string]any {
	t.Helper()
	b, err := json.Marshal(m)
	if err != nil {
		t.Fatalf("the metrics are no JSON: %v", err)
	}
	out := map[string]any{}
	if err := json.Unmarshal(b, &out); err != nil {
		t.Fatal(err)
	}
	return out
}

// numbersModel is a model with some dead latents, for rows of about the size of scale.
func numbersModel(recipe string, scale float64, seed uint64) (trainer.Config, *trainer.State) {
	c := trainer.Config{
		Recipe: recipe, ActivationDim: 6, DictSize: 24, K: 3, KAux: 4, BatchSize: 16, Steps: 10, LR: 1e-3,
		DeadFeatureThreshold: 10, Precision: "f32",
	}
	s := trainer.Init(c)
	rng := rand.New(rand.NewPCG(seed, 1))
	for i := range s.W.WDec {
		s.W.WEnc[i], s.W.WDec[i] = float32(rng.NormFloat64()), float32(rng.NormFloat64())
	}
	for i := range s.W.BDec {
		s.W.BDec[i] = float32(scale * rng.NormFloat64())
	}
	for f := range 7 {
		s.SinceFired[3*f] = 11
	}
	return c, s
}

func evaluate(t *testing.T, c trainer.Config, s *trainer.State, data rows, threads int) trainer.Metrics {
	t.Helper()
	m, err := cpu.New(threads).New(c, s, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	got, err := trainer.Evaluate(t.Context(), m, c, s, data)
	if err != nil {
		t.Fatal(err)
	}
	return got
}

// kinds are data sets whose sums lose their digits where they are summed carelessly.
func kinds(rng *rand.Rand, n, d int) map[string][]float32 {
	normal := func(mean, spread float64) []float32 {
		x := make([]float32, n*d)
		for i := range x {
			x[i] = float32(mean + spread*rng.NormFloat64())
		}
		return x
	}
	equal := normal(3, 1)
	for r := range n {
		copy(equal[r*d:], equal[:d])
	}
	but := func(change func(x []float32)) []float32 {
		x := slices.Clone(equal)
		change(x)
		return x
	}
	return map[string][]float32{
		"normal":      normal(0, 1),
		"far off":     normal(1e6, 1),
		"farther off": normal(-3e4, 0.01),
		"tiny":        normal(0, 1e-20),
		"denormal":    normal(0, 1e-42),
		"large":       normal(0, 1e18),
		"largest":     normal(0, 5e36),
		"all equal":   equal,
		"one row":     equal[:d],
		"two equal":   equal[:2*d],
		"zeros":       make([]float32, n*d),
		"one dimension": but(func(x []float32) { // the others are constant
			for r := range n {
				x[r*d+1] += float32(rng.NormFloat64())
			}
		}),
		"one other": but(func(x []float32) { x[len(x)-1] = math.Nextafter32(x[len(x)-1], 9) }),
		"sink":      but(func(x []float32) { x[0] = 1e9 }),
		"late sink": but(func(x []float32) { x[len(x)-d] = -1e9 }),
	}
}

// What metrics say of any data is right to nine digits, or null.
func TestMetricsOfAwkwardRows(t *testing.T) {
	for _, n := range []int{2, 65, 1100} {
		for name, x := range kinds(rand.New(rand.NewPCG(uint64(n), 2)), n, 6) {
			for _, r := range trainer.Recipes() {
				t.Run(fmt.Sprintf("%d/%s/%s", n, name, r.Name), func(t *testing.T) {
					scale := 0.0
					for _, v := range x {
						scale = max(scale, math.Abs(float64(v)))
					}
					c, s := numbersModel(r.Name, scale/10, 3)
					got := numbersOf(t, evaluate(t, c, s, rows{6, x}, 2))
					want := exactly(t, c, s, x)
					for metric, w := range want {
						g, ok := got[metric].(float64)
						switch {
						case w == nil && got[metric] != nil:
							t.Errorf("%s is %v, want null", metric, got[metric])
						case w != nil && !ok:
							t.Errorf("%s is null, want %v", metric, *w)
						case w != nil && !(math.Abs(g-*w) <= 1e-9*max(math.Abs(*w), math.SmallestNonzeroFloat32)):
							t.Errorf("%s is %v, want %v", metric, g, *w)
						}
					}
				})
			}
		}
	}
}

// Metrics are the same to the last bit for every batch_size and number of threads.
func TestMetricsDependOnRowsAlone(t *testing.T) {
	for _, r := range trainer.Recipes() {
		for name, x := range kinds(rand.New(rand.NewPCG(9, 2)), 2100, 6) {
			var first string
			for _, threads := range []int{1, 2, 3} {
				for _, batch := range []int{1, 7, 64, 100, 1024, 1500, 5000} {
					c, s := numbersModel(r.Name, 1, 3)
					c.BatchSize = batch
					before := runtime.GOMAXPROCS(threads)
					b, err := json.Marshal(evaluate(t, c, s, rows{6, x}, threads))
					runtime.GOMAXPROCS(before)
					if err != nil {
						t.Fatal(err)
					}
					if first == "" {
						first = string(b)
					}
					if string(b) != first {
						t.Fatalf("%s, %s, batch_size %d, %d threads:\n%s\nwant\n%s", r.Name, name, batch, threads, b, first)
					}
				}
			}
		}
	}
}

// The norms of W_dec's rows do not show in the metrics, and a row of zeros decodes to
// zeros.
func TestMetricsAreThoseOfUnitRows(t *testing.T) {
	for _, r := range trainer.Recipes() {
		c, s := numbersModel(r.Name, 1, 3)
		clear(s.W.WDec[:c.ActivationDim])
		x := kinds(rand.New(rand.NewPCG(5, 2)), 200, 6)["normal"]
		want := evaluate(t, c, s, rows{6, x}, 1)
		for f := range c.DictSize {
			for j := range c.ActivationDim {
				s.W.WDec[f*c.ActivationDim+j] *= []float32{1, 0x1p-100, 0x1p100, 1.5}[f%4]
			}
		}
		got := evaluate(t, c, s, rows{6, x}, 1)
		for name, w := range numbersOf(t, want) {
			g := numbersOf(t, got)[name]
			wf, ok := w.(float64)
			if gf, ok2 := g.(float64); ok != ok2 || ok && !(math.Abs(gf-wf) <= 1e-6*math.Abs(wf)) {
				t.Errorf("%s: %s is %v, with other norms %v", r.Name, name, w, g)
			}
		}
	}
}

// Whatever the rows are: metrics are numbers that JSON can hold, or the model
// overflows and an error says so.
func FuzzMetrics(f *testing.F) {
	f.Add(uint64(1), uint16(3), 0.0, 1.0, 1.0)
	f.Add(uint64(2), uint16(1), 5.0, 0.0, 1e-45)
	f.Add(uint64(3), uint16(70), 3e38, 1e38, 1e30)
	f.Add(uint64(4), uint16(1030), 1e-44, 1e-45, 1e-30)
	f.Fuzz(func(t *testing.T, seed uint64, n uint16, mean, spread, weight float64) {
		const d = 6
		rng := rand.New(rand.NewPCG(seed, 7))
		narrow := func(v float64) float32 {
			if math.IsNaN(v) {
				return 0
			}
			return float32(max(-math.MaxFloat32, min(v, math.MaxFloat32)))
		}
		x := make([]float32, (int(n)%1100+1)*d)
		for i := range x {
			x[i] = narrow(mean + spread*float64(rng.IntN(3)-1))
		}
		recipe := trainer.Recipes()[seed%3].Name
		c, s := numbersModel(recipe, 0, seed)
		for i := range s.W.WDec {
			s.W.WDec[i] = narrow(weight * float64(s.W.WDec[i]))
		}
		m, err := cpu.New(2).New(c, s, nil)
		if err != nil {
			t.Fatal(err)
		}
		defer m.Close()
		got, err := trainer.Evaluate(t.Context(), m, c, s, rows{d, x})
		if err != nil {
			if !(math.Abs(mean)+math.Abs(spread) > 1e30) {
				t.Errorf("mean %g, spread %g, weights × %g: %v", mean, spread, weight, err)
			}
			return
		}
		numbersOf(t, got)
		if got.NMSE != nil && !(*got.NMSE >= 0 && *got.ExplainedVariance <= 1) {
			t.Errorf("nmse %v, explained_variance %v", *got.NMSE, *got.ExplainedVariance)
		}
		if got.FracVarianceExplained != nil && !(*got.FracVarianceExplained <= 1) || !(*got.L1 >= 0) {
			t.Errorf("frac_variance_explained %v, l1 %v", got.FracVarianceExplained, *got.L1)
		}
		if got.DecoderCosine != nil && !(*got.DecoderCosine >= 0 && *got.DecoderCosine <= 1) {
			t.Errorf("decoder_cosine %v", *got.DecoderCosine)
		}
		latents := int64(0)
		for _, n := range got.Density {
			latents += n
		}
		if latents != int64(c.DictSize) || got.Density[0] != int64(got.SilentLatents) {
			t.Errorf("density %v with %d silent latents", got.Density, got.SilentLatents)
		}
		if got.Cosine != nil && !(math.Abs(*got.Cosine) <= 1) {
			t.Errorf("cosine %v", *got.Cosine)
		}
	})
}
