//go:build cuda

package cuda_test

import (
	"testing"

	"github.com/topksweep/sweep/trainer"
	"github.com/topksweep/sweep/trainer/data"
)

// TestSanitizedSteps takes steps on a data set on the GPU, for rows of several widths
// and latents with more hits than a segment. They launch the kernels that TestAgainstCPU does
// not launch, and are short enough for ThreadSanitizer, whose findings fail the launch.
func TestSanitizedSteps(t *testing.T) {
	b := open(t)
	for _, width := range []int{24, 160, 480} {
		set, err := data.Open(t.Context(), trainer.DataSpec{
			Synthetic:  &trainer.Synthetic{ActivationDim: width, Directions: 60, Tokens: 600, Active: 3, Noise: 0.05, Seed: 2},
			EvalTokens: 10,
		}, data.Options{Workers: 1})
		if err != nil {
			t.Fatal(err)
		}
		defer set.Close()
		c := config("corrected")
		c.ActivationDim, c.DictSize, c.K, c.KAux, c.BatchSize = width, 10, 10, 3, 160
		s := trainer.Init(c)
		s.Step = 1
		data := &source{Set: set, numbered: true}
		loop, err := trainer.Start(b, c, s, data)
		if err != nil {
			t.Fatal(err)
		}
		defer loop.Close()
		if err := loop.Run(t.Context(), 3, func(int64, trainer.Stats) error { return nil }); err != nil {
			t.Fatal(err)
		}
		if data.rows == 0 {
			t.Fatal("the data is not on the GPU")
		}
	}
}
