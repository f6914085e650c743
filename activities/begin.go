package activities

import (
	"context"
	"sync"
	"time"

	"github.com/topksweep/sweep/activities/hostmem"
	"github.com/topksweep/sweep/storage"
	"github.com/topksweep/sweep/trainer"
)

// prepare opens the data and takes the host's memory. Few attempts of a worker do so at a time, until leave is called.
func (t *training) prepare(ctx context.Context) (leave func(), err error) {
	leave, err = t.a.place(ctx, t.progress)
	if err != nil {
		return nil, err
	}
	if err := t.openAndReserve(ctx); err != nil {
		leave()
		return nil, err
	}
	return leave, nil
}

// openAndReserve is prepare in its place.
func (t *training) openAndReserve(ctx context.Context) (err error) {
	t.progress.doing("opening the data")
	if t.data, err = t.a.data(ctx, t.run, t.progress); err != nil {
		return err
	}
	cfg := t.cell.Config
	need := hostmem.Bytes(t.a.backend, cfg)
	if t.ref.Level.UntilDead() {
		need += cfg.StateBytes() // the copy before a step in which a latent may die
	}
	measuring := trainer.HeldOutBytes(cfg)
	if t.evaluates() {
		measuring = max(measuring, trainer.EvaluateBytes(cfg)) // not at the same time
	}
	need += measuring + saveBytes
	t.release, err = t.a.reserve(ctx, t.progress, need)
	return err
}

// begin puts the model on the device and makes ready what saves its state. The attempt has the claim of its folder.
func (t *training) begin(ctx context.Context, backend trainer.Backend, start *start, claim *storage.Claim) error {
	cfg, folder := t.cell.Config, t.claiming.folder
	t.a.logOn(ctx, t.cell.ID).Info("training", "folder", folder, "level", t.ref.Level,
		"from", start.Step, "to", t.ref.To, "claim", claim.Attempt())
	t.progress.startAt(start.Step, t.a.now())
	t.firstStep, t.inOwnFolder = int(start.Step), start.inOwnFolder
	err := t.a.awaitMemory(ctx, t.progress, false, func() (err error) {
		t.loop, err = trainer.Start(backend, cfg, start.State, t.data)
		return err
	})
	if err != nil {
		return err
	}
	t.backend = backend
	closed := t.a.line.opened()
	t.closeModel = sync.OnceFunc(func() { t.loop.Close(); closed() })
	t.progress.doing("beginning to train")
	t.claiming.step = t.loop.Step
	t.progress.on(t.loop.Hardware())
	if start.Step > 0 {
		t.progress.saved(start.Step, start.saved)
	}
	if t.ref.Level.UntilDead() {
		if t.deaths, err = newDeathWatch(t.loop, cfg, start.State); err != nil {
			return err
		}
	}
	now := t.a.now()
	t.saver = &checkpointer{
		checkpoints: t.claiming.checkpoints, claim: claim, loop: t.loop, cfg: cfg, now: t.a.now, verify: t.data.verify,
		every: t.header.Run.Checkpoint.Every, keep: t.header.Run.Checkpoint.Keep, closeModel: t.closeModel,
		log: t.a.logOn(ctx, t.cell.ID).With("folder", folder), metrics: t.a.metrics,
		seconds: start.seconds, before: start.spans, attempt: t.span(), began: now, last: now, saved: start.Step,
		onSaved: func(step int64, at time.Time) { t.pass.share(); t.progress.saved(step, at) },
		buffer:  start.State, // the loop has its own copy: this memory holds checkpoints from here on
	}
	if t.claiming.suspected {
		t.saver.early = t.a.early
	}
	if t.alone() {
		t.saver.hasResult = func(ctx context.Context) (bool, error) {
			result, err := t.a.result(ctx, t.id)
			return result != nil, err
		}
	}
	return nil
}
