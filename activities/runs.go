package activities

import (
	"context"
	"errors"
	"runtime/debug"
	"slices"
	"time"

	"github.com/topksweep/sweep/storage"
	"github.com/topksweep/sweep/sweep/ledger"
	"github.com/topksweep/sweep/sweep/plan"
	"github.com/topksweep/sweep/sweep/protocol"
	"github.com/topksweep/sweep/trainer"
)

// TrainRuns trains, evaluates and records short runs one after the other. While one trains, the model and the result of
// the one before are stored:
//
//	slot    train 1 · evaluate 1 | train 2 · evaluate 2 | train 3 · evaluate 3
//	beside                         record 1               record 2               record 3
//
// It is the way of runs that nothing is known of: their checkpoint folders are empty, and nobody has claimed them. A
// run for which anything is otherwise, or goes wrong, is left to TrainStage, which knows what to do about it, and tells
// people. So TrainRuns says of such a run only that it is to be trained alone. It returns early when it is told to end,
// and when it has taken much longer than forecast: the runs that it has not begun may go to other slots.
func (a *Activities) TrainRuns(ctx context.Context, ref protocol.RunsRef) (protocol.Ran, error) {
	return try(ctx, a, func(ctx context.Context) (protocol.Ran, error) {
		first := protocol.StageRef{Cells: 1}
		if len(ref.Cells) > 0 {
			first.Cell = ref.Cells[0]
		}
		progress, stop := a.startProgressEvery(ctx, runsBeats*a.beat, first)
		defer stop()
		defer a.waiting.begin()()
		return watched(ctx, a, progress, func(ctx context.Context) (protocol.Ran, error) {
			return a.trainRuns(ctx, ref, progress)
		})
	})
}

// runsBeats is how many heartbeats of other activities pass between two of TrainRuns: each costs a server several
// milliseconds, which is much for 16 slots with runs of a second, and says little of such runs.
const runsBeats = 3

func (a *Activities) trainRuns(ctx context.Context, ref protocol.RunsRef, progress *progress) (protocol.Ran, error) {
	began := a.now()
	noted, err := a.ledger.NotedCells(ctx, ref.Sweep)
	if err != nil {
		return protocol.Ran{}, err
	}
	k := runChain{a: a, progress: progress, noted: noted}
	for i, cell := range ref.Cells {
		if i > 0 && (isTold(ctx) || a.now().Sub(began) >= protocol.RunsMost) {
			break
		}
		if !k.run(ctx, protocol.CellRef{Sweep: ref.Sweep, Cell: cell, MixClasses: ref.MixClasses}) {
			break
		}
	}
	k.wait(ctx)
	if k.failed != nil && len(k.out.Runs) == 0 {
		return protocol.Ran{}, k.failed
	}
	k.out.Seconds = a.now().Sub(began).Seconds()
	k.keepBriefs(mostRanBriefs)
	return k.out, nil
}

// A runChain is runs that one activity trains one after the other, as far as it has come.
type runChain struct {
	a        *Activities
	progress *progress
	noted    map[string]bool // IDs of cells that have a note that they failed or were canceled
	out      protocol.Ran
	storing  chan recorded // gives the outcome of the run that is being recorded; nil if none is
	failed   error         // what may be the worker's fault: a worker that can train nothing must not look like a good one
}

// recorded is what the recording of a run has come to.
type recorded struct {
	run protocol.RanRun
	err error
}

// run trains and evaluates one run, and begins to record it. It returns false if the chain is to end.
func (k *runChain) run(ctx context.Context, ref protocol.CellRef) (more bool) {
	s := &shortRun{noted: k.noted}
	// What is being trained may end: that takes less time than to save it, and to begin again.
	late, end := lateContext(ctx, k.a.renew)
	err := s.train(late, k.a, ref, k.progress)
	k.wait(ctx)
	switch {
	case err != nil:
		end()
		kind, why, known := resolve(ctx, err)
		if ctx.Err() == nil && !errors.Is(err, ErrStopping) || errors.Is(why, ErrStuck) {
			k.out.Alone = append(k.out.Alone, ref.Cell)
		}
		if known && kind.of == ofWorker || !known && !isInterruption(ctx, err) && !errors.Is(err, errNotShort) {
			k.failed = why
		}
		return known && kind.of == ofCell || errors.Is(err, errNotShort) || errors.Is(err, ErrElsewhere)
	case s.brief != nil: // somebody has stored its result
		end()
		k.out.Runs = append(k.out.Runs, protocol.RanRun{Cell: ref.Cell, Brief: s.brief})
		return true
	}
	k.storing = make(chan recorded, 1)
	go func(to chan<- recorded) {
		defer end()
		to <- s.record(late, ref)
	}(k.storing)
	return true
}

// wait waits until what is being recorded is stored.
func (k *runChain) wait(ctx context.Context) {
	if k.storing == nil {
		return
	}
	r := <-k.storing
	k.storing = nil
	if r.err != nil {
		k.a.logOf(ctx).Warn("a run is not recorded, and is trained again", "number", r.run.Cell, "error", r.err)
		k.out.Alone = append(k.out.Alone, r.run.Cell)
		return
	}
	k.out.Runs = append(k.out.Runs, r.run)
}

// mostRanBriefs is the number of runs of one TrainRuns of which a history gets the metrics: they are for people, who
// look at the best ones, and stay in the history for good.
const mostRanBriefs = 8

// keepBriefs leaves the metrics of the n runs with the least nmse.
func (k *runChain) keepBriefs(n int) {
	order := make([]int, len(k.out.Runs))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(x, y int) int {
		return compareNMSE(k.out.Runs[x].Brief.NMSE, k.out.Runs[y].Brief.NMSE)
	})
	for _, i := range order[min(n, len(order)):] {
		k.out.Runs[i].Brief = nil
	}
}

// errNotShort says that a run is not to be trained by TrainRuns: something is known of it.
var errNotShort = errors.New("another attempt has been at the run")

// A shortRun is one run of a chain.
type shortRun struct {
	*training
	noted  map[string]bool
	brief  *plan.Brief // of the result that was there already; nil if the run was trained
	result ledger.Result
	state  *trainer.State
}

// train trains and measures the run. If it returns an error, or has found a result, the attempt at the run has ended;
// else record ends it.
func (s *shortRun) train(ctx context.Context, a *Activities, ref protocol.CellRef, progress *progress) (err error) {
	r, err := a.load(ctx, ref)
	if err != nil {
		return err
	}
	stage := protocol.StageRef{
		CellRef: ref, Level: plan.LevelRun, To: r.cell.Config.Steps, Cells: 1, Evaluate: true,
	}
	progress.next(stage)
	progress.of(r)
	s.training = &training{a: a, run: r, ref: stage, progress: progress, entered: a.now()}
	ctx, s.pass = a.gate.pass(ctx)
	defer func() {
		if p := recover(); p != nil || err != nil || s.brief != nil {
			err = s.endAttempt(ctx, err, p)
		}
	}()
	if err := s.openUnlessStopped(ctx); err != nil || s.brief != nil {
		return err
	}
	if err := s.training.train(ctx); err != nil {
		_, err = s.conclude(ctx, err)
		return err
	}
	s.pass.keep()
	s.saver.ended = a.now()
	if err := s.saver.wait(); err != nil {
		return err
	}
	if s.saver.unsaved() >= a.renew { // it took longer than forecast
		if err := s.save(ctx, true, s.ref.To); err != nil {
			return err
		}
	}
	if s.result, s.state, err = s.measure(ctx); err != nil {
		s.keepTrained(ctx)
	}
	return err
}

// endAttempt frees what the attempt has, and says in the store how it ended.
func (s *shortRun) endAttempt(ctx context.Context, err error, p any) error {
	s.close()
	err = s.claiming.end(ctx, err, p)
	s.pass.close()
	return err
}

func (s *shortRun) openUnlessStopped(ctx context.Context) error {
	ctx, end := untilStop(ctx)
	defer end()
	return interrupted(ctx, s.open(ctx))
}

// open claims the run's checkpoint folder, which must be empty, and puts the model on the device. It costs one list,
// one write and one read of a store.
func (s *shortRun) open(ctx context.Context) error {
	a, cfg := s.a, s.cell.Config
	if err := a.checkDevice(cfg); err != nil {
		return err
	}
	checkpoints, err := storage.NewCheckpoints(a.store, s.id, a.logOf(ctx))
	if err != nil {
		return err
	}
	folder, err := storage.ListFolder(ctx, a.store, s.id)
	if err != nil {
		return err
	}
	if len(folder.Objects) > 0 {
		return errNotShort
	}
	s.claiming = a.claiming(ctx, checkpoints, s.id, s.progress.doing)
	s.claiming.looked = true
	if err := s.enterGate(ctx); err != nil {
		return err
	}
	leave, err := s.prepare(ctx)
	if err != nil {
		return err
	}
	defer leave()
	claim, err := s.claiming.take(ctx)
	if err != nil {
		return err
	}
	attemptOf(ctx).claim()
	// Whoever had the claim before has stored the result first. A plain read is enough: the first result counts anyhow.
	stored, err := a.ledger.Result(ctx, s.id)
	found, err := a.sound(ctx, s.id, stored, err)
	if err != nil {
		return err
	}
	if found != nil {
		brief := plan.BriefOf(found.Metrics)
		s.claiming.halt()
		s.brief = &brief
		if removed, err := claim.Remove(ctx); removed || err != nil {
			return err
		}
		return a.removeCheckpoints(ctx, s.id)
	}
	backend, err := classRule{a.backend, s.ref.MixClasses}.on(nil)
	if err != nil {
		return err
	}
	state, err := a.beginning(s.run)(ctx, cfg)
	if err != nil {
		return err
	}
	return s.begin(ctx, backend, &start{State: state}, claim)
}

// enterGate waits while another stage trains alone in the process.
func (s *shortRun) enterGate(ctx context.Context) error {
	s.progress.doing("waiting while another stage trains alone here")
	defer watchOf(ctx).wait()()
	return s.pass.enter(ctx, false, s.a.wait)
}

// record stores the model and the result, and ends the attempt. What ends the activity comes too late: it would lose
// what is trained.
func (s *shortRun) record(ctx context.Context, ref protocol.CellRef) (out recorded) {
	out.run = protocol.RanRun{Cell: ref.Cell, Steps: s.cell.Config.Steps}
	defer func() {
		if p := recover(); p != nil {
			out.err = panicError{p, debug.Stack()}
		}
		out.err = s.endAttempt(ctx, out.err, nil)
	}()
	saving, cancel := s.a.savingContext(ctx)
	defer cancel()
	metrics, err := s.a.record(saving, ref, s.run, s.claiming, s.result, s.state, recording{
		unnoted: !s.noted[s.cell.ID], bare: s.claiming.claim.Attempt() == 1 && !s.saver.begun,
		// Nobody takes a claim over before it was not renewed for longer than that.
		unstored: s.saver.stored == nil && time.Since(s.claiming.taken) >= 2*s.a.renew,
	})
	if err != nil {
		out.err = err
		return out
	}
	brief := plan.BriefOf(metrics)
	out.run.Brief = &brief
	return out
}

// lateContext returns a context that ends some time after ctx, for the same cause. end frees it.
func lateContext(ctx context.Context, by time.Duration) (_ context.Context, end func()) {
	late, cancel := context.WithCancelCause(context.WithoutCancel(ctx))
	go func() {
		select {
		case <-ctx.Done():
		case <-late.Done():
			return
		}
		timer := time.NewTimer(by)
		defer timer.Stop()
		select {
		case <-timer.C:
			cancel(context.Cause(ctx))
		case <-late.Done():
		}
	}()
	return late, func() { cancel(nil) }
}
