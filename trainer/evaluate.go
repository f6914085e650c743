package trainer

import (
	"context"
	"errors"
	"fmt"
	"math"
	"runtime"
	"slices"
	"sync"
)

// groupRows is the number of held-out rows that are encoded at a time, and blockRows
// the number that one goroutine sums. The groups and blocks of a row follow from its
// number alone, and their sums are added in order. So the metrics depend neither on
// batch_size nor on the number of goroutines.
const (
	groupRows = 1024
	blockRows = 64
)

// EvaluateBytes returns the host's memory in bytes that Evaluate takes at most beside the model and its state: three
// groups of rows in float32, which are read, encoded and summed at the same time, what is kept of two of them and of
// AuxK, the residuals of one in float64, W_dec at unit norm, and the sums of blocks.
func EvaluateBytes(c Config) int64 {
	rows, d, f, k := int64(groupRows), int64(c.ActivationDim), int64(c.DictSize), int64(c.K)
	if c.AuxKAlpha > 0 {
		k += min(int64(c.KAux), f)
	}
	return rows*(3*4*d+8*d+2*8*k) + 4*f*d + 9*f + rows/blockRows*8*4*d
}

// Evaluate measures a trained model on the held-out rows, of which there must be one
// at least. It reads the model and s, the model's saved state, and changes neither.
// What it measures is the model as it is exported: W_dec is that of s with its rows at
// unit norm (UnitRows). Metrics of synthetic data alone are left nil (Recovery). The
// error is a *NumericError where a reconstruction is not finite.
func Evaluate(ctx context.Context, m Encoder, c Config, s *State, data HeldOut) (Metrics, error) {
	wDec, _ := UnitRows(s.W.WDec, c.ActivationDim)
	e, err := newEvaluation(m, c, s, wDec)
	if err != nil {
		return Metrics{}, err
	}
	return e.evaluate(ctx, data)
}

// evaluate measures all that the rows alone tell, once.
func (e *evaluation) evaluate(ctx context.Context, data HeldOut) (Metrics, error) {
	if data.EvalRows() < 1 {
		return Metrics{}, errors.New("evaluate: no rows are held out")
	}
	if err := e.groups(ctx, data); err != nil {
		return Metrics{}, err
	}
	out := e.metrics()
	if !isFinite(out.L2Loss) {
		return Metrics{}, fmt.Errorf("evaluate: %w", &NumericError{
			Step: e.s.Step, What: fmt.Sprintf("the loss on the held-out rows is %v", out.L2Loss),
		})
	}
	var err error
	out.DecoderCosine, err = decoderCosine(ctx, e.wDec, e.c.ActivationDim)
	return out, err
}

// evaluation gathers sums over groups of rows. Group i is summed by add while group i+1 is encoded and group i+2 is
// read (evaluate_groups.go).
type evaluation struct {
	m      Encoder
	c      Config
	recipe Recipe
	s      *State
	wDec   []float32 // [F,D] as it is measured
	dead   []bool    // [F]
	nDead  int
	kept   []int64   // [F] rows in which the latent has a kept activation > 0
	shift  []float64 // [D] the first row
	sums   sums
	x      moments // its shift is the first row
	r      moments // of the residual x − x̂; its shift is the first one
	rShift []float64
	auxk   auxSums

	residual []float64 // of the group that is summed
}

// newEvaluation returns an evaluation of a model whose decoder is wDec in place of that of s.
func newEvaluation(m Encoder, c Config, s *State, wDec []float32) (*evaluation, error) {
	recipe, err := RecipeByName(c.Recipe)
	if err != nil {
		return nil, fmt.Errorf("evaluate: %w", err)
	}
	e := &evaluation{
		m: m, c: c, recipe: recipe, s: s, wDec: wDec, dead: make([]bool, c.DictSize), kept: make([]int64, c.DictSize),
	}
	for f, since := range s.SinceFired {
		if recipe.Dead(since, c.DeadFeatureThreshold) {
			e.dead[f] = true
			e.nDead++
		}
	}
	return e, nil
}

// add adds a group of rows to the sums.
func (e *evaluation) add(g *heldGroup) {
	d, x, acts, latents := e.c.ActivationDim, g.x, g.acts, g.latents
	n := len(x) / d
	for i, f := range latents {
		if acts[i] > 0 {
			e.kept[f]++
		}
	}
	if e.shift == nil {
		e.shift = widened(x[:d])
	}
	e.residual = slices.Grow(e.residual[:0], n*d)[:n*d] // x − x̂
	residual := e.residual
	type part struct {
		sums sums
		x    moments
	}
	for _, p := range eachBlock(n, func(from, to int, p *part) {
		y := make([]float64, d)
		for r := from; r < to; r++ {
			acts := acts[r*e.c.K : (r+1)*e.c.K]
			reconstruct(e.wDec, e.s.W.BDec, acts, latents[r*e.c.K:(r+1)*e.c.K], y)
			p.sums.row(x[r*d:(r+1)*d], y, acts)
			for i, v := range x[r*d : (r+1)*d] {
				residual[r*d+i] = float64(v) - y[i]
			}
		}
		p.x = momentsOf(x[from*d:to*d], e.shift)
	}) {
		e.sums.add(p.sums)
		e.x.add(p.x)
	}
	if e.rShift == nil {
		e.rShift = slices.Clone(residual[:d])
	}
	for _, p := range eachBlock(n, func(from, to int, p *moments) {
		*p = momentsOf(residual[from*d:to*d], e.rShift)
	}) {
		e.r.add(p)
	}
	e.addAuxK(g)
}

// encode returns the k largest activations of each row, and their latents. The error
// is a *NumericError where an activation is not finite.
func (e *evaluation) encode(x []float32, k int, among []bool) (acts []float32, latents []int32, err error) {
	n := len(x) / e.c.ActivationDim * k
	acts, latents = make([]float32, n), make([]int32, n)
	if err := e.m.Encode(x, k, among, acts, latents); err != nil {
		return nil, nil, err
	}
	for _, a := range acts {
		if !(a <= math.MaxFloat32) {
			return nil, nil, &NumericError{Step: e.s.Step, What: fmt.Sprintf("an activation is %v", a)}
		}
	}
	return acts, latents, nil
}

func (e *evaluation) metrics() Metrics {
	s, f := &e.sums, float64(e.c.DictSize)
	out := Metrics{EvalTokens: int64(s.n), DeadLatents: e.nDead, DeadFraction: float64(e.nDead) / f}
	if first := e.s.FirstDead; first >= 0 {
		out.FirstDeadStep = &first
	}
	for _, rows := range e.kept {
		if rows == 0 {
			out.SilentLatents++
		}
	}
	out.AliveFraction = 1 - float64(out.SilentLatents)/f
	out.L2Loss, out.L0, out.AuxKLoss = s.e2/s.n, s.l0/s.n, e.auxKLoss()
	out.NMSE = quotient(s.e2, e.x.variance())
	out.FVU = out.NMSE
	if out.FVU != nil {
		ev := 1 - *out.FVU
		out.ExplainedVariance = &ev
	}
	out.FracVarianceExplained = quotient(e.r.variance(), e.x.variance())
	if v := out.FracVarianceExplained; v != nil {
		*v = 1 - *v
	}
	l1 := s.l1 / s.n
	out.L1 = &l1
	out.Density = density(e.kept, int64(s.n))
	out.Cosine = quotient(s.cos, s.cosRows)
	out.L2Ratio = quotient(s.ratio, s.ratioRows)
	out.ReconstructionBias = quotient(s.y2, s.xy)
	return out
}

// quotient is a/b, or nil where that is not a finite number.
func quotient(a, b float64) *float64 {
	q := a / b
	if b == 0 || !isFinite(q) {
		return nil
	}
	return &q
}

// eachBlock cuts n rows into blocks and returns what do makes of each, in order.
func eachBlock[T any](n int, do func(from, to int, out *T)) []T {
	return eachTask((n+blockRows-1)/blockRows, func(i int, out *T) {
		do(i*blockRows, min(n, (i+1)*blockRows), out)
	})
}

// eachTask does tasks 0 … n−1 on several goroutines, in any order, and returns what do makes of each, in order.
func eachTask[T any](n int, do func(task int, out *T)) []T {
	out := make([]T, n)
	var wg sync.WaitGroup
	next := make(chan int, n)
	for i := range n {
		next <- i
	}
	close(next)
	for range min(runtime.GOMAXPROCS(0), n) {
		wg.Go(func() {
			for i := range next {
				do(i, &out[i])
			}
		})
	}
	wg.Wait()
	return out
}
