package activities

import (
	"context"
	"io"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.temporal.io/sdk/activity"

	"github.com/topksweep/sweep/storage"
	"github.com/topksweep/sweep/sweep/plan"
	"github.com/topksweep/sweep/sweep/protocol"
)

// A momentStore calls at when an operation on a key begins for the first time. The operation fails with at's error.
type momentStore struct {
	storage.Store
	op, part string // the operation, and what the key contains
	once     sync.Once
	at       func(ctx context.Context) error
}

func (s *momentStore) reach(ctx context.Context, op, key string) (err error) {
	if op == s.op && strings.Contains(key, s.part) {
		s.once.Do(func() { err = s.at(ctx) })
	}
	return storage.Wrap(op, key, err)
}

func (s *momentStore) Get(ctx context.Context, key string) (io.ReadCloser, error) {
	if err := s.reach(ctx, "get", key); err != nil {
		return nil, err
	}
	return s.Store.Get(ctx, key)
}

func (s *momentStore) Put(ctx context.Context, key string, body io.ReaderAt, size int64) error {
	if err := s.reach(ctx, "put", key); err != nil {
		return err
	}
	return s.Store.Put(ctx, key, body, size)
}

func (s *momentStore) Delete(ctx context.Context, key string) error {
	if err := s.reach(ctx, "delete", key); err != nil {
		return err
	}
	return s.Store.Delete(ctx, key)
}

func (s *momentStore) PutNew(ctx context.Context, key string, data []byte) error {
	return storage.PutNew(ctx, s.Store, key, data)
}

// A way in which an activity is told to end.
type ending struct {
	name string
	do   func(w *testWorker)
	want func(t *testing.T, err error)
}

func endings() []ending {
	wantsType := func(name string) func(*testing.T, error) {
		return func(t *testing.T, err error) { t.Helper(); wantType(t, err, name, true) }
	}
	return []ending{
		{"stop", func(w *testWorker) { close(w.stop) }, wantsType("WorkerStopping")},
		{"cancel", func(w *testWorker) { w.cancel() }, wantCanceled},
		{"pause", func(w *testWorker) { w.end(activity.ErrActivityPaused) }, wantsType("Paused")},
		{"reset", func(w *testWorker) { w.end(activity.ErrActivityReset) }, wantsType("Reset")},
	}
}

// Whenever an activity is told to end, it does, without waiting for the store: its slot is free. The next attempt comes
// to the bytes of an undisturbed run. What has begun to be kept is kept, though.
func TestEndAtAnyMoment(t *testing.T) {
	calm := submit(t, openDir(t), makePlan(t, nil))
	calm.finish()
	want := calm.model()
	train := func(w *testWorker) error { return w.train() }
	evaluate := func(w *testWorker) error { return w.evaluate() }
	prepare := func(w *testWorker) error {
		return w.run(protocol.ActivityPrepare, protocol.ChunkRef{Sweep: w.plan.ID})
	}
	note := func(w *testWorker) error {
		return w.run(protocol.ActivityFail, protocol.FailInput{Sweep: w.plan.ID, Cells: []int{0}, Status: plan.Failed})
	}
	collect := func(w *testWorker) error { return w.run(protocol.ActivityCollect, w.plan.ID) }
	for _, c := range []struct {
		name, op, part string
		do             func(w *testWorker) error
		trained        bool     // before
		goesOn         []string // endings after which it goes on to its end
	}{
		{"reading the checkpoint to begin at", "get", "/data/", train, false, nil},
		{"reading the checkpoint to evaluate", "get", "/data/", evaluate, true, nil},
		{"exporting the model", "put", "models/", evaluate, true, []string{"stop"}},
		{"removing the checkpoints", "delete", "stages/", evaluate, true, []string{"stop", "cancel", "pause", "reset"}},
		{"reading the trees", "get", "trees-", prepare, true, nil},
		{"noting a failure", "put", "failures/", note, true, []string{"stop"}},
		{"reading the results", "get", "results/", collect, true, nil},
	} {
		for _, how := range endings() {
			t.Run(c.name+"/"+how.name, func(t *testing.T) {
				inner, p := openDir(t), makePlan(t, nil)
				first := submit(t, inner, p)
				trainUntil(t, inner, p, 10)
				if c.trained {
					if err := first.train(); err != nil {
						t.Fatal(err)
					}
				}
				reached := false
				store := &momentStore{Store: inner, op: c.op, part: c.part}
				w := newWorker(t, store, p)
				goesOn := slices.Contains(c.goesOn, how.name)
				store.at = func(ctx context.Context) error {
					reached = true
					how.do(w)
					if goesOn {
						return nil
					}
					<-ctx.Done() // a store that answers nothing more
					return context.Cause(ctx)
				}
				err := c.do(w)
				switch {
				case !reached:
					t.Errorf("it ended before, with %v", err)
				case !goesOn:
					how.want(t, err)
				case err != nil:
					t.Errorf("it ended with %v", err)
				}
				newWorker(t, inner, p).finish()
				wantSame(t, "the model", read(t, inner, calm.modelKey()), want)
			})
		}
	}
}

// A stage that waits until the data are open ends when it is told to.
func TestEndWhileDataOpen(t *testing.T) {
	for _, how := range endings() {
		for _, evaluates := range []bool{false, true} {
			w := submit(t, openDir(t), makePlan(t, nil))
			do := w.train
			if evaluates {
				do = w.evaluate
			}
			ready := make(chan struct{})
			w.sets[w.plan.Info.Fingerprint] = &openSet{ready: ready}
			w.beat = time.Millisecond
			go how.do(w)
			how.want(t, do())
			close(ready)
		}
	}
}

// An evaluation that is told to end in the middle ends, and keeps nothing.
func TestEndWhileEvaluating(t *testing.T) {
	for _, how := range endings() {
		if how.name == "stop" {
			continue // TestEndAtAnyMoment: the context that reads the checkpoint is that which measures
		}
		w := submit(t, openDir(t), makePlan(t, nil))
		if err := w.train(); err != nil {
			t.Fatal(err)
		}
		before := snapshot(t, w.store)
		w.hooks.encode = func() { how.do(w) }
		how.want(t, w.evaluate())
		after := snapshot(t, w.store)
		maps.DeleteFunc(after, func(key, _ string) bool { // its claim, and that this has ended
			return strings.HasSuffix(key, "/claims/000002.json") || strings.HasSuffix(key, "/renewals/000002.json")
		})
		wantUnchanged(t, how.name, after, before)
	}
}
