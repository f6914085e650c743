package plain

import (
	"math"
	"slices"

	"github.com/topksweep/sweep/trainer"
)

// eps32 is what the reference adds to a norm before it divides by it.
const eps32 = trainer.Eps32

func zeros(c trainer.Config) Params {
	matrix := func() [][]float64 {
		rows := make([][]float64, c.DictSize)
		for f := range rows {
			rows[f] = make([]float64, c.ActivationDim)
		}
		return rows
	}
	return Params{matrix(), make([]float64, c.DictSize), matrix(), make([]float64, c.ActivationDim)}
}

func clone(p Params) Params {
	rows := func(w_FD [][]float64) (out_FD [][]float64) {
		for _, row_D := range w_FD {
			out_FD = append(out_FD, slices.Clone(row_D))
		}
		return out_FD
	}
	return Params{rows(p.Enc_FD), slices.Clone(p.EncBias_F), rows(p.Dec_FD), slices.Clone(p.DecBias_D)}
}

// rows returns all numbers, in an order that is the same for all Params.
func (p Params) rows() [][]float64 {
	return slices.Concat(p.Enc_FD, [][]float64{p.EncBias_F}, p.Dec_FD, [][]float64{p.DecBias_D})
}

// widen returns the parameters of a state.
func widen(c trainer.Config, from trainer.Params) Params {
	p := zeros(c)
	copyNumbers(from, p, func(narrow *float32, wide *float64) { *wide = float64(*narrow) })
	return p
}

// narrow copies parameters to a state, rounded.
func narrow(p Params, to trainer.Params) {
	copyNumbers(to, p, func(narrow *float32, wide *float64) { *narrow = float32(*wide) })
}

func copyNumbers(narrow trainer.Params, wide Params, assign func(*float32, *float64)) {
	for i, flat := range [][]float32{narrow.WEnc, narrow.BEnc, narrow.WDec, narrow.BDec} {
		rows := [][][]float64{wide.Enc_FD, {wide.EncBias_F}, wide.Dec_FD, {wide.DecBias_D}}[i]
		for _, row := range rows {
			for j := range row {
				assign(&flat[j], &row[j])
			}
			flat = flat[len(row):]
		}
	}
}

func dot(a, b []float64) float64 {
	sum := 0.0
	for i, v := range a {
		sum += v * b[i]
	}
	return sum
}

func norm(a []float64) float64 { return math.Sqrt(dot(a, a)) }

func minus(a, b []float64) []float64 {
	out := slices.Clone(a)
	addScaled(out, -1, b)
	return out
}

func scaled(s float64, a []float64) []float64 {
	out := make([]float64, len(a))
	addScaled(out, s, a)
	return out
}

// addScaled adds s·a to sum.
func addScaled(sum []float64, s float64, a []float64) {
	for i, v := range a {
		sum[i] += s * v
	}
}
