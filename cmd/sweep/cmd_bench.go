package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"runtime"
	"time"

	"github.com/spf13/cobra"

	"github.com/topksweep/sweep/activities/hostmem"
	"github.com/topksweep/sweep/trainer"
)

type benchOptions struct {
	config   trainer.Config // of the model; its learning rate and lengths do not matter
	backend  string         // auto, cpu or cuda
	threads  int            // 0: one per core
	duration time.Duration
	output   format
}

func newBenchCommand(env *environment) *cobra.Command {
	o := benchOptions{
		config: trainer.Config{
			Recipe: "corrected", Steps: 1_000_000, DecayStart: 500_000, LR: 1e-4,
			AuxKAlpha: 1.0 / 32, DeadFeatureThreshold: 1 << 60, Precision: "f32",
		},
		output: newFormat("text", "json"),
	}
	c := &cobra.Command{
		Use:   "bench",
		Short: "Time training steps on this machine, against what it could do at best",
		Long: `Time training steps of one shape on random tokens, and compare them with the floor
of this machine, measured in the same process: the step's one dense product at the
rate of a float32 GEMM in the cache, and weights and moments once read and once
written at the bandwidth of memory. A share above 100% is no mistake: where the
processor can, most of the product is done in 16-bit integers, at twice the rate of
float32 and with the same result.

Reading the data is not timed: training reads ahead while it computes.`,
		Example: `  sweep bench
  sweep bench --activation-dim 768 --dict-size 16384 --k 64 --batch-size 1024
  sweep bench -o json                   for a program`,
		Args: args(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := o.check(); err != nil {
				return err
			}
			return runBench(cmd.Context(), env, o)
		},
	}
	f := c.Flags()
	f.IntVar(&o.config.ActivationDim, "activation-dim", 512, "width `D` of an activation vector")
	f.IntVar(&o.config.DictSize, "dict-size", 8192, "latents `F`")
	f.IntVar(&o.config.K, "k", 32, "latents kept per token")
	f.IntVar(&o.config.BatchSize, "batch-size", 1024, "tokens `B` per step")
	f.StringVar(&o.backend, "backend", "auto", "what to train on: auto, cpu or cuda")
	f.Var(atLeast1(&o.threads), "threads", "threads (default: one per core)")
	f.DurationVar(&o.duration, "time", 3*time.Second, "how long to train for")
	o.output.addFlag(f)
	return c
}

// check completes the config with its defaults and says all that is wrong with it.
func (o *benchOptions) check() error {
	if o.duration <= 0 {
		return inputError{fmt.Errorf("--time %v: want more than 0s", o.duration)}
	}
	if o.config.ActivationDim < 1 { // to Validate, 0 is a width not known yet
		return inputError{fmt.Errorf("--activation-dim %d: want 1 or more", o.config.ActivationDim)}
	}
	o.config = o.config.Resolve()
	o.config.KAux = max(1, min(o.config.KAux, o.config.DictSize))
	var wrong []error
	for _, err := range o.config.Validate() {
		wrong = append(wrong, err)
	}
	if len(wrong) > 0 {
		return inputError{errors.Join(wrong...)}
	}
	return nil
}

// runBench is the verb bench.
func runBench(ctx context.Context, env *environment, o benchOptions) error {
	if o.threads > 0 {
		runtime.GOMAXPROCS(o.threads)
	}
	device, _, err := (&deviceOptions{backend: o.backend, slots: 1}).open()
	if err != nil {
		return err
	}
	if err := hostmem.Fits(device.backend, o.config); err != nil {
		return inputError{err}
	}
	r, err := measureSteps(ctx, device.backend, o.config, o.duration)
	if err != nil {
		return err
	}
	if o.output.name == "json" {
		return json.NewEncoder(env.out).Encode(r)
	}
	return env.print(r.write)
}
