package activities

import (
	"context"
	"errors"
	"fmt"
	"time"

	"go.temporal.io/sdk/activity"

	"github.com/topksweep/sweep/storage"
	"github.com/topksweep/sweep/sweep/ledger"
	"github.com/topksweep/sweep/sweep/plan"
	"github.com/topksweep/sweep/sweep/protocol"
	"github.com/topksweep/sweep/trainer"
)

// lastWords is how long a stage that must stop may take to save its state.
const lastWords = 5 * time.Minute

// TrainStage trains one stage to its end, from the newest checkpoint on that it
// can begin at, and leaves a checkpoint there. A stage that others share also
// ends before the first step in which a latent is dead. Told to stop, it saves
// and hands the stage back.
func (a *Activities) TrainStage(ctx context.Context, ref protocol.StageRef) (protocol.Trained, error) {
	t, err := a.train(ctx, ref)
	return t, outcome(ctx, err)
}

func (a *Activities) train(ctx context.Context, ref protocol.StageRef) (protocol.Trained, error) {
	all := protocol.Trained{Reached: ref.To}
	r, err := a.load(ctx, ref.CellRef)
	if err != nil {
		return all, err
	}
	cfg := r.cell.Config
	most := cfg.Steps
	if ref.Level < plan.LevelSchedule {
		most = plan.Peel(cfg)
	}
	if ref.To > most {
		return all, fmt.Errorf("%w: the stored trees of %s train a %s of cell %s to step %d, which it shares to step %d; submit the grid again", ErrConfig, ref.Sweep, ref.Level, r.cell.ID, ref.To, most)
	}
	progress, stop := a.startProgress(ctx, ref, r)
	defer stop()
	alone := ref.Level == plan.LevelRun
	if alone {
		if done, err := a.result(ctx, r.id); done != nil || err != nil {
			return all, err
		}
		// A failure of before is history once the cell runs again.
		if err := a.store.Delete(ctx, ledger.FailureKey(ref.Sweep, r.cell.ID)); err != nil {
			return all, err
		}
	}
	progress.doing("opening the data")
	set, err := a.data(ctx, r.header)
	if err != nil {
		return all, err
	}
	from, err := a.origins(ctx, r, ref.Level, ref.To)
	if err != nil {
		return all, err
	}
	need := hostBytes(a.backend, cfg)
	if ref.Level.UntilDead() {
		need += plan.StateBytes(cfg)
	}
	release, err := a.memory.reserve(need)
	if err != nil {
		return all, err
	}
	defer release()
	progress.doing("reading the checkpoint")
	begin, claim, err := a.begin(ctx, from, cfg, ref.To)
	if err != nil || claim == nil {
		return all, err
	}
	a.log.Info("training", "stage", from[0].Stage, "cell", r.cell.ID, "level", ref.Level, "from", begin.Step, "to", ref.To, "attempt", claim.Attempt())
	progress.begin(begin.Step)
	loop, err := trainer.Start(a.backend, cfg, begin.State, set)
	if err != nil {
		return all, err
	}
	defer loop.Close()
	dead, err := watch(ref.Level.UntilDead(), loop, cfg, begin.State)
	if err != nil {
		return all, err
	}
	now, first := a.now(), int(begin.Step) // its memory is the checkpointer's from here on
	k := &checkpointer{
		checkpoints: from[0].Checkpoints, claim: claim, loop: loop, cfg: cfg, now: a.now,
		every: r.header.Run.Checkpoint.Every, keep: r.header.Run.Checkpoint.Keep, log: a.log.With("stage", from[0].Stage),
		seconds: begin.seconds, begun: now, last: now, saved: begin.Step, spare: begin.State,
	}
	if alone {
		k.cleared = func(ctx context.Context) (bool, error) { done, err := a.result(ctx, r.id); return done != nil, err }
	}
	stopping := activity.GetWorkerStopChannel(ctx)
	err = loop.Run(ctx, int64(ref.To), func(done int64, s trainer.Stats) error {
		if err := dead.step(s); err != nil {
			return err
		}
		now := a.now()
		progress.step(now, done, s, cfg.BatchSize)
		select {
		case <-stopping:
			return ErrStopping
		default:
			return k.step(ctx, now)
		}
	})
	if errors.Is(err, errDead) {
		all.Reached, err = int(dead.state.Step), nil
	}
	if err != nil && !errors.Is(err, ErrStopping) && (ctx.Err() == nil || !errors.Is(err, context.Cause(ctx))) {
		k.wait() // the model may be in the middle of a step: it is not to be saved
		return all, err
	}
	// Done, told to stop, or canceled: what is trained is kept.
	progress.doing("saving the checkpoint")
	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), lastWords)
	defer cancel()
	var saved error
	switch {
	case err != nil || alone:
		saved = k.finish(last)
	case all.Reached < ref.To:
		saved = k.fork(last, dead.state, begin.own)
	default:
		saved = k.forkHere(last)
	}
	if begin.own && all.Reached > first { // what earlier attempts trained counts
		first = ref.From
	}
	all.Steps = all.Reached - max(first, ref.From)
	if saved != nil {
		if err == nil {
			return all, saved
		}
		return all, fmt.Errorf("%w; %w", err, saved)
	}
	return all, err
}

// begin claims a stage and loads the state to begin with. The claim is nil if
// there is nothing to train: the stage's last checkpoint is there.
func (a *Activities) begin(ctx context.Context, from origins, c trainer.Config, to int) (*start, *storage.Claim, error) {
	// Looking does not need the claim, and taking it would stop whoever trains
	// the trajectory beyond this stage.
	if step, ok, err := from[0].Newest(ctx, int64(to)); err != nil {
		return nil, nil, err
	} else if ok && step == int64(to) {
		if s, err := from.restore(ctx, c); err != nil || s.Step == int64(to) {
			return s, nil, err
		}
	}
	claim, err := from[0].Claim(ctx)
	if err != nil {
		return nil, nil, err
	}
	s, err := from.restore(ctx, c)
	if err != nil || s.Step == int64(to) {
		return s, nil, err
	}
	return s, claim, nil
}
