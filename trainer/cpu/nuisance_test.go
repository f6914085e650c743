package cpu

import (
	"fmt"
	"math"
	"slices"
	"testing"

	"github.com/topksweep/sweep/trainer"
)

// A nuisance is data of which a few coordinates dominate, or a state of the weights in
// which they do.
type nuisance struct {
	name   string
	row    func(x []float32, u func(int) float64)
	weight func(w []float32, latent int) // nil: as initialised
}

// ignored sets the weights of the first n coordinates to 0, as training does with
// coordinates that are of no use.
func ignored(n int) func(w []float32, _ int) {
	return func(w []float32, _ int) { clear(w[:n]) }
}

// wide multiplies the weights of the first n coordinates.
func wide(by float32, n int) func(w []float32, _ int) {
	return func(w []float32, _ int) { scaleBy(by, w[:n]) }
}

// nuisances returns the cases. u returns numbers in [0, 1) of the row.
func nuisances() []nuisance {
	scaled := func(by float32) func([]float32, func(int) float64) {
		return func(x []float32, _ func(int) float64) { x[3] *= by }
	}
	several := func(n, magnitude int) func([]float32, func(int) float64) {
		return func(x []float32, u func(int) float64) {
			for j := range n {
				x[j] = float32(float64(magnitude) * (1 + u(j)) * math.Copysign(1, u(n+j)-0.5))
			}
		}
	}
	own := func(n int) func([]float32, func(int) float64) {
		return func(x []float32, u func(int) float64) {
			for j := range n {
				x[int(u(j)*float64(len(x)/4))] = 1000
			}
		}
	}
	return []nuisance{
		{"ordinary", func([]float32, func(int) float64) {}, nil},
		{"100 times", scaled(100), nil},
		{"1000 times", scaled(1000), nil},
		{"100 times, ignored", scaled(100), ignored(4)},
		{"1000 times, ignored", scaled(1000), ignored(4)},
		{"-1000 to 1000, ignored", several(1, 500), ignored(1)},
		{"4 coordinates, ignored", several(4, 500), ignored(4)},
		{"as many as can be split off, ignored", func(x []float32, u func(int) float64) {
			several(mostOutliers(len(x)), 100)(x, u)
		}, func(w []float32, _ int) { clear(w[:mostOutliers(len(w))]) }},
		{"another coordinate in each row, ignored", own(1), func(w []float32, _ int) { clear(w[:len(w)/4]) }},
		{"3 others in each row, ignored", own(3), func(w []float32, _ int) { clear(w[:len(w)/4]) }},
		{"weights alike", several(1, 500), func(w []float32, _ int) { w[0] = 0.1 }},
		{"mean of 100", func(x []float32, _ func(int) float64) {
			for j := range x {
				x[j] += 100
			}
		}, nil},
		{"weights of 100 times", func([]float32, func(int) float64) {}, wide(100, 1)},
		{"weights of 1000 times", func([]float32, func(int) float64) {}, wide(1000, 1)},
		{"4 weights of 1000 times, no use", func(x []float32, _ func(int) float64) { clear(x[:4]) }, wide(1000, 4)},
		{"weights of 1000 times and 100 times", scaled(100), func(w []float32, _ int) { w[3] *= 1000 }},
		{"scales of 1, 30, 100, 1000, ignored", func(x []float32, _ func(int) float64) {
			x[0], x[1], x[2] = 1e3*x[0], 100*x[1], 30*x[2]
		}, ignored(3)},
	}
}

// tooMany returns cases that have more outliers than can be split off cheaply. They cost
// more than an ordinary row, but not without limit.
func tooMany() []nuisance {
	fill := func(n, among int) func(x []float32, u func(int) float64) {
		return func(x []float32, u func(int) float64) {
			for j := range n {
				x[(j+int(u(n)*float64(among)))%among] = float32(2000 * (u(j) - 0.5))
			}
		}
	}
	return []nuisance{
		{"16 others in each row, ignored", fill(16, 256), ignored(256)},
		{"100 coordinates, ignored", fill(100, 100), ignored(100)},
	}
}

// nuisanceModel returns a model of a shape (D, F, K, B), and a batch of the nuisance.
// Of its latents the share dead is dead, unless they fire.
func nuisanceModel(
	tb testing.TB, kern *kernels, shape [4]int, n nuisance, threads int, dead float64,
) (*model, []float32) {
	tb.Helper()
	c := trainer.Config{
		Recipe: "corrected", ActivationDim: shape[0], DictSize: shape[1], K: shape[2], BatchSize: shape[3],
		Steps: 1 << 30, DecayStart: 1 << 29, AuxKAlpha: 1.0 / 32, DeadFeatureThreshold: 1 << 40, Precision: "f32",
		LR: 1e-12, // so low that the weights stay what they are
	}.Resolve()
	s := trainer.Init(c)
	s.Step = 1
	for f := range c.DictSize {
		if n.weight != nil {
			n.weight(s.W.WEnc[f*c.ActivationDim:(f+1)*c.ActivationDim], f)
		}
	}
	for f := range int(dead * float64(c.DictSize)) {
		s.SinceFired[f] = 1 << 41
	}
	recipe, err := trainer.RecipeByName(c.Recipe)
	if err != nil {
		tb.Fatal(err)
	}
	m, err := newModel(c, recipe, s, nil, kern, threads)
	if err != nil {
		tb.Fatal(err)
	}
	x := make([]float32, c.BatchSize*c.ActivationDim)
	gaussian(x, 0)
	for r := range c.BatchSize {
		n.row(x[r*c.ActivationDim:(r+1)*c.ActivationDim], func(i int) float64 {
			return trainer.Uniform(11, uint64(i), uint64(r))
		})
	}
	return m, x
}

// candidatesPerRow returns how many latents of a row are computed in float32.
func candidatesPerRow(tb testing.TB, m *model, x []float32) float64 {
	tb.Helper()
	m.centre(x)
	if err := m.encodeBatch(nil); err != nil {
		tb.Fatal(err)
	}
	n := 0
	for _, w := range m.enc.workers {
		n += w.evaluated
	}
	return float64(n) / float64(m.z.b)
}

// Rows with a nuisance have at most 1.3 times as many candidates as ordinary rows, for the
// step's own selection and, where a fifth of the latents may be dead, for AuxK's.
func TestNuisanceCandidates(t *testing.T) {
	for _, path := range Paths() {
		kern := kernelsOf(path)
		if kern == nil {
			continue
		}
		for _, of := range []struct {
			shape [4]int
			dead  float64
		}{
			{[4]int{512, 2048, 32, 24}, 0}, {[4]int{768, 2048, 64, 24}, 0}, {[4]int{64, 1024, 16, 48}, 0},
			{[4]int{384, 2048, 32, 24}, 0.2},
		} {
			shape := of.shape
			if path == "portable" && shape[0] > 64 {
				continue // it takes long
			}
			ordinary := 0.0
			for _, n := range nuisances() {
				m, x := nuisanceModel(t, kern, shape, n, 1, of.dead)
				got := candidatesPerRow(t, m, x)
				if ordinary == 0 {
					ordinary = got
				}
				t.Logf("%s, %v, %s: %.1f candidates, %.2f times", path, shape, n.name, got, got/ordinary)
				if !(got <= 1.3*ordinary) {
					t.Errorf("%s, D, F, K, B = %v, %s: %.1f candidates of a row, over 1.3 times the ordinary %.1f",
						path, shape, n.name, got, ordinary)
				}
			}
		}
	}
}

// BenchmarkNuisance times whole steps on rows with a nuisance, in turn with steps on
// ordinary rows, in processor time, which other programs disturb less than the clock.
// ratio is that of the fastest steps, median-ratio the median of the pairs of steps.
func BenchmarkNuisance(b *testing.B) {
	kern, err := kernelsFor("")
	if err != nil {
		b.Fatal(err)
	}
	for _, shape := range [][4]int{{384, 3072, 32, 512}, {512, 8192, 32, 1024}, {768, 16384, 64, 1024}} {
		for _, n := range append(nuisances(), tooMany()...) {
			name := fmt.Sprintf("D=%d/F=%d/K=%d/B=%d/%s", shape[0], shape[1], shape[2], shape[3], n.name)
			b.Run(name, func(b *testing.B) {
				threads := backend{}.threadCount()
				ordinary, plain := nuisanceModel(b, kern, shape, nuisances()[0], threads, 0)
				m, x := nuisanceModel(b, kern, shape, n, threads, 0)
				var ratios []float64
				step := func(m *model, x []float32) float64 {
					before := cpuSeconds()
					if _, err := m.train(x); err != nil {
						b.Fatal(err)
					}
					return cpuSeconds() - before
				}
				fastest := [2]float64{math.Inf(1), math.Inf(1)}
				step(ordinary, plain)
				step(m, x)
				for b.Loop() {
					one, other := step(ordinary, plain), step(m, x)
					fastest[0], fastest[1] = min(fastest[0], one), min(fastest[1], other)
					ratios = append(ratios, other/one)
				}
				slices.Sort(ratios)
				b.ReportMetric(fastest[1]/fastest[0], "ratio")
				b.ReportMetric(ratios[len(ratios)/2], "median-ratio")
				b.ReportMetric(1e3*fastest[0], "ordinary-ms")
				b.ReportMetric(candidatesPerRow(b, m, x)/candidatesPerRow(b, ordinary, plain), "candidates-ratio")
			})
		}
	}
}

// Where rows have more outliers than can be split off, or the latents have many, only the
// first batch is screened in integers. The next have few candidates.
func TestScreeningFallsBack(t *testing.T) {
	for _, path := range []string{"avx2", "avx512vnni"} {
		kern := kernelsOf(path)
		if kern == nil {
			continue
		}
		m, x := nuisanceModel(t, kern, [4]int{512, 2048, 32, judgedRows}, tooMany()[1], 1, 0)
		first := candidatesPerRow(t, m, x)
		if first < 300 {
			t.Errorf("%s: %.1f candidates of a row: the case is too easy", path, first)
		}
		for i := range switchAfter {
			if got := candidatesPerRow(t, m, x); !(got < first/5) {
				t.Fatalf("%s: %.1f candidates of a row in encoding %d", path, got, i+1)
			}
		}
		gaussian(x, 0) // now ordinary rows
		for range 2 {
			candidatesPerRow(t, m, x)
		}
		if m.screen.product.perWord != kern.screen.perWord {
			t.Errorf("%s: still screened in float32", path)
		}
	}
}
