package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"runtime"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/topksweep/sweep/activities"
	"github.com/topksweep/sweep/trainer"
)

func (a *app) benchCmd() *cobra.Command {
	c := trainer.Config{
		Recipe: "corrected", Steps: 1_000_000, DecayStart: 500_000, LR: 1e-4, AuxKAlpha: 1.0 / 32, DeadFeatureThreshold: 1 << 60, Precision: "f32",
	}
	var backend, output string
	var threads int
	var about time.Duration
	cmd := &cobra.Command{
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
			if output != "text" && output != "json" {
				return inputError{fmt.Errorf("-o %s: want text or json", output)}
			}
			if about <= 0 {
				return inputError{fmt.Errorf("--time %v: want more than 0s", about)}
			}
			if c.ActivationDim < 1 { // to Validate, 0 is a width not known yet
				return inputError{fmt.Errorf("--activation-dim %d: want 1 or more", c.ActivationDim)}
			}
			c := c.Resolve()
			c.KAux = max(1, min(c.KAux, c.DictSize))
			var wrong []error
			for _, err := range c.Validate() {
				wrong = append(wrong, err)
			}
			if len(wrong) > 0 {
				return inputError{errors.Join(wrong...)}
			}
			if threads > 0 {
				runtime.GOMAXPROCS(threads)
			}
			t, _, err := (&workerFlags{backend: backend, perGPU: 1, slots: 1}).open()
			if err != nil {
				return err
			}
			b := t.backend
			if err := activities.Fits(b, c); err != nil {
				return inputError{err}
			}
			r, err := bench(cmd.Context(), b, c, about)
			if err != nil {
				return err
			}
			if output == "json" {
				return json.NewEncoder(a.out).Encode(r)
			}
			return r.write(a.out)
		},
	}
	f := cmd.Flags()
	f.IntVar(&c.ActivationDim, "activation-dim", 512, "width `D` of an activation vector")
	f.IntVar(&c.DictSize, "dict-size", 8192, "latents `F`")
	f.IntVar(&c.K, "k", 32, "latents kept per token")
	f.IntVar(&c.BatchSize, "batch-size", 1024, "tokens `B` per step")
	f.StringVar(&backend, "backend", "auto", "what to train on: auto, cpu or cuda")
	f.Var(atLeast1(&threads), "threads", "threads (default: one per core)")
	f.DurationVar(&about, "time", 3*time.Second, "how long to train for")
	f.StringVarP(&output, "output", "o", "text", "text or json")
	return cmd
}

// A benchResult is what a shape's steps take. The rates follow from the median
// step.
type benchResult struct {
	Backend         string  `json:"backend"`
	ActivationDim   int     `json:"activation_dim"`
	DictSize        int     `json:"dict_size"`
	K               int     `json:"k"`
	BatchSize       int     `json:"batch_size"`
	Bytes           int64   `json:"bytes"` // device memory that the model takes
	Steps           int     `json:"steps"` // timed
	StepSeconds     float64 `json:"step_seconds"`
	FastestSeconds  float64 `json:"fastest_step_seconds"`
	TokensPerSecond float64 `json:"tokens_per_second"`
	GFLOPS          float64 `json:"gflops"`        // of the dense product, over the whole step
	GBs             float64 `json:"gb_per_second"` // of weights and moments read and written, over the whole step

	// Where the backend can measure its device: the best possible step, and the share
	// of its speed that a step reaches.
	Roofline           *trainer.Roofline `json:"floor,omitempty"`
	BestSeconds        float64           `json:"floor_seconds,omitempty"`         // with a float32 product
	ProductBestSeconds float64           `json:"product_floor_seconds,omitempty"` // with the backend's own product
	Share              float64           `json:"share_of_floor,omitempty"`        // floor_seconds / step_seconds
}

func bench(ctx context.Context, b trainer.Backend, c trainer.Config, about time.Duration) (benchResult, error) {
	r := benchResult{Backend: b.Name(), ActivationDim: c.ActivationDim, DictSize: c.DictSize, K: c.K, BatchSize: c.BatchSize}
	r.Bytes, _ = b.Bytes(c)
	var err error
	if r.Roofline, err = b.MeasureRoofline(); err != nil {
		return r, err
	}
	t, err := trainer.TimeSteps(ctx, b, c, about)
	if err != nil {
		return r, err
	}
	r.Steps, r.StepSeconds, r.FastestSeconds = t.Steps, t.Median, t.Fastest
	r.TokensPerSecond = float64(c.BatchSize) / t.Median
	r.GFLOPS, r.GBs = c.ProductFlops()/t.Median/1e9, c.UpdateBytes()/t.Median/1e9
	if f := r.Roofline; f != nil {
		r.BestSeconds, r.ProductBestSeconds = f.StepSeconds(c), f.ProductStepSeconds(c)
		r.Share = r.BestSeconds / t.Median
	}
	return r, nil
}

func (r benchResult) write(w io.Writer) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintf(t, "shape\tactivation_dim %d, dict_size %d, k %d, batch_size %d; %.2f GiB\n", r.ActivationDim, r.DictSize, r.K, r.BatchSize, float64(r.Bytes)/(1<<30))
	if f := r.Roofline; f != nil {
		fmt.Fprintf(t, "machine\t%s, %s, %d threads: float32 GEMM %.0f GFLOP/s, own product %.0f GFLOP/s, memory %.1f GB/s\n", r.Backend, f.Path, f.Threads, f.GFLOPS, f.Product, f.GBs)
	} else {
		fmt.Fprintf(t, "machine\t%s\n", r.Backend)
	}
	fmt.Fprintf(t, "step\t%.2f ms, the median of %d; the fastest %.2f ms\n", 1e3*r.StepSeconds, r.Steps, 1e3*r.FastestSeconds)
	fmt.Fprintf(t, "rate\t%.0f tokens/s; dense product %.0f GFLOP/s, weights and moments %.1f GB/s\n", r.TokensPerSecond, r.GFLOPS, r.GBs)
	if r.Roofline != nil {
		fmt.Fprintf(t, "floor\t%.2f ms: the step reaches %.0f%% of it; with the own product's rate %.2f ms, %.0f%%\n",
			1e3*r.BestSeconds, 100*r.Share, 1e3*r.ProductBestSeconds, 100*r.ProductBestSeconds/r.StepSeconds)
	}
	return t.Flush()
}
