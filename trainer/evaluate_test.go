package trainer_test

import (
	"bytes"
	"math"
	"slices"
	"testing"

	"github.com/topksweep/sweep/trainer"
	"github.com/topksweep/sweep/trainer/cpu"
)

// evaluated trains a little and measures the result.
func evaluated(t *testing.T, c trainer.Config, data *noise, threads int) (trainer.Metrics, *trainer.State) {
	t.Helper()
	s := decode(t, c, train(t, c, trainer.Init(c), 25))
	m, err := cpu.New(threads).New(c, s, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	before := trainer.NewState(c)
	if err := m.Save(before); err != nil {
		t.Fatal(err)
	}
	out, err := trainer.Evaluate(t.Context(), m, c, s, data)
	if err != nil {
		t.Fatal(err)
	}
	after := trainer.NewState(c)
	if err := m.Save(after); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(encode(t, c, before), encode(t, c, after)) {
		t.Error("evaluating changed the training state")
	}
	return out, s
}

// Evaluate against the formulas of the metrics' documentation, written out
// plainly and dense.
func TestEvaluateAgainstFormulas(t *testing.T) {
	for _, r := range trainer.Recipes() {
		t.Run(r.Name, func(t *testing.T) {
			c := config(t, func(c *trainer.Config) { c.Recipe, c.DictSize, c.DeadFeatureThreshold = r.Name, 120, 32 })
			data := &noise{d: c.ActivationDim, rows: 3 * c.BatchSize}
			got, s := evaluated(t, c, data, 1)
			want := dense(c, r, s, data)
			if want.DeadLatents == 0 || got.DeadLatents != want.DeadLatents || got.SilentLatents != want.SilentLatents ||
				got.EvalTokens != int64(data.rows) {
				t.Errorf("dead %d, silent %d of %d tokens, want %d, %d",
					got.DeadLatents, got.SilentLatents, got.EvalTokens, want.DeadLatents, want.SilentLatents)
			}
			if !slices.Equal(got.Density, want.Density) {
				t.Errorf("density %v, want %v", got.Density, want.Density)
			}
			for _, x := range []struct {
				name      string
				got, want float64
			}{
				{"l2_loss", got.L2Loss, want.L2Loss}, {"nmse", *got.NMSE, *want.NMSE}, {"fvu", *got.FVU, *want.NMSE},
				{"explained_variance", *got.ExplainedVariance, 1 - *want.NMSE}, {"cosine", *got.Cosine, *want.Cosine},
				{"l2_ratio", *got.L2Ratio, *want.L2Ratio},
				{"relative_reconstruction_bias", *got.ReconstructionBias, *want.ReconstructionBias},
				{"l0", got.L0, want.L0}, {"auxk_loss", *got.AuxKLoss, *want.AuxKLoss}, {"l1", *got.L1, *want.L1},
				{"frac_variance_explained", *got.FracVarianceExplained, *want.FracVarianceExplained},
				{"decoder_cosine", *got.DecoderCosine, *meanCosine(s.W.WDec, c.ActivationDim)},
			} {
				if !(math.Abs(x.got-x.want) <= 1e-5*math.Abs(x.want)) {
					t.Errorf("%s: got %v, want %v", x.name, x.got, x.want)
				}
			}
		})
	}
}

func dense(c trainer.Config, r trainer.Recipe, s *trainer.State, data *noise) trainer.Metrics {
	d, n := c.ActivationDim, data.rows
	x := make([]float32, n*d)
	data.Eval(0, x)
	dead, decoder := make([]bool, c.DictSize), unitDecoder(s.W.WDec, d)
	var out trainer.Metrics
	nDead := 0
	for f, since := range s.SinceFired {
		if dead[f] = r.Dead(since, c.DeadFeatureThreshold); dead[f] {
			nDead++
		}
	}
	out.DeadLatents = nDead
	kept := make([]int, c.DictSize) // rows
	y, aux := make([]float64, n*d), make([]float64, n*d)
	var e2, cos, ratio, y2, xy, l0, l1 float64
	mean := make([]float64, d)
	for row := range n {
		pre := make([]float64, c.DictSize)
		for f := range pre {
			pre[f] = float64(s.W.BEnc[f])
			for j := range d {
				pre[f] += float64(s.W.WEnc[f*d+j]) * (float64(x[row*d+j]) - float64(s.W.BDec[j]))
			}
			pre[f] = max(0, pre[f])
		}
		sum := func(k int, among func(int) bool, out []float64, hit func(f int)) {
			var order []int
			for f := range pre {
				if among(f) {
					order = append(order, f)
				}
			}
			slices.SortStableFunc(order, func(a, b int) int {
				if pre[a] > pre[b] {
					return -1
				} else if pre[a] < pre[b] {
					return 1
				}
				return a - b
			})
			for _, f := range order[:k] {
				if pre[f] > 0 {
					hit(f)
				}
				for j := range d {
					out[j] += pre[f] * float64(decoder[f*d+j])
				}
			}
		}
		yr := y[row*d : (row+1)*d]
		sum(c.K, func(int) bool { return true }, yr, func(f int) { kept[f]++; l0, l1 = l0+1, l1+pre[f] })
		sum(min(c.KAux, nDead), func(f int) bool { return dead[f] }, aux[row*d:(row+1)*d], func(int) {})
		var nx, ny, dot float64
		for j := range d {
			yr[j] += float64(s.W.BDec[j])
			xv := float64(x[row*d+j])
			mean[j] += xv / float64(n)
			e2 += (yr[j] - xv) * (yr[j] - xv)
			nx += xv * xv
			ny += yr[j] * yr[j]
			dot += xv * yr[j]
		}
		cos += dot / math.Sqrt(nx*ny)
		ratio += math.Sqrt(ny / nx)
		y2 += ny
		xy += dot
	}
	variance := 0.0
	for i, v := range x {
		variance += (float64(v) - mean[i%d]) * (float64(v) - mean[i%d])
	}
	rows := float64(n)
	out.Density = make([]int64, trainer.DensityBins)
	for _, k := range kept {
		if k == 0 {
			out.SilentLatents++
			out.Density[0]++
			continue
		}
		// Quarters of a decade, from 10^-5 on; what is below is in bin 1. No share is near an edge but 0.1 and 1.
		bin := 2 + int(math.Floor(4*(math.Log10(float64(k)/rows)+5)+1e-9))
		out.Density[max(1, min(bin, trainer.DensityBins-1))]++
	}
	unexplained := 0.0
	for j := range d {
		sum, squares := 0.0, 0.0
		for i := range n {
			sum += (float64(x[i*d+j]) - y[i*d+j]) / rows
		}
		for i := range n {
			squares += math.Pow(float64(x[i*d+j])-y[i*d+j]-sum, 2)
		}
		unexplained += squares
	}
	p := func(v float64) *float64 { return &v }
	out.L2Loss, out.L0 = e2/rows, l0/rows
	out.NMSE, out.Cosine, out.L2Ratio, out.ReconstructionBias = p(e2/variance), p(cos/rows), p(ratio/rows), p(y2/xy)
	out.FracVarianceExplained, out.L1 = p(1-unexplained/variance), p(l1/rows)
	out.AuxKLoss = p(auxK(c, r, s, nDead, x, y, aux))
	return out
}

func auxK(c trainer.Config, r trainer.Recipe, s *trainer.State, nDead int, x []float32, y, aux []float64) float64 {
	d := c.ActivationDim
	b := len(x) / d
	column := func(get func(i int) float64, j int) (mean, variance float64) {
		for i := range b {
			mean += get(i*d+j) / float64(b)
		}
		for i := range b {
			variance += (get(i*d+j) - mean) * (get(i*d+j) - mean)
		}
		return mean, variance
	}
	total, err, variance := 0.0, 0.0, 0.0
	for j := range d {
		_, vx := column(func(i int) float64 { return float64(x[i]) }, j)
		_, vr := column(func(i int) float64 { return float64(x[i]) - y[i] }, j)
		variance += vr
		for i := range b {
			at := i*d + j
			inert := float64(s.W.BDec[j]) - (y[at] - float64(x[at]))
			total += inert * inert / vx
			err += math.Pow(float64(x[at])-y[at]-aux[at], 2)
		}
	}
	if r.InertAuxK {
		return min(float64(nDead)/float64(c.KAux), 1) * total / float64(b*d)
	}
	return err / variance
}

func TestEvaluateWithoutVariance(t *testing.T) {
	c := config(t, nil)
	s := trainer.Init(c)
	m, err := cpu.New(1).New(c, s, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	got, err := trainer.Evaluate(t.Context(), m, c, s, &noise{d: c.ActivationDim, rows: 1})
	if err != nil || got.NMSE != nil || got.ExplainedVariance != nil || got.EvalTokens != 1 {
		t.Errorf("1 row: %+v, %v", got, err)
	}
	// Zeros would be the best run of the table.
	if got, err := trainer.Evaluate(t.Context(), m, c, s, &noise{d: c.ActivationDim}); err == nil {
		t.Errorf("no rows: %+v", got)
	}
}
