package report

import (
	"strings"

	"github.com/topksweep/sweep/sweep/ledger"
	"github.com/topksweep/sweep/sweep/plan"
	"github.com/topksweep/sweep/trainer"
)

// costColumns says what the runs took.
func costColumns() []Column {
	return []Column{
		{
			Column: whole("tokens", "tokens trained on: steps × batch_size"),
			group:  groupRun, get: func(r *ledger.Result) any {
				if r.Tokens == 0 && r.Status != plan.Completed {
					return nil
				}
				return r.Tokens
			},
		},
		{
			Column: whole("params", "trained parameters: 2·F·D + F + D"),
			group:  groupCost, get: func(r *ledger.Result) any {
				if r.Config.ActivationDim == 0 {
					return nil
				}
				return r.Config.Params()
			},
		},
		{
			Column: float("flops", "dense-equivalent: 12·D·F·tokens, six products of 2·D·F a token"),
			group:  groupCost, get: func(r *ledger.Result) any {
				if r.Tokens == 0 && r.Status != plan.Completed {
					return nil
				}
				return denseFlops(r.Config, r.Tokens)
			},
		},
		{
			Column: float("flops_executed", "tokens·(2·D·F + 8·D·(k + m)), m latents of AuxK a token"),
			group:  groupCost, get: func(r *ledger.Result) any {
				if r.Status != plan.Completed || r.AuxKLatents == nil {
					return nil
				}
				c := r.Config
				d, f := float64(c.ActivationDim), float64(c.DictSize)
				return finiteOrNil(float64(r.Tokens) * (2*d*f + 8*d*(float64(c.K)+*r.AuxKLatents)))
			},
		},
		{
			Column: whole("steps_trained", "steps trained for this run alone"),
			group:  groupCost, get: func(r *ledger.Result) any { return stepsOf(r, func(cells int) bool { return cells == 1 }) },
		},
		{
			Column: whole("steps_shared", "steps trained for this run and others"),
			group:  groupCost, get: func(r *ledger.Result) any { return stepsOf(r, func(cells int) bool { return cells > 1 }) },
		},
		{
			Column: float("device_seconds", "training time, that of shared steps ÷ the runs that share them"),
			Varies: true,
			group:  groupTime, get: deviceSeconds,
		},
		{
			Column: float("wall_seconds", "time spent in training steps, over all attempts"),
			Varies: true,
			group:  groupTime, get: func(r *ledger.Result) any {
				if r.Status != plan.Completed {
					return nil
				}
				return finiteOrNil(r.WallSeconds)
			},
		},
		{
			Column: whole("peak_bytes", "memory that training took on the device"),
			Varies: true,
			group:  groupTime, get: func(r *ledger.Result) any {
				if r.PeakBytes <= 0 {
					return nil
				}
				return r.PeakBytes
			},
		},
		{
			Column: text("class", "class of the device that trained the last step: equal classes give equal bits"),
			Varies: true,
			group:  groupTime, get: func(r *ledger.Result) any { return textOrNil(r.Class) },
		},
		{
			Column: text("classes", "classes that trained the steps, in order, and measured the model; each once"),
			Varies: true,
			group:  groupTime, get: func(r *ledger.Result) any { return textOrNil(strings.Join(r.Classes(), ", ")) },
		},
		{
			Column: text("mixed_classes", "true if these are several: its bits are not those of one class"),
			Varies: true,
			group:  groupTime, get: func(r *ledger.Result) any {
				mixed, known := r.MixedClasses()
				if !known {
					return nil
				}
				return truthOrNil(&mixed)
			},
		},
		{
			Column: text("device", "model of that device, as it names itself"),
			Varies: true,
			group:  groupTime, get: func(r *ledger.Result) any { return textOrNil(r.Device) },
		},
		{
			Column: text("build", "build of the program that trained the last step"),
			Varies: true,
			group:  groupTime, get: func(r *ledger.Result) any { return textOrNil(r.Build) },
		},
	}
}

// denseFlops returns the operations of training on so many tokens with dense products: forward, the encoder and the
// decoder; backward, two of each. It is a float64, which holds it beyond the range of int64.
func denseFlops(c trainer.Config, tokens int64) float64 {
	return 12 * float64(c.ActivationDim) * float64(c.DictSize) * float64(tokens)
}

// stepsOf sums the steps of the spans that were trained for as many runs as count says. It is nil where the result
// does not know of all its steps for how many runs they were.
func stepsOf(r *ledger.Result, count func(cells int) bool) any {
	if !spansKnown(r) {
		return nil
	}
	var n int64
	for _, s := range r.Spans {
		if count(s.Cells) {
			n += s.To - s.From
		}
	}
	return n
}

// deviceSeconds sums the time of the spans, each divided among the runs that it was for. So the sum over all runs of a
// sweep is the time spent, unless runs that were added later begin at the checkpoints of others.
func deviceSeconds(r *ledger.Result) any {
	if !spansKnown(r) {
		return nil
	}
	sum := 0.0
	for _, s := range r.Spans {
		sum += s.Seconds / float64(s.Cells)
	}
	return finiteOrNil(sum)
}

func spansKnown(r *ledger.Result) bool {
	for _, s := range r.Spans {
		if s.Cells < 1 {
			return false
		}
	}
	return len(r.Spans) > 0
}
