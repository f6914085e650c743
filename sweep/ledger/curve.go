package ledger

import (
	"context"
	"errors"

	"github.com/topksweep/sweep/storage"
	"github.com/topksweep/sweep/sweep/plan"
	"github.com/topksweep/sweep/trainer"
)

// curvesAtOnce is how many curves are read at a time.
const curvesAtOnce = 16

// Curve reads the loss curve of a completed run. The error wraps storage.ErrNotFound if there is none, and
// storage.ErrCorrupt if it is damaged.
func (l *Ledger) Curve(ctx context.Context, run string) ([]trainer.Point, error) {
	return storage.Read(ctx, l.store, ModelKey(run, CurveFile), maxNote, storage.ParseJSON[[]trainer.Point])
}

// CountAuxK sets Result.AuxKLatents of the completed runs whose results lack it, which an earlier version stored. It
// reads the curves of those in which AuxK has acted. Where a curve is not there or is damaged, the field stays nil.
func (l *Ledger) CountAuxK(ctx context.Context, results []Result) error {
	var read []int // results that need their curves
	for i, r := range results {
		switch {
		case r.Status != plan.Completed || r.AuxKLatents != nil:
		case r.Config.AuxKAlpha > 0 && r.Metrics.FirstDeadStep != nil:
			read = append(read, i)
		default:
			results[i].AuxKLatents = AuxKLatents(r.Config, r.Metrics.FirstDeadStep, nil)
		}
	}
	return each(ctx, read, curvesAtOnce, func(ctx context.Context, i int) error {
		r := results[i]
		curve, err := l.Curve(ctx, r.Run)
		if errors.Is(err, storage.ErrNotFound) || errors.Is(err, storage.ErrCorrupt) {
			return nil
		}
		if err == nil {
			results[i].AuxKLatents = AuxKLatents(r.Config, r.Metrics.FirstDeadStep, curve)
		}
		return err
	})
}

// AuxKLatents returns the mean over the steps of a run of min(k_aux, dead latents), from points of its curve: a point
// stands for the steps from it to the next. It is 0 where auxk_alpha is 0 and where no latent was ever dead, and nil
// where the curve says nothing.
func AuxKLatents(c trainer.Config, firstDead *int64, curve []trainer.Point) *float64 {
	if c.AuxKAlpha == 0 || firstDead == nil {
		return new(0.0)
	}
	sum, steps := 0.0, 0.0
	for i, p := range curve {
		to := int64(c.Steps)
		if i+1 < len(curve) {
			to = curve[i+1].Step
		}
		width := float64(max(0, to-p.Step))
		sum += width * float64(max(0, min(c.KAux, p.Dead)))
		steps += width
	}
	if steps == 0 {
		return nil
	}
	return new(sum / steps)
}
