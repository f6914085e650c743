package trainer

import (
	"context"
	"errors"
	"fmt"
)

// Recovery compares the true directions of synthetic data, [n,D] unit rows, with the decoder of a trained model. For
// each direction the row of W_dec whose cosine with it is largest is looked for in float32, and that cosine is computed
// in float64. mean is the mean of these over the directions, and share the share of them that is over 0.9. Both are nil
// without directions, and for a decoder with numbers that are not finite.
//
// b looks for the rows, with a model that takes no more memory than one of c that only encodes: the trained one may be
// closed before. c and s are the trained model's, and only W_dec of s is read. The error is that of the device, or the
// cause of ctx, which is looked at before each group of directions.
func Recovery(
	ctx context.Context, b Backend, c Config, s *State, directions []float32,
) (mean, share *float64, err error) {
	d := c.ActivationDim
	n := len(directions) / d
	if n == 0 {
		return nil, nil, nil
	}
	w, _ := UnitRows(s.W.WDec, d)
	for _, v := range w {
		if !isFinite(float64(v)) {
			return nil, nil, nil
		}
	}
	m, err := nearestEncoder(b, c, w)
	if err != nil {
		return nil, nil, fmt.Errorf("recovery: %w", err)
	}
	defer func() { err = errors.Join(err, m.Close()) }()
	acts, latents := make([]float32, min(groupRows, n)), make([]int32, min(groupRows, n))
	var sum, over float64
	for from := 0; from < n; from += groupRows {
		if ctx.Err() != nil {
			return nil, nil, context.Cause(ctx)
		}
		x := directions[from*d : min(n, from+groupRows)*d]
		rows := len(x) / d
		if err := m.Encode(x, 1, nil, acts[:rows], latents[:rows]); err != nil {
			return nil, nil, fmt.Errorf("recovery: %w", err)
		}
		for r, f := range latents[:rows] {
			cosine := dot(x[r*d:(r+1)*d], w[int(f)*d:][:d])
			sum += cosine
			if cosine > 0.9 {
				over++
			}
		}
	}
	return quotient(sum, float64(n)), quotient(over, float64(n)), nil
}

// nearestEncoder returns a model of which the largest activation of a unit row is that of the row of wDec_FD, of unit
// norm, with the largest cosine: W_enc is W_dec. An encoder cuts off at 0, and a cosine may be negative. So b_enc is 1.
func nearestEncoder(b Backend, c Config, wDec []float32) (Model, error) {
	c.K, c.AuxKAlpha, c.KAux, c.BatchSize, c.Precision, c.Init = 1, 0, 1, min(c.BatchSize, groupRows), "f32", ""
	s := &State{
		W:          Params{WEnc: wDec, BEnc: make([]float32, c.DictSize), WDec: wDec, BDec: make([]float32, c.ActivationDim)},
		SinceFired: make([]int64, c.DictSize), Threshold: -1, FirstDead: -1,
	}
	for f := range s.W.BEnc {
		s.W.BEnc[f] = 1
	}
	return b.New(c, s, nil)
}

// dot returns the product of two rows, in float64.
func dot(a, b []float32) float64 {
	sum := 0.0
	for i, v := range a {
		sum += float64(v) * float64(b[i])
	}
	return sum
}
