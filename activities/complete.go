package activities

import (
	"context"

	"github.com/topksweep/sweep/sweep/ledger"
	"github.com/topksweep/sweep/sweep/plan"
	"github.com/topksweep/sweep/sweep/protocol"
	"github.com/topksweep/sweep/trainer"
)

// evaluates says that the attempt also evaluates and records the run that its stage ends.
func (t *training) evaluates() bool {
	return t.ref.Evaluate && t.alone() && t.ref.To == t.cell.Config.Steps
}

// complete evaluates and records a run that is trained to its end. Its last state is stored before, unless training it
// again would take less time than passes between two renewals of a claim: the claim is all that such a run leaves in
// the store before its model. So a run of a second costs a few requests, and no attempt loses more than a few seconds.
//
// The outcome has no metrics where others may train alone in the process by now. Then the run is evaluated later.
func (t *training) complete(ctx context.Context) (out protocol.Trained, err error) {
	t.saver.ended = t.a.now()
	if err := t.saver.wait(); err != nil {
		return out, err
	}
	unstored := t.saver.unsaved() < t.a.renew
	if unstored {
		t.pass.keep()
		out = protocol.Trained{Reached: t.ref.To, Loss: t.loss, Steps: t.stepsTo(t.ref.To)}
	} else if out, err = t.conclude(ctx, nil); err != nil || t.waited {
		return out, err
	}
	result, state, err := t.measure(ctx)
	if err != nil {
		if unstored {
			t.keepTrained(ctx)
		}
		return out, err
	}
	t.handOver = nil
	metrics, err := t.a.record(ctx, t.ref.CellRef, t.run, t.claiming, result, state, recording{
		progress: t.progress, unstored: unstored,
	})
	if err != nil {
		return out, err
	}
	brief := plan.BriefOf(metrics)
	out.Brief, out.Seconds = &brief, t.a.now().Sub(t.entered).Seconds()
	return out, nil
}

// keepTrained stores the last state of a run that could not be measured: the attempt may be told to end.
func (t *training) keepTrained(ctx context.Context) {
	if err := t.save(ctx, true, t.ref.To); err != nil {
		t.a.logOn(ctx, t.cell.ID).Warn("the last state of a run is not stored", "error", err)
	}
}

// measure measures the trained model on the held-out rows, while it is on the device if it still is. It returns the
// result and the state that belongs to it, without moments.
func (t *training) measure(ctx context.Context) (result ledger.Result, state *trainer.State, err error) {
	now := t.saver.ended
	ctx, end := untilStop(ctx)
	defer end()
	fail := func(err error) (ledger.Result, *trainer.State, error) {
		return ledger.Result{}, nil, interrupted(ctx, err)
	}
	t.progress.doing("evaluating")
	state = t.saver.buffer
	var metrics trainer.Metrics
	var class string
	if t.saver.end != nil { // the model is closed, and this is its last state
		metrics, class, err = t.a.metricsOf(ctx, t.backend, t.cell.Config, state, t.data, t.progress)
	} else if err = t.loop.Save(state); err == nil {
		class = t.loop.Hardware().Class
		metrics, err = trainer.Evaluate(counted(ctx), t.loop.Encoder(), t.cell.Config, state, t.data)
		err = t.data.explain(ctx, err)
	}
	if err != nil {
		return fail(err)
	}
	if t.data.Directions() != nil { // the device has room for one model
		if err := t.saver.hold(); err != nil {
			return fail(err)
		}
	}
	m := measurement{
		Metrics: metrics, class: class, spans: t.saver.spans(state.Step, now),
		seconds: toMilliseconds(t.saver.seconds + t.saver.since(now)),
	}
	if err := t.a.measureRecovery(ctx, t.backend, t.cell.Config, state, t.data, t.progress, &m); err != nil {
		return fail(err)
	}
	if err := t.data.verify(ctx); err != nil {
		return fail(err)
	}
	result, err = t.a.resultOf(t.run, state, t.data, m)
	if err != nil {
		return fail(err)
	}
	state.M, state.V = trainer.Params{}, trainer.Params{}
	t.closeModel()
	return result, state, nil
}
