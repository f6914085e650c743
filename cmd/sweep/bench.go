package main

import (
	"context"
	"fmt"
	"io"
	"text/tabwriter"
	"time"

	"github.com/topksweep/sweep/trainer"
)

// A benchResult is how long the training steps of one model take. The rates follow
// from the median step.
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

// measureSteps times training steps for about a duration, and what the device could
// do at best.
func measureSteps(ctx context.Context, b trainer.Backend, c trainer.Config, about time.Duration) (benchResult, error) {
	r := benchResult{
		Backend: b.Name(), ActivationDim: c.ActivationDim, DictSize: c.DictSize, K: c.K, BatchSize: c.BatchSize,
	}
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

func (r benchResult) write(out io.Writer) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintf(w, "shape\tactivation_dim %d, dict_size %d, k %d, batch_size %d; %.2f GiB\n",
		r.ActivationDim, r.DictSize, r.K, r.BatchSize, float64(r.Bytes)/(1<<30))
	if f := r.Roofline; f != nil {
		fmt.Fprintf(w, "machine\t%s, %s, %d threads: float32 GEMM %.0f GFLOP/s, own product %.0f GFLOP/s, memory %.1f GB/s\n",
			r.Backend, f.Path, f.Threads, f.GFLOPS, f.Product, f.GBs)
	} else {
		fmt.Fprintf(w, "machine\t%s\n", r.Backend)
	}
	fmt.Fprintf(w, "step\t%.2f ms, the median of %d; the fastest %.2f ms\n",
		1e3*r.StepSeconds, r.Steps, 1e3*r.FastestSeconds)
	fmt.Fprintf(w, "rate\t%.0f tokens/s; dense product %.0f GFLOP/s, weights and moments %.1f GB/s\n",
		r.TokensPerSecond, r.GFLOPS, r.GBs)
	if r.Roofline != nil {
		fmt.Fprintf(w, "floor\t%.2f ms: the step reaches %.0f%% of it; with the own product's rate %.2f ms, %.0f%%\n",
			1e3*r.BestSeconds, 100*r.Share, 1e3*r.ProductBestSeconds, 100*r.ProductBestSeconds/r.StepSeconds)
	}
	return w.Flush()
}
