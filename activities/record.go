package activities

import (
	"context"

	"github.com/topksweep/sweep/storage"
	"github.com/topksweep/sweep/sweep/ledger"
	"github.com/topksweep/sweep/sweep/plan"
	"github.com/topksweep/sweep/sweep/protocol"
	"github.com/topksweep/sweep/trainer"
)

// A measurement is what is known of a trained model besides its state.
type measurement struct {
	trainer.Metrics
	class   string        // of the hardware that measured it
	spans   []ledger.Span // of all its steps
	seconds float64       // spent in training
}

// measureRecovery adds the metrics of synthetic data alone. The trained model is closed before, if there are any: one
// at a time is on the device.
func (a *Activities) measureRecovery(
	ctx context.Context, b trainer.Backend, c trainer.Config, state *trainer.State, set *attemptData, progress *progress,
	m *measurement,
) error {
	directions := set.Directions()
	if directions == nil {
		return nil
	}
	err := a.awaitMemory(ctx, progress, false, func() (err error) {
		m.Recovery, m.Recovered, err = trainer.Recovery(counted(ctx), b, c, state, directions)
		return err
	})
	a.line.free() // its model is closed
	return err
}

// resultOf returns the result of a run that is trained and measured.
func (a *Activities) resultOf(
	r *run, state *trainer.State, set *attemptData, m measurement,
) (result ledger.Result, err error) {
	cfg := r.cell.Config
	recipe, err := trainer.RecipeByName(cfg.Recipe)
	if err != nil {
		return result, err
	}
	result = ledger.NewResult(r.header, r.cell, plan.Completed)
	result.Metrics, result.Tokens, result.WallSeconds = m.Metrics, cfg.Tokens(), m.seconds
	result.Spans, result.EvalClass = m.spans, m.class
	if n := len(result.Spans); n > 0 {
		last := result.Spans[n-1]
		result.Class, result.Device, result.Build = last.Class, last.Device, last.Build
	}
	result.PeakBytes, _ = a.backend.Bytes(cfg)
	result.AuxKLatents = ledger.AuxKLatents(cfg, m.FirstDeadStep, state.Curve)
	result.Scale = set.Info().Scale
	result.Threshold = state.StoredThreshold(recipe, result.Scale)
	return result, nil
}

// A recording says how a result is recorded.
type recording struct {
	progress *progress
	unnoted  bool // no note says that the cell failed or was canceled
	bare     bool // the run's checkpoint folder has the attempt's claim and nothing else, unless that was renewed
	unstored bool // no checkpoint holds the state: another attempt may have trained the run too, perhaps to other bits
}

// overtaken returns the result of another attempt that has trained the run meanwhile, because this one stood still or
// was cut off; nil if there is none. The error wraps storage.ErrFenced if another attempt has claimed the run. It is
// asked before the model is exported: else the model would be this attempt's, and the result the other one's.
func (a *Activities) overtaken(ctx context.Context, k *claiming, run string) (*ledger.Result, error) {
	if err := k.lost(); err != nil {
		return nil, err
	}
	if err := k.claim.Check(ctx); err != nil {
		return nil, err
	}
	return a.result(ctx, run)
}

// record exports a model and stores its result. Then it removes what the run needs no more: its checkpoint folder, and
// the note that it failed before. It returns the metrics of the result that is stored, which may be that of a rival.
func (a *Activities) record(
	ctx context.Context, ref protocol.CellRef, r *run, k *claiming, result ledger.Result, state *trainer.State,
	how recording,
) (trainer.Metrics, error) {
	if how.progress != nil {
		how.progress.doing("exporting the model")
	}
	if how.unstored {
		if found, err := a.overtaken(ctx, k, r.id); err != nil {
			return trainer.Metrics{}, err
		} else if found != nil {
			return found.Metrics, nil
		}
	}
	if err := a.export(ctx, r.header, r.id, result, state); err != nil {
		return trainer.Metrics{}, err
	}
	// The result is stored last: where a result is, the model is complete.
	if err := a.ledger.StoreResult(ctx, r.id, result); err != nil {
		return trainer.Metrics{}, err
	}
	a.logOn(ctx, r.cell.ID).Info("evaluated")
	// The run is completed. What ends the activity from here on comes too late: it would count the run as canceled.
	ctx, cancel := a.savingContext(ctx)
	defer cancel()
	// The checkpoints go only if the result can be read. There may have been one, and a
	// damaged one is found by the next try.
	stored, err := a.ledger.Result(ctx, r.id)
	if err != nil {
		return trainer.Metrics{}, err
	}
	if !how.unnoted {
		if err := a.ledger.DeleteFailure(ctx, ref.Sweep, r.cell.ID); err != nil {
			return trainer.Metrics{}, err
		}
	}
	k.halt() // a renewal would leave something behind
	if how.bare {
		if removed, err := k.claim.Remove(ctx); removed || err != nil {
			return stored.Metrics, err
		}
	}
	return stored.Metrics, a.removeCheckpoints(ctx, r.id)
}

// removeCheckpoints removes the checkpoint folder of a run that has a result.
func (a *Activities) removeCheckpoints(ctx context.Context, id string) error {
	folder, err := storage.ListFolder(ctx, a.store, id)
	if err != nil {
		return err
	}
	_, err = storage.Remove(ctx, a.store, folder.Objects)
	return err
}
