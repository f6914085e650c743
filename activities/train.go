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

// TrainStage trains one stage to its end, from the newest checkpoint that it can
// begin at, and leaves a checkpoint there. A stage that cells of different AuxK
// settings may share also ends before the first step in which a latent is dead. When
// the worker is told to stop, it saves the state and ends with ErrStopping, and another
// worker goes on. It returns the loss of the last step that it trained and kept.
func (a *Activities) TrainStage(ctx context.Context, ref protocol.StageRef) (protocol.Trained, error) {
	return try(ctx, a, func(ctx context.Context) (protocol.Trained, error) {
		progress, stop := a.startProgress(ctx, ref)
		defer stop()
		defer a.waiting.begin()()
		t, err := watched(ctx, a, progress, func(ctx context.Context) (protocol.Trained, error) {
			return a.trainStage(ctx, ref, progress)
		})
		t.Of = &ref
		return t, err
	})
}

func (a *Activities) trainStage(
	ctx context.Context, ref protocol.StageRef, progress *progress,
) (out protocol.Trained, err error) {
	done := protocol.Trained{Reached: ref.To}
	r, err := a.load(ctx, ref.CellRef)
	if err != nil {
		return done, err
	}
	progress.of(r)
	t := &training{a: a, run: r, ref: ref, progress: progress, entered: a.now()}
	ctx, t.pass = a.gate.pass(ctx)
	defer t.pass.close()
	defer func() {
		p := recover()
		if t.loop != nil {
			a.logOf(ctx).Info("trained", "folder", t.claiming.folder, "claim", t.claiming.claim.Attempt(),
				"from", t.firstStep, "to", t.loop.Step())
		}
		t.close()
		err = t.claiming.end(ctx, err, p)
	}()
	if todo, err := t.openUnlessStopped(ctx); !todo || err != nil {
		return done, err
	}
	trained := t.train(ctx)
	if trained == nil && t.evaluates() {
		return t.complete(ctx)
	}
	return t.conclude(ctx, trained)
}

// A training is one attempt at a stage: open, train, conclude, close.
type training struct {
	a *Activities
	*run
	ref      protocol.StageRef
	progress *progress
	claiming *claiming // nil before the stage's folder is known

	entered     time.Time // when the attempt at the run began
	data        *attemptData
	backend     trainer.Backend // that it trains on
	loop        *trainer.Loop
	saver       *checkpointer
	deaths      *deathWatch // nil for a stage that goes on when a latent dies
	loss        float64     // of the last step that the attempt trained and kept; 0 before the first
	firstStep   int         // the step that the attempt began with
	inOwnFolder bool        // it began at a checkpoint in the stage's own folder
	release     func()      // of the host's memory
	closeModel  func()      // frees the device's memory for those that wait for it, once; nil before it is taken
	pass        *pass       // at the gate of the process
	handOver    func()      // keeps the last state for those that begin there; nil for none
	waited      bool        // for room in the store: others may train alone since
}

// openUnlessStopped is open, which ends with ErrStopping if the worker is told to stop meanwhile: reading a large
// checkpoint takes long, and nothing is lost yet.
func (t *training) openUnlessStopped(ctx context.Context) (todo bool, err error) {
	ctx, end := untilStop(ctx)
	defer end()
	todo, err = t.open(ctx)
	return todo, interrupted(ctx, err)
}

// open checks the stage, claims its folder and puts its model on the device. todo is
// false if there is nothing to train: the run has its result, or the last checkpoint
// of the stage is stored.
func (t *training) open(ctx context.Context) (todo bool, err error) {
	if err := t.checkSpan(); err != nil {
		return false, err
	}
	if t.alone() {
		if result, err := t.a.result(ctx, t.id); result != nil || err != nil {
			return false, err
		}
		// The cell runs again: why it failed before does not hold any more.
		if err := t.a.ledger.DeleteFailure(ctx, t.ref.Sweep, t.cell.ID); err != nil {
			return false, err
		}
	}
	if err := t.a.checkDevice(t.cell.Config); err != nil {
		return false, err
	}
	from, err := t.a.origins(ctx, t.run, t.ref.Level, t.ref.To)
	if err != nil {
		return false, err
	}
	rule := classRule{t.a.backend, t.ref.MixClasses}
	if err := rule.check(ctx, from, t.ref.To); err != nil {
		return false, err
	}
	t.claiming = t.a.claiming(ctx, from[0].Checkpoints, from[0].Folder, t.progress.doing)
	// Who has the folder is of no matter if there is nothing to train: it may train a later stage.
	if stored, err := from.isStored(ctx, t.ref.To); err != nil {
		return false, err
	} else if !stored {
		if err := t.enter(ctx); err != nil {
			return false, err
		}
	}
	leave, err := t.prepare(ctx)
	if err != nil {
		return false, err
	}
	defer leave()
	t.progress.doing("reading the checkpoint")
	start, claim, err := from.claimAndRestore(
		ctx, t.cell.Config, t.ref.To, rule, t.a.beginning(t.run), t.take)
	if err != nil || start.Step == int64(t.ref.To) {
		return false, err
	}
	attemptOf(ctx).claim()
	backend, err := rule.on(start.spans) // another attempt may have saved a newer checkpoint since check
	if err != nil {
		return false, err
	}
	if t.alone() {
		// A rival may have finished the run, and removed its folder, since the first look for its result.
		if result, err := t.a.result(ctx, t.id); result != nil || err != nil {
			return false, err
		}
	}
	return true, t.begin(ctx, backend, start, claim)
}

// enter waits until nobody else alive has the stage's folder, and until the attempt may train in this process.
func (t *training) enter(ctx context.Context) error {
	if err := t.claiming.look(ctx); err != nil {
		return err
	}
	return t.a.enter(ctx, t.pass, t.claiming, "training", t.progress)
}

// take claims the stage's folder. A stage whose last checkpoint is listed, and turns out to be damaged, enters late.
func (t *training) take(ctx context.Context) (*storage.Claim, error) {
	if !t.claiming.looked {
		if err := t.enter(ctx); err != nil {
			return nil, err
		}
	}
	return t.claiming.take(ctx)
}

// span is what the attempt trains: from which step, for how many runs, on what.
func (t *training) span() ledger.Span {
	h := t.loop.Hardware()
	return ledger.Span{
		From: t.loop.Step(), Cells: max(0, t.ref.Cells), Class: h.Class, Device: h.Device, Build: t.a.Build,
	}
}

// alone says that the stage is a branch: it trains one cell to its end.
func (t *training) alone() bool { return t.ref.Level == plan.LevelRun }

// checkSpan refuses a stage that goes beyond the steps in which its cells train
// alike: its plan is damaged.
func (t *training) checkSpan() error {
	cfg := t.cell.Config
	most := cfg.Steps
	if t.ref.Level < plan.LevelSchedule {
		most = plan.PrefixSteps(cfg)
	}
	if t.ref.To > most {
		err := fmt.Errorf("%w: the stored trees of %s train a %s of cell %s to step %d, "+
			"which it shares to step %d; submit the grid again", ErrConfig, t.ref.Sweep, t.ref.Level, t.cell.ID, t.ref.To, most)
		return storage.Mark(err, errOtherPlan)
	}
	return nil
}

// train trains the stage, with checkpoints beside it. The error is errDead if a
// latent died, ErrStopping if the worker is told to stop, and the cause of ctx if
// the activity is canceled, paused or reset.
func (t *training) train(ctx context.Context) error {
	stopping := activity.GetWorkerStopChannel(ctx)
	return t.loop.Run(ctx, int64(t.ref.To), func(done int64, s trainer.Stats) error {
		if t.deaths != nil {
			if err := t.deaths.step(s); err != nil {
				return err
			}
		}
		if err := t.claiming.lost(); err != nil {
			return err
		}
		t.loss = s.Loss
		now := t.a.now()
		t.progress.step(now, done, s, t.cell.Config.BatchSize)
		if t.claiming.suspected && now.Sub(t.saver.began) >= t.a.alone {
			t.claiming.suspected = false // it has done no harm for long, and the store may have no room for its checkpoints
			t.pass.share()
		}
		watchOf(ctx).move()
		select {
		case <-stopping:
			return ErrStopping
		default:
			return t.saver.step(ctx, now)
		}
	})
}

// saveWithin is how long a stage that is told to end may take to save its state. One that has come to its end may take
// as long as it needs.
const saveWithin = 5 * time.Minute

// conclude saves what is trained, and says how far the stage has come. err is what
// train returned. If the store is full it waits for room, unless the stage must end.
func (t *training) conclude(ctx context.Context, err error) (protocol.Trained, error) {
	out := protocol.Trained{Reached: t.ref.To, Loss: t.loss}
	if errors.Is(err, errDead) {
		out.Reached, err = int(t.deaths.before.Step), nil
	}
	err = interrupted(ctx, err)
	canceled := ctx.Err() != nil && errors.Is(err, context.Cause(ctx))
	if err != nil && !errors.Is(err, ErrStopping) && !canceled {
		t.saver.wait() // nothing more is saved: the model may be in the middle of a step
		return out, t.data.explain(ctx, err)
	}
	// The stage is done, or told to stop, or canceled, paused or reset: what is trained is kept.
	t.progress.doing("saving the checkpoint")
	early := err != nil
	if !early {
		t.pass.keep()
	}
	save := func() error { return t.save(ctx, early, out.Reached) }
	saved := save()
	if !early && saved != nil {
		t.pass.leave() // it trains no more, and may wait for long
		t.waited = true
		saved, err = t.awaitRoom(ctx, saved, save)
	}
	out.Steps = t.stepsTo(out.Reached)
	switch {
	case saved == nil:
		if err == nil {
			t.handOver = t.handingOver(int64(out.Reached))
		}
		return out, err
	case err == nil:
		return out, saved
	case !errors.Is(saved, storage.ErrFenced): // else another attempt has trained it
		t.a.notSaved(ctx, t.cell.ID, saved, errors.Is(err, ErrStopping))
	}
	return out, fmt.Errorf("%w; %w", err, saved)
}

// stepsTo returns how many steps the attempt reports where the stage has reached a step.
//
// The attempt reports the steps of the stage that were trained in it, for the sweep's total. Where it began at a
// checkpoint in the stage's own folder, an earlier attempt at the stage ended before it could report: its steps
// count too. Example of a stage from step 100 to 200:
//
//	began at 150, in the stage's own folder        100 steps, those of the earlier attempt among them
//	began at 150, in a folder of another sweep      50 steps: the other sweep counts the first 50
//	began at 90, in the trunk's: the fork is lost  100 steps: the first 10 belong to the trunk
//	began at 150, and a latent is dead in step 150   0 steps: the stage ends where the attempt began
func (t *training) stepsTo(reached int) int {
	first := t.firstStep
	if t.inOwnFolder && reached > first {
		first = t.ref.From
	}
	return reached - max(first, t.ref.From)
}

// notSaved notes that a stage of a cell had to end, and could not save what it had trained. stopping says that it ended
// with the worker.
func (a *Activities) notSaved(ctx context.Context, cell string, err error, stopping bool) {
	a.logOn(ctx, cell).Warn("what was trained since the last checkpoint is not saved", "error", err)
	if !stopping {
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.unsaved = err
}

// save stores what is trained. early says that the stage ends before its end; reached is
// the step to which it is trained. It also saves when ctx is canceled. If the store has
// no room, it removes older checkpoints of the stage and tries again: what else would
// free room, such as the evaluation of another run, may be waiting for this slot. The
// checkpoint that stays is one that this attempt has restored or saved.
func (t *training) save(ctx context.Context, early bool, reached int) error {
	ctx, cancel := t.a.savingContext(ctx)
	defer cancel()
	err := t.saveOnce(ctx, early, reached)
	if errors.Is(err, storage.ErrNoSpace) {
		t.saver.prune(ctx, 1)
		err = t.saveOnce(ctx, early, reached)
	}
	return err
}

func (t *training) saveOnce(ctx context.Context, early bool, reached int) error {
	switch {
	case early || t.alone():
		return t.saver.finish(ctx)
	case reached < t.ref.To:
		return t.saver.fork(ctx, t.deaths.before, t.inOwnFolder)
	}
	return t.saver.forkHere(ctx)
}

// handingOver returns what keeps the state after step reached, in which the stage has come to its end, for the stages
// that begin there or for the evaluation. It returns nil if this attempt did not store that state.
func (t *training) handingOver(reached int64) func() {
	m, s := t.saver.stored, t.saver.buffer
	if d := t.deaths; d != nil && d.before != nil && s.Step != reached {
		s = d.before
	}
	if m == nil || m.Step != reached || s.Step != reached {
		return nil
	}
	uses := 1
	if !t.alone() {
		uses = t.ref.Cells
	}
	return func() { t.a.kept.keep(m, s, uses) }
}

// close frees what open took. The last state may be handed over: it has a part of the memory of its own then.
func (t *training) close() {
	if t.closeModel != nil {
		t.closeModel()
	}
	t.loop, t.saver, t.deaths, t.data = nil, nil, nil, nil // they refer to the state
	if t.release != nil {
		t.release()
	}
	if t.handOver != nil {
		t.handOver()
	}
}
