package trainer_test

import (
	"testing"

	"github.com/topksweep/sweep/trainer"
)

// noise is data of independent uniform numbers, a pure function of (seed, step).
type noise struct {
	d, rows int
	fail    map[int64]error // by step
}

func (n *noise) Batch(seed, step int64, x []float32) error {
	if err := n.fail[step]; err != nil {
		return err
	}
	for i := range x {
		x[i] = float32(2*trainer.Uniform(uint64(seed), 100+uint64(step), uint64(i)) - 1)
	}
	return nil
}

func (n *noise) Eval(row int64, x []float32) error {
	for i := range x {
		x[i] = float32(2*trainer.Uniform(7, 99, uint64(row)*uint64(n.d)+uint64(i)) - 1)
	}
	return nil
}

func (n *noise) EvalRows() int64          { return int64(n.rows) }
func (n *noise) Dim() int                 { return n.d }
func (n *noise) Dataset() trainer.Dataset { return nil }

func config(t *testing.T, change func(*trainer.Config)) trainer.Config {
	t.Helper()
	c := trainer.Config{
		Recipe: "corrected", ActivationDim: 12, DictSize: 40, K: 4, AuxKAlpha: 1.0 / 32, DecayStart: 20, Steps: 30,
		BatchSize: 16, LR: 0.003, ThresholdStartStep: 3, ThresholdBeta: 0.999, DeadFeatureThreshold: 64,
		Precision: "f32", Seed: 5,
	}
	if change != nil {
		change(&c)
	}
	c = c.Resolve()
	if errs := c.Validate(); len(errs) > 0 {
		t.Fatal(errs)
	}
	return c
}
