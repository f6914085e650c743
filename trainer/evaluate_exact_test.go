package trainer_test

import (
	"math"
	"math/big"
	"testing"

	"github.com/topksweep/sweep/trainer"
	"github.com/topksweep/sweep/trainer/cpu"
)

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
