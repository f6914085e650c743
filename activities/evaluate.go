package activities

import (
	"context"

	"github.com/topksweep/sweep/activities/hostmem"
	"github.com/topksweep/sweep/storage"
	"github.com/topksweep/sweep/sweep/ledger"
	"github.com/topksweep/sweep/sweep/plan"
	"github.com/topksweep/sweep/sweep/protocol"
	"github.com/topksweep/sweep/trainer"
)

// Evaluate measures a trained run on the held-out tokens, exports its model and
// keeps its result. Then the run's checkpoints, which nothing needs any more,
// are removed.
func (a *Activities) Evaluate(ctx context.Context, ref protocol.CellRef) (plan.Brief, error) {
	err := a.evaluate(ctx, ref)
	return plan.Brief{}, outcome(ctx, err)
}

func (a *Activities) evaluate(ctx context.Context, ref protocol.CellRef) error {
	r, err := a.load(ctx, ref)
	if err != nil {
		return err
	}
	cfg := r.cell.Config
	progress, stop := a.startProgress(ctx, protocol.StageRef{CellRef: ref, To: cfg.Steps}, r)
	defer stop()
	defer a.waiting.begin()()
	if done, err := a.result(ctx, r.id); err != nil {
		return err
	} else if done != nil {
		return a.removeCheckpoints(ctx, r.id)
	}
	progress.trained()
	progress.doing("evaluating")
	set, err := a.data(ctx, r.header, progress)
	if err != nil {
		return err
	}
	from, err := a.origins(ctx, r, plan.LevelRun, cfg.Steps)
	if err != nil {
		return err
	}
	release, err := a.memory.Reserve(hostmem.Bytes(a.backend, cfg))
	if err != nil {
		return err
	}
	defer release()
	state := trainer.NewState(cfg)
	m, err := from.last(ctx, cfg, state)
	if err != nil {
		return err
	}
	model, err := a.backend.New(cfg, state, nil)
	if err != nil {
		return err
	}
	defer model.Close()
	// The model has its own copy. Without the moments there is room for W_dec at unit norm.
	state.M, state.V = trainer.Params{}, trainer.Params{}
	recipe, err := trainer.RecipeByName(cfg.Recipe)
	if err != nil {
		return err
	}
	metrics, err := trainer.Evaluate(ctx, model, cfg, state, set, set.Directions())
	if err != nil {
		return set.explain(ctx, err)
	}
	if err := set.verify(ctx); err != nil {
		return err
	}
	result := ledger.NewResult(r.header, r.cell, plan.Completed)
	result.Metrics, result.Tokens, result.WallSeconds = metrics, cfg.Tokens(), secondsOf(m)
	result.Spans = spansOf(m)
	if n := len(result.Spans); n > 0 {
		last := result.Spans[n-1]
		result.Class, result.Device, result.Build = last.Class, last.Device, last.Build
	}
	result.PeakBytes, _ = a.backend.Bytes(cfg)
	result.AuxKLatents = ledger.AuxKLatents(cfg, metrics.FirstDeadStep, state.Curve)
	result.Scale = set.Info().Scale
	result.Threshold = state.StoredThreshold(recipe, result.Scale)
	progress.doing("exporting the model")
	if err := a.export(ctx, r.id, result, state); err != nil {
		return err
	}
	// The result is stored last: where a result is, the model is complete.
	if err := a.ledger.StoreResult(ctx, r.id, result); err != nil {
		return err
	}
	// The checkpoints go only if the result can be read. There may have been one, and a
	// damaged one is found by the next try.
	if _, err := a.ledger.Result(ctx, r.id); err != nil {
		return err
	}
	if err := a.ledger.DeleteFailure(ctx, ref.Sweep, r.cell.ID); err != nil {
		return err
	}
	return a.removeCheckpoints(ctx, r.id)
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
