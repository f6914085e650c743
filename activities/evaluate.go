package activities

import (
	"context"

	"github.com/topksweep/sweep/storage"
	"github.com/topksweep/sweep/sweep"
	"github.com/topksweep/sweep/trainer"
)

// Evaluate measures a trained run on the held-out tokens, exports its model and
// keeps its result. Then the run's checkpoints, which nothing needs any more,
// are removed.
func (a *Activities) Evaluate(ctx context.Context, ref sweep.CellRef) error {
	return outcome(ctx, a.evaluate(ctx, ref))
}

func (a *Activities) evaluate(ctx context.Context, ref sweep.CellRef) error {
	r, err := a.load(ctx, ref)
	if err != nil {
		return err
	}
	cfg := r.cell.Config
	progress, stop := a.startProgress(ctx, sweep.StageRef{CellRef: ref, To: cfg.Steps}, r)
	defer stop()
	if done, err := a.result(ctx, r.id); err != nil {
		return err
	} else if done != nil {
		return a.clear(ctx, r.id)
	}
	progress.trained()
	progress.doing("evaluating")
	set, err := a.data(ctx, r.plan)
	if err != nil {
		return err
	}
	from, err := a.origins(ctx, r, sweep.LevelRun, cfg.Steps)
	if err != nil {
		return err
	}
	release, err := a.memory.reserve(hostBytes(a.backend, cfg))
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
	metrics, err := trainer.Evaluate(ctx, model, cfg, state, set, set.Directions())
	if err != nil {
		return err
	}
	result := sweep.Result{
		Cell: r.cell.ID, Config: cfg, Metrics: metrics, Status: sweep.Completed,
		Tokens: cfg.Tokens(), WallSeconds: secondsOf(m), Data: r.plan.Info.Fingerprint,
		LMName: r.plan.Data.LMName, Layer: r.plan.Data.Layer, Submodule: r.plan.Data.SubmoduleName,
	}
	progress.doing("exporting the model")
	if err := a.export(ctx, r.id, result, state, set.Info().Scale); err != nil {
		return err
	}
	// The result comes last: where it is, the model is too. Of several attempts
	// the first to finish counts.
	if _, err := storage.PutJSONOnce(ctx, a.store, sweep.ResultKey(r.id), result); err != nil {
		return err
	}
	if err := a.store.Delete(ctx, sweep.FailureKey(ref.Sweep, r.cell.ID)); err != nil {
		return err
	}
	return a.clear(ctx, r.id)
}

// clear removes the objects of a stage that has a result.
func (a *Activities) clear(ctx context.Context, id string) error {
	stage, err := storage.ListStage(ctx, a.store, id)
	if err != nil {
		return err
	}
	_, err = storage.Remove(ctx, a.store, stage.Objects)
	return err
}
