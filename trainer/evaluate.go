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

// Evaluate measures a model on the held-out rows, of which there must be one at
// least, in batches of batch_size. It reads the model and s, the model's saved
// state, and changes neither.
// directions are the true ones of synthetic data, [n,D] unit rows, or nil.
func Evaluate(
	ctx context.Context, m Encoder, c Config, s *State, data HeldOut, directions []float32,
) (Metrics, error) {
	e, err := newEvaluation(m, c, s)
	if err != nil {
		return Metrics{}, err
	}
	rows, d := data.EvalRows(), int64(c.ActivationDim)
	if rows < 1 {
		return Metrics{}, errors.New("evaluate: no rows are held out")
	}
	x := make([]float32, min(int64(c.BatchSize), rows)*d)
	for row := int64(0); row < rows; row += int64(c.BatchSize) {
		if err := ctx.Err(); err != nil {
			return Metrics{}, context.Cause(ctx)
		}
		n := min(int64(c.BatchSize), rows-row)
		if err := data.Eval(row, x[:n*d]); err != nil {
			return Metrics{}, fmt.Errorf("evaluate: %w", err)
		}
		if err := e.batch(x[:n*d]); err != nil {
			return Metrics{}, fmt.Errorf("evaluate: %w", err)
		}
	}
	out := e.metrics()
	if directions != nil {
		out.Recovery, out.Recovered = recovery(s.W.WDec, directions, c.ActivationDim)
	}
	return out, nil
}

// evaluation gathers sums over batches.
type evaluation struct {
	m      Encoder
	c      Config
	recipe Recipe
	s      *State
	dead   []bool // [F]
	nDead  int
	active []bool // [F] latents with a kept activation > 0
	sums   sums
	auxk   float64 // Σ over batches of the AuxK loss times the batch's rows
}

// sums are over rows, in float64.
type sums struct {
	n, e2, x2, y2, xy, cos, ratio, l0 float64 // y is x̂
	cosRows                           float64 // rows with x and x̂ both non-zero
	ratioRows                         float64 // rows with x non-zero
	x                                 []float64
}

func newEvaluation(m Encoder, c Config, s *State) (*evaluation, error) {
	recipe, err := RecipeByName(c.Recipe)
	if err != nil {
		return nil, fmt.Errorf("evaluate: %w", err)
	}
	e := &evaluation{
		m: m, c: c, recipe: recipe, s: s, dead: make([]bool, c.DictSize), active: make([]bool, c.DictSize),
	}
	e.sums.x = make([]float64, c.ActivationDim)
	for f, since := range s.SinceFired {
		if recipe.Dead(since, c.DeadFeatureThreshold) {
			e.dead[f] = true
			e.nDead++
		}
	}
	return e, nil
}

func (e *evaluation) batch(x []float32) error {
	d := e.c.ActivationDim
	n := len(x) / d
	acts, latents := make([]float32, n*e.c.K), make([]int32, n*e.c.K)
	if err := e.m.Encode(x, e.c.K, nil, acts, latents); err != nil {
		return err
	}
	for i, f := range latents {
		if acts[i] > 0 {
			e.active[f] = true
		}
	}
	xhat := make([]float64, n*d)
	blocks := eachBlock(n, func(from, to int, s *sums) {
		s.x = make([]float64, d)
		for r := from; r < to; r++ {
			y := xhat[r*d : (r+1)*d]
			for i, b := range e.s.W.BDec {
				y[i] = float64(b)
			}
			e.decode(acts[r*e.c.K:(r+1)*e.c.K], latents[r*e.c.K:(r+1)*e.c.K], y)
			s.row(x[r*d:(r+1)*d], y, acts[r*e.c.K:(r+1)*e.c.K])
		}
	})
	for i := range blocks {
		e.sums.add(&blocks[i])
	}
	auxk, err := e.auxK(x, xhat)
	e.auxk += auxk * float64(n)
	return err
}

// decode adds Σ acts · W_dec rows to y_D, in the order of the latents so that
// the sum does not depend on the order in which a backend kept them.
func (e *evaluation) decode(acts []float32, latents []int32, y []float64) {
	d := e.c.ActivationDim
	order := make([]int, 0, len(acts))
	for i, a := range acts {
		if a > 0 {
			order = append(order, i)
		}
	}
	slices.SortFunc(order, func(a, b int) int { return int(latents[a]) - int(latents[b]) })
	for _, i := range order {
		a, f := float64(acts[i]), int(latents[i])
		for j, w := range e.s.W.WDec[f*d : (f+1)*d] {
			y[j] += a * float64(w)
		}
	}
}

func (s *sums) row(x []float32, y []float64, acts []float32) {
	var e2, x2, y2, xy float64
	for i, v := range x {
		xv, yv := float64(v), y[i]
		e2 += (yv - xv) * (yv - xv)
		x2 += xv * xv
		y2 += yv * yv
		xy += xv * yv
		s.x[i] += xv
	}
	s.n++
	s.e2 += e2
	s.x2 += x2
	s.y2 += y2
	s.xy += xy
	if x2 > 0 {
		s.ratioRows++
		s.ratio += math.Sqrt(y2 / x2)
		if y2 > 0 {
			s.cosRows++
			s.cos += xy / math.Sqrt(x2) / math.Sqrt(y2)
		}
	}
	for _, a := range acts {
		if a > 0 {
			s.l0++
		}
	}
}

func (s *sums) add(o *sums) {
	s.n += o.n
	s.e2 += o.e2
	s.x2 += o.x2
	s.y2 += o.y2
	s.xy += o.xy
	s.cos += o.cos
	s.cosRows += o.cosRows
	s.ratio += o.ratio
	s.ratioRows += o.ratioRows
	s.l0 += o.l0
	for i, v := range o.x {
		s.x[i] += v
	}
}

func (e *evaluation) metrics() Metrics {
	s, f := &e.sums, float64(e.c.DictSize)
	out := Metrics{EvalTokens: int64(s.n), DeadLatents: e.nDead, DeadFraction: float64(e.nDead) / f}
	if first := e.s.FirstDead; first >= 0 {
		out.FirstDeadStep = &first
	}
	for _, a := range e.active {
		if !a {
			out.SilentLatents++
		}
	}
	out.AliveFraction = 1 - float64(out.SilentLatents)/f
	out.L2Loss, out.L0, out.AuxKLoss = s.e2/s.n, s.l0/s.n, e.auxk/s.n
	mean2 := 0.0
	for _, v := range s.x {
		mean2 += (v / s.n) * (v / s.n)
	}
	out.NMSE = quotient(s.e2, s.x2-s.n*mean2)
	out.FVU = out.NMSE
	if out.FVU != nil {
		ev := 1 - *out.FVU
		out.ExplainedVariance = &ev
	}
	out.Cosine = quotient(s.cos, s.cosRows)
	out.L2Ratio = quotient(s.ratio, s.ratioRows)
	out.ReconstructionBias = quotient(s.y2, s.xy)
	return out
}

// quotient is a/b, or nil where that is not a finite number.
func quotient(a, b float64) *float64 {
	q := a / b
	if b == 0 || math.IsNaN(q) || math.IsInf(q, 0) {
		return nil
	}
	return &q
}

// blockRows is the number of rows that one goroutine sums. The sums of the blocks
// are then added in order, so that the result does not depend on how many goroutines
// there are.
const blockRows = 64

func eachBlock[T any](n int, do func(from, to int, out *T)) []T {
	out := make([]T, (n+blockRows-1)/blockRows)
	var wg sync.WaitGroup
	next := make(chan int, len(out))
	for i := range out {
		next <- i
	}
	close(next)
	for range min(runtime.GOMAXPROCS(0), len(out)) {
		wg.Go(func() {
			for i := range next {
				do(i*blockRows, min(n, (i+1)*blockRows), &out[i])
			}
		})
	}
	wg.Wait()
	return out
}
