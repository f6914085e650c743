package trainer

import (
	"context"
	"fmt"
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
	m, err := b.New(c, s)
	if err != nil {
		return Timing{}, fmt.Errorf("time steps: %w", err)
	}
	defer m.Close()
	x := make([]float32, c.BatchSize*c.ActivationDim)
	for i := range x {
		// Of four uniform numbers, the sum is near enough to normal.
		for j := range 4 {
			x[i] += float32(Uniform(0, uint64(j), uint64(i)) - 0.5)
		}
	}
	var took []float64
	for began := time.Now(); len(took) <= fewestSteps || time.Since(began) < about; {
		if err := ctx.Err(); err != nil {
			return Timing{}, context.Cause(ctx)
		}
		start := time.Now()
		if _, err := m.Step(x); err != nil {
			return Timing{}, fmt.Errorf("time steps: %w", err)
		}
		took = append(took, time.Since(start).Seconds())
	}
	took = took[1:]
	slices.Sort(took)
	return Timing{Steps: len(took), Median: took[len(took)/2], Fastest: took[0]}, nil
}
