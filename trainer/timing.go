package trainer

import (
	"context"
	"fmt"
	"math"
	"slices"
	"time"
)

// A Timing says how long training steps take.
type Timing struct {
	Steps           int     // timed
	Median, Fastest float64 // seconds of a step
}

// fewestSteps are timed however long they take.
const fewestSteps = 3

// TimeSteps times steps of a new model of c on random tokens for about the time
// given, after one that is not counted. No latent is dead in them. The learning
// rate is auto whatever c has: a step takes as long, and does not diverge.
func TimeSteps(ctx context.Context, b Backend, c Config, about time.Duration) (Timing, error) {
	c.LR = 0
	c = c.Resolve()
	s := Init(c)
	s.Step = 1 // step 0 also computes a geometric median
	m, err := b.New(c, s, newRandomTokens(c))
	if err != nil {
		return Timing{}, fmt.Errorf("time steps: %w", err)
	}
	defer m.Close()
	var took []float64
	began := time.Now()
	start := began
	for _, err := range m.Steps(ctx, math.MaxInt64) {
		switch {
		case ctx.Err() != nil:
			return Timing{}, context.Cause(ctx)
		case err != nil:
			return Timing{}, fmt.Errorf("time steps: %w", err)
		}
		took = append(took, time.Since(start).Seconds())
		if len(took) > fewestSteps && time.Since(began) >= about {
			break
		}
		start = time.Now()
	}
	took = took[1:]
	slices.Sort(took)
	return Timing{Steps: len(took), Median: took[len(took)/2], Fastest: took[0]}, nil
}

// TimeEvaluation times one Evaluate of a new model of c on so many random rows, at most c.BatchSize. No latent is dead.
func TimeEvaluation(ctx context.Context, b Backend, c Config, rows int64) (seconds float64, err error) {
	c = c.Resolve()
	s := Init(c)
	m, err := b.New(c, s, nil)
	if err != nil {
		return 0, fmt.Errorf("time evaluation: %w", err)
	}
	defer m.Close()
	held := randomHeldOut{newRandomTokens(c), min(rows, int64(c.BatchSize))}
	began := time.Now()
	if _, err := Evaluate(ctx, m, c, s, held); err != nil {
		return 0, fmt.Errorf("time evaluation: %w", err)
	}
	return time.Since(began).Seconds(), nil
}

// randomHeldOut are the first rows of random tokens as HeldOut.
type randomHeldOut struct {
	tokens randomTokens
	rows   int64
}

func (r randomHeldOut) EvalRows() int64 { return r.rows }

func (r randomHeldOut) Eval(row int64, x []float32) error {
	copy(x, r.tokens.x[int(row)*r.tokens.d:])
	return nil
}

// randomTokens are Batches that are all the same: independent, nearly normal
// numbers.
type randomTokens struct {
	d int
	x []float32 // [B,D]
}

func newRandomTokens(c Config) randomTokens {
	r := randomTokens{c.ActivationDim, make([]float32, c.BatchSize*c.ActivationDim)}
	for i := range r.x {
		// Of four uniform numbers, the sum is near enough to normal.
		for j := range 4 {
			r.x[i] += float32(Uniform(0, uint64(j), uint64(i)) - 0.5)
		}
	}
	return r
}

func (r randomTokens) Dim() int                            { return r.d }
func (r randomTokens) Dataset() Dataset                    { return nil }
func (r randomTokens) Batch(_, _ int64, x []float32) error { copy(x, r.x); return nil }
