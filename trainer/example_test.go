package trainer_test

import (
	"context"
	"fmt"

	"github.com/topksweep/sweep/trainer"
	"github.com/topksweep/sweep/trainer/cpu"
	"github.com/topksweep/sweep/trainer/data"
)

// Train for 20 steps on sums of known directions, and measure the result on
// held-out rows.
func Example() {
	ctx := context.Background()
	set, err := data.Open(ctx, trainer.DataSpec{
		Synthetic: &trainer.Synthetic{ActivationDim: 16, Directions: 32, Tokens: 10_000, Active: 3, Noise: 0.01},
	}, data.Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer set.Close()

	c := trainer.Config{
		Recipe: "corrected", ActivationDim: set.Dim(), DictSize: 64, K: 4, Steps: 20, DecayStart: 16, BatchSize: 256,
		LR: 0.01, DeadFeatureThreshold: 100_000, Precision: "f32",
	}.Resolve()
	state := trainer.Init(c)
	loop, err := trainer.Start(cpu.New(0), c, state, set)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer loop.Close()
	var losses []float64
	err = loop.Run(ctx, 20, func(done int64, s trainer.Stats) error {
		losses = append(losses, s.Loss)
		return nil
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	if err := loop.Save(state); err != nil {
		fmt.Println(err)
		return
	}

	model, err := cpu.New(0).New(c, state, nil) // to encode, not to train
	if err != nil {
		fmt.Println(err)
		return
	}
	defer model.Close()
	metrics, err := trainer.Evaluate(ctx, model, c, state, set)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println("steps:", state.Step)
	fmt.Println("the loss fell:", losses[19] < losses[0])
	fmt.Println("rows held out:", metrics.EvalTokens)
	fmt.Println("most of the variance is explained:", *metrics.ExplainedVariance > 0.5)
	// Output:
	// steps: 20
	// the loss fell: true
	// rows held out: 1000
	// most of the variance is explained: true
}
