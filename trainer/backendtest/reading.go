package backendtest

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"

	"github.com/topksweep/sweep/trainer"
)

// watched is data that notes when it is read although nobody may.
type watched struct {
	trainer.Batches
	fails  atomic.Int64 // the step whose batch cannot be read; -1: none
	closed atomic.Bool  // nobody may read
	late   atomic.Int64 // reads in which closed was set
}

var errRead = errors.New("the disk is gone")

func (w *watched) Batch(seed, step int64, x []float32) error {
	if step == w.fails.Load() {
		return errRead
	}
	err := w.Batches.Batch(seed, step, x)
	if w.closed.Load() {
		w.late.Add(1)
	}
	return err
}

// reading checks what a model makes of its data: an error comes in the step whose
// batch it is, and the model goes on when the data can be read again; a loop that
// is left early, and a context that is done, end the reading; none of it shows
// in the bits.
func reading(t *testing.T, b trainer.Backend) {
	c := config("corrected")
	undisturbed := model(t, b, c, trainer.Init(c), Data(c))
	Train(t, undisturbed, 20)
	data := &watched{Batches: Data(c)}
	m := model(t, b, c, trainer.Init(c), data)
	done := int64(0)
	// run takes steps until one is the last.
	run := func(ctx context.Context, last func() bool) error {
		data.closed.Store(false)
		defer data.closed.Store(true)
		for _, err := range m.Steps(ctx, 20) {
			if err != nil {
				return err
			}
			if done++; last() {
				break
			}
		}
		return nil
	}

	data.fails.Store(3)
	for range 2 {
		if err := run(t.Context(), func() bool { return false }); !errors.Is(err, errRead) || done != 3 {
			t.Fatalf("after %d steps: error %v, want the data's in step 3", done, err)
		}
	}
	data.fails.Store(-1)
	for done < 12 {
		if err := run(t.Context(), func() bool { return true }); err != nil { // one step
			t.Fatal(err)
		}
	}
	enough := errors.New("enough")
	ctx, cancel := context.WithCancelCause(t.Context())
	defer cancel(nil)
	err := run(ctx, func() bool {
		if done == 15 {
			cancel(enough)
		}
		return false
	})
	if done < 20 && !errors.Is(err, enough) {
		t.Errorf("after %d steps: error %v, want the context's cause", done, err)
	}
	if err := run(t.Context(), func() bool { return false }); err != nil || done != 20 {
		t.Fatalf("after %d steps: error %v", done, err)
	}
	SameState(t, c, save(t, m, c), save(t, undisturbed, c))
	if n := data.late.Load(); n > 0 {
		t.Errorf("the data was read %d times after the loop over the steps had ended", n)
	}

	m = model(t, b, c, trainer.Init(c), nil)
	if _, err := step(t, m, 0); !errors.Is(err, trainer.ErrNoData) {
		t.Errorf("a model without data: error %v", err)
	}
}
