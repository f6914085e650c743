package trainer_test

import (
	"encoding/json"
	"fmt"
	"math"
	"math/big"
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
	got, err := trainer.Evaluate(t.Context(), m, c, s, data, nil)
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

// exactly computes metrics from their formulas with 400 bits. nil is null.
func exactly(t *testing.T, c trainer.Config, s *trainer.State, x []float32) map[string]*float64 {
	t.Helper()
	d := c.ActivationDim
	n := len(x) / d
	recipe, err := trainer.RecipeByName(c.Recipe)
	if err != nil {
		t.Fatal(err)
	}
	dead, nDead := make([]bool, c.DictSize), 0
	for f, since := range s.SinceFired {
		if dead[f] = recipe.Dead(since, c.DeadFeatureThreshold); dead[f] {
			nDead++
		}
	}
	m, err := cpu.New(1).New(c, s, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	decoder := unitDecoder(s.W.WDec, d)
	num := func(v float64) *big.Float { return new(big.Float).SetPrec(400).SetFloat64(v) }
	add := func(a, b *big.Float) *big.Float { return num(0).Add(a, b) }
	sub := func(a, b *big.Float) *big.Float { return num(0).Sub(a, b) }
	mul := func(a, b *big.Float) *big.Float { return num(0).Mul(a, b) }
	div := func(a, b *big.Float) *float64 {
		if a == nil || b.Sign() == 0 {
			return nil
		}
		q, _ := num(0).Quo(a, b).Float64()
		return &q
	}
	decode := func(row []float32, k int, among []bool) (out []*big.Float, kept float64) {
		acts, latents := make([]float32, k), make([]int32, k)
		if err := m.Encode(row, k, among, acts, latents); err != nil {
			t.Fatal(err)
		}
		out = make([]*big.Float, d)
		for j := range out {
			out[j] = num(0)
			for i, a := range acts {
				out[j] = add(out[j], mul(num(float64(a)), num(float64(decoder[int(latents[i])*d+j]))))
			}
		}
		for _, a := range acts {
			kept += float64(a)
		}
		return out, kept
	}
	// variance of each dimension, summed over the rows
	variance := func(v []*big.Float) (total *big.Float, each []*big.Float) {
		total = num(0)
		for j := range d {
			mean, sum := num(0), num(0)
			for r := range n {
				mean = add(mean, v[r*d+j])
			}
			mean.Quo(mean, num(float64(n)))
			for r := range n {
				dv := sub(v[r*d+j], mean)
				sum = add(sum, mul(dv, dv))
			}
			// 400 bits round too: what is left of the mean of equal numbers counts as nothing.
			if sum.Sign() != 0 && sum.MantExp(nil) < mul(mean, mean).MantExp(nil)-700 {
				sum = num(0)
			}
			each, total = append(each, sum), add(total, sum)
		}
		return total, each
	}
	var xs, rs []*big.Float
	e2, auxErr, y2, xy, l1 := num(0), num(0), num(0), num(0), num(0)
	inert := make([]*big.Float, d)
	for j := range inert {
		inert[j] = num(0)
	}
	for r := range n {
		row := x[r*d : (r+1)*d]
		y, kept := decode(row, c.K, nil)
		aux, _ := decode(row, min(c.KAux, nDead), dead)
		l1 = add(l1, num(kept))
		for j, v := range row {
			xj, yj := num(float64(v)), add(y[j], num(float64(s.W.BDec[j])))
			rj := sub(xj, yj)
			xs, rs = append(xs, xj), append(rs, rj)
			e2, y2, xy = add(e2, mul(rj, rj)), add(y2, mul(yj, yj)), add(xy, mul(xj, yj))
			da := sub(aux[j], rj)
			auxErr = add(auxErr, mul(da, da))
			u := add(num(float64(s.W.BDec[j])), rj)
			inert[j] = add(inert[j], mul(u, u))
		}
	}
	varX, eachX := variance(xs)
	varR, _ := variance(rs)
	out := map[string]*float64{
		"l2_loss": div(e2, num(float64(n))), "nmse": div(e2, varX), "fvu": div(e2, varX),
		"explained_variance": div(sub(varX, e2), varX), "relative_reconstruction_bias": div(y2, xy),
		"auxk_loss": div(auxErr, varR), "frac_variance_explained": div(sub(varX, varR), varX),
		"l1": div(l1, num(float64(n))), "decoder_cosine": meanCosine(decoder, d),
	}
	if recipe.InertAuxK {
		sum := num(0)
		for j := range d {
			if eachX[j].Sign() == 0 {
				sum = nil
				break
			}
			sum.Add(sum, num(0).Quo(inert[j], eachX[j]))
		}
		out["auxk_loss"] = nil
		if sum != nil {
			sum.Mul(sum, num(min(float64(nDead)/float64(c.KAux), 1)))
			out["auxk_loss"] = div(sum, num(float64(n*d)))
		}
	}
	return out
}

// meanCosine is the mean |cosine| of the pairs of rows of w, rows of zeros left out; nil without a pair.
func meanCosine(w []float32, d int) *float64 {
	var rows [][]float64
	for at := 0; at < len(w); at += d {
		var row []float64
		norm := 0.0
		for _, v := range w[at : at+d] {
			row = append(row, float64(v))
			norm += float64(v) * float64(v)
		}
		if norm > 0 {
			rows = append(rows, row)
		}
	}
	if len(rows) < 2 {
		return nil
	}
	sum, n := 0.0, 0.0
	for i, a := range rows {
		for _, b := range rows[:i] {
			var ab, aa, bb float64
			for j := range a {
				ab, aa, bb = ab+a[j]*b[j], aa+a[j]*a[j], bb+b[j]*b[j]
			}
			sum, n = sum+math.Abs(ab)/math.Sqrt(aa*bb), n+1
		}
	}
	mean := sum / n
	return &mean
}

// unitDecoder is w with its rows at unit norm, in float32.
func unitDecoder(w []float32, d int) []float32 {
	out := make([]float32, len(w))
	for at := 0; at < len(w); at += d {
		sum := 0.0
		for _, v := range w[at : at+d] {
			sum += float64(v) * float64(v)
		}
		for i, v := range w[at : at+d] {
			out[at+i] = float32(float64(v) / math.Sqrt(sum))
		}
	}
	return out
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
		got, err := trainer.Evaluate(t.Context(), m, c, s, rows{d, x}, nil)
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
