//go:build cuda

package cuda_test

import (
	"testing"

	"github.com/topksweep/sweep/trainer"
	"github.com/topksweep/sweep/trainer/data"
)

// Two steps from a table in bf16, which launch what TestAgainstCPU does not; short
// enough for ThreadSanitizer. What it finds fails the launch.
func TestSanitizedSteps(t *testing.T) {
	set, err := data.Open(t.Context(), trainer.DataSpec{
		Synthetic: &trainer.Synthetic{ActivationDim: 24, Directions: 60, Tokens: 300, Active: 3, Noise: 0.05, Seed: 2}, EvalTokens: 10,
	}, data.Options{Workers: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer set.Close()
	c := config("corrected")
	c.BatchSize, c.DictSize, c.Precision = 16, 40, "bf16"
	s := trainer.Init(c)
	s.Step = 1
	loop, err := trainer.Start(open(t), c, s, set)
	if err != nil {
		t.Fatal(err)
	}
	defer loop.Close()
	if _, ok := loop.Model().(trainer.Picker); !ok {
		t.Fatalf("the table is not on the GPU: the model is a %T", loop.Model())
	}
	if err := loop.Run(t.Context(), 3, func(int64, trainer.Stats) error { return nil }); err != nil {
		t.Fatal(err)
	}
}
