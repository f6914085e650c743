package activities

import (
	"context"
	"errors"
	"fmt"
	"time"

	"go.temporal.io/sdk/activity"

	"github.com/topksweep/sweep/storage"
	"github.com/topksweep/sweep/sweep"
	"github.com/topksweep/sweep/trainer"
)

// lastWords is how long a stage that must stop may take to save its state.
const lastWords = 5 * time.Minute

// TrainStage trains one run to its last step, from its newest checkpoint on, and
// leaves a checkpoint of that step. Told to stop, it saves and hands the stage
// back.
func (a *Activities) TrainStage(ctx context.Context, ref sweep.CellRef) error {
	return outcome(ctx, a.train(ctx, ref))
}

func (a *Activities) train(ctx context.Context, ref sweep.CellRef) error {
	r, err := a.load(ctx, ref)
	if err != nil {
		return err
	}
	cfg := r.cell.Config
	progress, stop := a.startProgress(ctx, ref.Cell, r)
	defer stop()
	if done, err := a.result(ctx, r.id); done != nil || err != nil {
		return err
	}
	// A failure of before is history once the cell runs again.
	if err := a.store.Delete(ctx, sweep.FailureKey(ref.Sweep, r.cell.ID)); err != nil {
		return err
	}
	progress.doing("opening the data")
	set, err := a.data(ctx, r.plan)
	if err != nil {
		return err
	}
	checkpoints, err := storage.NewCheckpoints(a.store, r.id, a.log)
	if err != nil {
		return err
	}
	release, err := a.memory.reserve(hostBytes(a.backend, cfg))
	if err != nil {
		return err
	}
	defer release()
	claim, err := checkpoints.Claim(ctx)
	if err != nil {
		return err
	}
	progress.doing("reading the checkpoint")
	state, seconds, err := restore(ctx, checkpoints, cfg)
	if err != nil {
		return err
	}
	if state.Step >= int64(cfg.Steps) {
		return nil
	}
	a.log.Info("training", "cell", r.cell.ID, "from", state.Step, "to", cfg.Steps, "attempt", claim.Attempt())
	loop, err := trainer.Start(a.backend, cfg, state, set)
	if err != nil {
		return err
	}
	defer loop.Close()
	now := a.now()
	k := &checkpointer{
		checkpoints: checkpoints, claim: claim, loop: loop, cfg: cfg, now: a.now,
		cleared: func(ctx context.Context) (bool, error) { done, err := a.result(ctx, r.id); return done != nil, err },
		every:   r.plan.Run.Checkpoint.Every, keep: r.plan.Run.Checkpoint.Keep, log: a.log.With("cell", r.cell.ID),
		seconds: seconds, begun: now, last: now, saved: state.Step, spare: state,
	}
	stopping := activity.GetWorkerStopChannel(ctx)
	err = loop.Run(ctx, int64(cfg.Steps), func(done int64, s trainer.Stats) error {
		now := a.now()
		progress.step(now, done, s, cfg.BatchSize)
		select {
		case <-stopping:
			return ErrStopping
		default:
			return k.step(ctx, now)
		}
	})
	if err != nil && !errors.Is(err, ErrStopping) && (ctx.Err() == nil || !errors.Is(err, context.Cause(ctx))) {
		k.wait() // the model may be in the middle of a step: it is not to be saved
		return err
	}
	// Done, told to stop, or canceled: what is trained is kept.
	progress.doing("saving the checkpoint")
	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), lastWords)
	defer cancel()
	if saved := k.finish(last); saved != nil {
		if err == nil {
			return saved
		}
		return fmt.Errorf("%w; %w", err, saved)
	}
	return err
}
