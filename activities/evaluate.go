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
// are removed. It returns the metrics of the stored result, also of one that was there
// before. When the worker is told to stop while it measures, it ends with ErrStopping, and
// another worker begins again.
func (a *Activities) Evaluate(ctx context.Context, ref protocol.CellRef) (protocol.Evaluated, error) {
	return try(ctx, a, func(ctx context.Context) (protocol.Evaluated, error) {
		progress, stop := a.startProgress(ctx, protocol.StageRef{CellRef: ref})
		defer stop()
		defer a.waiting.begin()()
		metrics, err := watched(ctx, a, progress, func(ctx context.Context) (trainer.Metrics, error) {
			return a.evaluate(ctx, ref, progress)
		})
		if err != nil {
			return protocol.Evaluated{}, err
		}
		return protocol.Evaluated{Brief: plan.BriefOf(metrics), Of: &ref}, nil
	})
}

func (a *Activities) evaluate(
	ctx context.Context, ref protocol.CellRef, progress *progress,
) (metrics trainer.Metrics, err error) {
	r, err := a.load(ctx, ref)
	if err != nil {
		return trainer.Metrics{}, err
	}
	progress.of(r)
	if done, err := a.result(ctx, r.id); err != nil {
		return trainer.Metrics{}, err
	} else if done != nil {
		return done.Metrics, a.removeCheckpoints(ctx, r.id)
	}
	checkpoints, err := storage.NewCheckpoints(a.store, r.id, a.logOf(ctx))
	if err != nil {
		return trainer.Metrics{}, err
	}
	k := a.claiming(ctx, checkpoints, r.id, progress.doing)
	defer func() { err = k.end(ctx, err, recover()) }()
	return a.evaluateClaimed(ctx, ref, r, k, progress)
}

// evaluateClaimed is evaluate for a run without a result. No other sweep evaluates the run meanwhile.
func (a *Activities) evaluateClaimed(
	ctx context.Context, ref protocol.CellRef, r *run, k *claiming, progress *progress,
) (trainer.Metrics, error) {
	progress.trained()
	within, pass := a.gate.pass(ctx)
	defer pass.close()
	result, state, release, err := a.measure(within, r, ref, k, progress, pass)
	if err != nil {
		return trainer.Metrics{}, err
	}
	defer release()
	return a.record(ctx, ref, r, k, result, state, recording{progress: progress})
}

// measure waits until no other sweep has the run, claims its folder, reads its last checkpoint and measures its model.
// It returns the result and the state that belongs to it, without moments, which takes memory until release is called.
// The error is ErrStopping if the worker is told to stop.
func (a *Activities) measure(
	ctx context.Context, r *run, ref protocol.CellRef, k *claiming, progress *progress, pass *pass,
) (result ledger.Result, state *trainer.State, release func(), err error) {
	ctx, end := untilStop(ctx)
	defer end()
	fail := func(err error) (ledger.Result, *trainer.State, func(), error) {
		return ledger.Result{}, nil, nil, interrupted(ctx, err)
	}
	var free func()
	measured := false
	defer func() {
		if free != nil && !measured { // also after a panic: the process goes on
			free()
		}
	}()
	cfg := r.cell.Config
	if err := a.checkDevice(cfg); err != nil {
		return fail(err)
	}
	from, err := a.origins(ctx, r, plan.LevelRun, cfg.Steps)
	if err != nil {
		return fail(err)
	}
	rule := classRule{a.backend, ref.MixClasses}
	if err := rule.checkLast(ctx, from, int64(cfg.Steps)); err != nil {
		return fail(err)
	}
	if err := k.look(ctx); err != nil {
		return fail(err)
	}
	if err := a.enter(ctx, pass, k, "evaluation", progress); err != nil {
		return fail(err)
	}
	progress.doing("evaluating")
	set, err := a.data(ctx, r, progress)
	if err != nil {
		return fail(err)
	}
	need := hostmem.Bytes(a.backend, cfg) + trainer.EvaluateBytes(cfg) + saveBytes
	if free, err = a.reserve(ctx, progress, need); err != nil {
		return fail(err)
	}
	if _, err := k.take(ctx); err != nil {
		return fail(err)
	}
	attemptOf(ctx).claim()
	a.logOn(ctx, r.cell.ID).Info("evaluating")
	state = trainer.NewState(cfg)
	m, err := from.last(ctx, cfg, state)
	if err != nil {
		return fail(err)
	}
	progress.saved(m.Step, savedOf(m))
	// A model that only encodes needs no moments. Without them there is room for its own copy, and W_dec at unit norm.
	state.M, state.V = trainer.Params{}, trainer.Params{}
	spans := spansOf(m)
	backend, err := rule.on(spans)
	if err != nil {
		return fail(err)
	}
	metrics, class, err := a.metricsOf(ctx, backend, cfg, state, set, progress)
	if err != nil {
		return fail(err)
	}
	got := measurement{Metrics: metrics, class: class, spans: spans, seconds: secondsOf(m)}
	if err := a.measureRecovery(ctx, backend, cfg, state, set, progress, &got); err != nil {
		return fail(err)
	}
	if err := set.verify(ctx); err != nil {
		return fail(err)
	}
	if result, err = a.resultOf(r, state, set, got); err != nil {
		return fail(err)
	}
	measured = true
	return result, state, free, nil
}

// metricsOf measures the model of a state on the held-out rows, with a backend, and returns the class of its hardware.
func (a *Activities) metricsOf(
	ctx context.Context, b trainer.Backend, c trainer.Config, state *trainer.State, set *attemptData, progress *progress,
) (metrics trainer.Metrics, class string, err error) {
	var model trainer.Model
	err = a.awaitMemory(ctx, progress, false, func() (err error) {
		model, err = b.New(c, state, nil)
		return err
	})
	if err != nil {
		return trainer.Metrics{}, "", err
	}
	defer a.line.opened()()
	defer model.Close()
	progress.doing("evaluating")
	hardware := model.Hardware()
	progress.on(hardware)
	metrics, err = trainer.Evaluate(counted(ctx), model, c, state, set)
	if err != nil {
		return trainer.Metrics{}, "", set.explain(ctx, err)
	}
	return metrics, hardware.Class, nil
}
