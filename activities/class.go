package activities

import (
	"context"
	"errors"
	"fmt"

	"github.com/topksweep/sweep/storage"
	"github.com/topksweep/sweep/sweep/ledger"
	"github.com/topksweep/sweep/trainer"
)

// A classRule says on hardware of which class a stage may go on from a checkpoint: on that which trained the
// last step, so that a run that is interrupted ends with the bits of one that is not. Any hardware goes on from a
// checkpoint of an earlier version, which states no class.
//
// Of several checkpoints the newest of the sweep's own folders counts, as without classes, also if an older one is of
// the class of this worker: the steps of the newest would be trained again, and branches would not have the class of
// their trunk. A run's folder is one of the sweep's own. Checkpoints in folders of other sweeps only save time, so that
// those of other classes are left out, and hold nobody up. For example, on a worker of class A:
//
//	own folders       another sweep's      the stage
//	–                 step 90, class A     begins at 90
//	–                 step 90, class B     begins at 0, on class A
//	step 50, class A  step 90, class B     begins at 50
//	step 50, class B  step 40, class A     waits for a worker of class B, which begins at 50
//	step 50, class B  step 90, class B     waits for a worker of class B, which begins at 90
type classRule struct {
	backend trainer.Backend
	mix     bool // any class goes on from any checkpoint
}

// classOf returns the class of the last of these spans; "" if that is not known, or if there is none.
func classOf(spans []ledger.Span) string {
	if len(spans) == 0 {
		return ""
	}
	return spans[len(spans)-1].Class
}

// on returns the backend on the hardware that may go on from a checkpoint with these spans. The error wraps
// trainer.ErrOtherClass if there is none here.
func (r classRule) on(spans []ledger.Span) (trainer.Backend, error) {
	class := classOf(spans)
	if r.mix || class == "" {
		return r.backend, nil
	}
	b, err := r.backend.OfClass(class)
	if errors.Is(err, trainer.ErrOtherClass) {
		return nil, fmt.Errorf("step %d was trained on %s, and the run goes on there: %w; "+
			"--mix-classes lets a run go on on any class, with other bits", spans[len(spans)-1].To, class, err)
	}
	return b, err
}

// newest returns the spans up to the newest checkpoint in the sweep's own folders; none if there is no checkpoint.
func (o origins) newest(ctx context.Context) (spans []ledger.Span, err error) {
	at := int64(0)
	for _, from := range o {
		if from.foreign {
			continue
		}
		step, ok, err := from.Newest(ctx, from.AtMost)
		if err != nil {
			return nil, err
		}
		if !ok || step <= at {
			continue
		}
		m, err := from.NewestManifest(ctx, from.AtMost)
		switch {
		case errors.Is(err, storage.ErrNotFound):
		case err != nil:
			return nil, err
		case m.Step > at:
			at, spans = m.Step, spansOf(m)
		}
	}
	return spans, nil
}

// check returns the error of on for the checkpoint that a stage would begin at in the sweep's own folders. It reads
// manifests alone, so that a worker of another class finds out before it opens the data or claims the folder. A stage
// whose last checkpoint, that of step to, is in its own folder trains nothing: any worker may find that out.
func (r classRule) check(ctx context.Context, o origins, to int) error {
	if r.mix {
		return nil
	}
	if step, ok, err := o[0].Newest(ctx, int64(to)); err != nil || ok && step == int64(to) {
		return err
	}
	spans, err := o.newest(ctx)
	if err == nil {
		_, err = r.on(spans)
	}
	return err
}

// checkLast is check for the checkpoint of the last step of a run, which is to be evaluated.
func (r classRule) checkLast(ctx context.Context, o origins, last int64) error {
	if r.mix {
		return nil
	}
	for _, from := range o {
		if from.AtMost < last {
			continue
		}
		m, err := from.NewestManifest(ctx, last)
		switch {
		case errors.Is(err, storage.ErrNotFound), err == nil && m.Step != last:
			continue
		case err != nil:
			return err
		}
		_, err = r.on(spansOf(m))
		return err
	}
	return nil
}

// admits reports whether a stage may begin at a checkpoint of another sweep: its class is that of the newest own
// checkpoint, or one of this worker's where there is none.
func (r classRule) admits(own []ledger.Span, m *storage.Manifest) (bool, error) {
	spans := spansOf(m)
	class := classOf(spans)
	if r.mix || class == "" {
		return true, nil
	}
	if c := classOf(own); c != "" {
		return c == class, nil
	}
	_, err := r.on(spans)
	if errors.Is(err, trainer.ErrOtherClass) {
		return false, nil
	}
	return err == nil, err
}
