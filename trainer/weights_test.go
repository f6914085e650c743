package trainer_test

import (
	"encoding/json"
	"math"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/topksweep/sweep/trainer"
	"github.com/topksweep/sweep/trainer/cpu"
)

// weights returns random weights whose rows of W_dec have norms of about norm.
func weights(d, f int, norm float64, seed uint64) trainer.Params {
	r := rand.New(rand.NewPCG(seed, 3))
	w := trainer.NewParams(d, f)
	for _, x := range [][]float32{w.WEnc, w.BEnc, w.WDec, w.BDec} {
		for i := range x {
			x[i] = float32(r.NormFloat64() / math.Sqrt(float64(d)))
		}
	}
	for i := range w.WDec {
		w.WDec[i] *= float32(norm * (1 + float64(i/d%5)))
	}
	return w
}

// A model whose rows of W_dec are not at unit norm, against the formulas in float64.
func TestEvaluateWeightsAsTheyAre(t *testing.T) {
	const d, f, k, n = 6, 40, 5, 1500
	w := weights(d, f, 2.5, 1)
	x := kinds(rand.New(rand.NewPCG(7, 2)), n, d)["normal"]
	got, err := trainer.EvaluateWeights(t.Context(), cpu.New(2), k, w, rows{d, x})
	if err != nil {
		t.Fatal(err)
	}
	mean := make([]float64, d)
	for i, v := range x {
		mean[i%d] += float64(v) / n
	}
	var e2, l0, l1, cos, ratio, y2, xy, variance float64
	kept := map[int]bool{}
	residual, rMean := make([]float64, n*d), make([]float64, d)
	for row := range n {
		x := x[row*d : (row+1)*d]
		acts, order := make([]float64, f), make([]int, f)
		for i := range f {
			order[i], acts[i] = i, float64(w.BEnc[i])
			for j := range d {
				acts[i] += float64(w.WEnc[i*d+j]) * (float64(x[j]) - float64(w.BDec[j]))
			}
			acts[i] = max(0, acts[i])
		}
		slices.SortStableFunc(order, func(a, b int) int {
			if acts[a] > acts[b] {
				return -1
			} else if acts[a] < acts[b] {
				return 1
			}
			return a - b
		})
		y := make([]float64, d)
		for j := range d {
			y[j] = float64(w.BDec[j])
		}
		for _, i := range order[:k] {
			if acts[i] > 0 {
				l0, l1, kept[i] = l0+1, l1+acts[i], true
			}
			for j := range d {
				y[j] += acts[i] * float64(w.WDec[i*d+j])
			}
		}
		var nx, ny, dot float64
		for j := range d {
			v := float64(x[j])
			residual[row*d+j] = v - y[j]
			rMean[j] += (v - y[j]) / n
			e2 += (v - y[j]) * (v - y[j])
			variance += (v - mean[j]) * (v - mean[j])
			nx, ny, dot = nx+v*v, ny+y[j]*y[j], dot+v*y[j]
		}
		cos, ratio, y2, xy = cos+dot/math.Sqrt(nx*ny), ratio+math.Sqrt(ny/nx), y2+ny, xy+dot
	}
	unexplained := 0.0
	for i, v := range residual {
		unexplained += (v - rMean[i%d]) * (v - rMean[i%d])
	}
	for _, m := range []struct {
		name      string
		got, want float64
	}{
		{"l2_loss", got.L2Loss, e2 / n}, {"nmse", *got.NMSE, e2 / variance}, {"fvu", *got.FVU, e2 / variance},
		{"explained_variance", *got.ExplainedVariance, 1 - e2/variance}, {"cosine", *got.Cosine, cos / n},
		{"l2_ratio", *got.L2Ratio, ratio / n}, {"bias", *got.ReconstructionBias, y2 / xy}, {"l0", got.L0, l0 / n},
		{"l1", *got.L1, l1 / n}, {"frac_variance_explained", *got.FracVarianceExplained, 1 - unexplained/variance},
		{"decoder_cosine", *got.DecoderCosine, *meanCosine(w.WDec, d)},
		{"silent_latents", float64(got.SilentLatents), float64(f - len(kept))},
		{"alive_fraction", got.AliveFraction, float64(len(kept)) / f}, {"eval_tokens", float64(got.EvalTokens), n},
	} {
		if !(math.Abs(m.got-m.want) <= 2e-6*max(1e-3, math.Abs(m.want))) {
			t.Errorf("%s: %v, want %v", m.name, m.got, m.want)
		}
	}
}

// With rows at unit norm the metrics are, bit for bit, those of Evaluate; whatever the number of threads.
func TestEvaluateWeightsEqualsEvaluate(t *testing.T) {
	c, s := numbersModel("corrected", 0, 4)
	w := s.W
	w.WDec, _ = trainer.UnitRows(s.W.WDec, c.ActivationDim)
	clear(s.SinceFired) // no latent is dead
	x := kinds(rand.New(rand.NewPCG(5, 2)), 3000, 6)["normal"]
	want, err := json.Marshal(evaluate(t, c, s, rows{6, x}, 1))
	if err != nil {
		t.Fatal(err)
	}
	for _, threads := range []int{1, 2, 7} {
		before := runtime.GOMAXPROCS(threads)
		m, err := trainer.EvaluateWeights(t.Context(), cpu.New(threads), c.K, w, rows{6, x})
		runtime.GOMAXPROCS(before)
		if err != nil {
			t.Fatal(err)
		}
		got, err := json.Marshal(m)
		if err != nil || string(got) != string(want) {
			t.Errorf("%d threads:\n%s\nwant\n%s, %v", threads, got, want, err)
		}
	}
}

func TestEvaluateWeightsErrors(t *testing.T) {
	w := weights(6, 8, 1, 1)
	x := kinds(rand.New(rand.NewPCG(5, 2)), 20, 6)["normal"]
	huge := weights(6, 8, 1, 1)
	for i := range huge.WEnc {
		huge.WEnc[i] = 3e38
	}
	torn := w
	torn.WDec = torn.WDec[1:]
	for name, test := range map[string]struct {
		k    int
		w    trainer.Params
		x    []float32
		want string
	}{
		"no rows":   {3, w, nil, "no rows are held out"},
		"k 0":       {0, w, x, "k is 0, and must be 1 to 8"},
		"k too big": {9, w, x, "k is 9, and must be 1 to 8"},
		"shapes":    {3, torn, x, "48 and 47 weights do not fit 8 latents of width 6"},
		"empty":     {1, trainer.Params{}, x, "do not fit 0 latents"},
		"overflow":  {3, huge, x, "evaluate: the activations of held-out row "},
	} {
		m, err := trainer.EvaluateWeights(t.Context(), cpu.New(1), test.k, test.w, rows{6, test.x})
		if err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: %+v, %v, want %q", name, m, err, test.want)
		}
	}
}

// The least and the largest k, and a model of one latent, are measured.
func TestEvaluateWeightsBounds(t *testing.T) {
	for _, c := range [][3]int{{6, 8, 1}, {6, 8, 8}, {6, 1, 1}} {
		d, f, k := c[0], c[1], c[2]
		x := kinds(rand.New(rand.NewPCG(5, 2)), 20, d)["normal"]
		m, err := trainer.EvaluateWeights(t.Context(), cpu.New(1), k, weights(d, f, 1, 1), rows{d, x})
		if err != nil || m.EvalTokens != 20 {
			t.Errorf("width %d, %d latents, k %d: %+v, %v", d, f, k, m, err)
		}
	}
	short := weights(6, 8, 1, 1)
	short.WEnc = short.WEnc[1:]
	x := kinds(rand.New(rand.NewPCG(5, 2)), 20, 6)["normal"]
	if _, err := trainer.EvaluateWeights(t.Context(), cpu.New(1), 3, short, rows{6, x}); err == nil {
		t.Error("weights of the encoder that are too few are measured")
	}
}

// The list names metrics, as they are named in JSON.
func TestCountedInTraining(t *testing.T) {
	b, err := json.Marshal(trainer.Metrics{})
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range trainer.CountedInTraining() {
		if !strings.Contains(string(b), `"`+name+`":`) {
			t.Errorf("%s is none of %s", name, b)
		}
	}
}
