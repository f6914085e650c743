package activities

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/testsuite"

	"github.com/topksweep/sweep/storage"
	"github.com/topksweep/sweep/storage/disk"
	"github.com/topksweep/sweep/sweep/protocol"
)

// A crampedStore refuses objects of checkpoints as refuse wants it, by their keys.
type crampedStore struct {
	storage.Store
	refuse func(key string) error
}

func (s *crampedStore) Put(ctx context.Context, key string, body io.ReaderAt, size int64) error {
	if err := s.check("put", key); err != nil {
		return err
	}
	return s.Store.Put(ctx, key, body, size)
}

func (s *crampedStore) PutNew(ctx context.Context, key string, data []byte) error {
	if err := s.check("putnew", key); err != nil {
		return err
	}
	return storage.PutNew(ctx, s.Store, key, data)
}

func (s *crampedStore) check(op, key string) error {
	for _, part := range []string{"/data/", "/forks/", "/manifests/"} {
		if strings.Contains(key, part) {
			return storage.Wrap(op, key, s.refuse(key))
		}
	}
	return nil
}

// A stage that is done waits while its checkpoint finds no room. Not one step is
// trained twice.
func TestWaitsForRoom(t *testing.T) {
	want := undisturbedModel(t)
	for _, full := range []error{storage.ErrNoSpace, storage.ErrReadOnly} {
		tries, trained := 0, 0
		w := submit(t, &crampedStore{Store: openDir(t), refuse: func(string) error {
			if tries++; tries < 20 {
				return full
			}
			return nil
		}}, makePlan(t, nil))
		w.room = time.Nanosecond
		w.hooks.after = func(int64) { trained++ }
		w.finish()
		if trained != steps {
			t.Errorf("%v: trained %d steps, want %d", full, trained, steps)
		}
		wantSame(t, full.Error()+": the model", w.model(), want)
	}
}

// A smallStore has room for so many checkpoints in a folder, or in all.
type smallStore struct {
	storage.Store
	room, refused int
	all           bool // the objects of all folders count, not only those of the object's own
}

func (s *smallStore) Put(ctx context.Context, key string, body io.ReaderAt, size int64) error {
	if strings.Contains(key, "/data/") {
		prefix := key[:strings.Index(key, "/data/")+len("/data/")]
		if s.all {
			prefix = "stages/"
		}
		objects, err := s.List(ctx, prefix)
		if err != nil {
			return err
		}
		objects = slices.DeleteFunc(objects, func(o storage.Object) bool { return !strings.Contains(o.Key, "/data/") })
		if len(objects) >= s.room {
			if s.refused++; s.refused == 1000 {
				s.room = 100 // it would wait for ever
			}
			return storage.Wrap("put", key, storage.ErrNoSpace)
		}
	}
	return s.Store.Put(ctx, key, body, size)
}

func (s *smallStore) PutNew(ctx context.Context, key string, data []byte) error {
	return storage.PutNew(ctx, s.Store, key, data)
}

// A stage that waits frees the room of its older checkpoints: nobody else may be able to.
func TestMakesRoom(t *testing.T) {
	store, p := &smallStore{Store: openDir(t), room: 2}, makePlan(t, nil)
	submit(t, store, p)
	for _, n := range []int64{5, 10, 15} { // the third has no room beside two others
		trainUntil(t, store, p, n)
	}
	w := newWorker(t, store, p)
	w.room = time.Nanosecond
	w.finish()
	if store.refused != 2 {
		t.Errorf("%d objects were refused, want 2: one of each checkpoint that made room", store.refused)
	}
	wantSame(t, "the model", w.model(), undisturbedModel(t))
}

// Where every attempt of a worker waits for room, the stage that loses least gives its slot up, once it has waited for
// as long as it has to train again.
func TestWhoGivesUp(t *testing.T) {
	const least = time.Minute
	var w waitingRoom
	near, far := new(training), new(training)
	defer w.begin()()
	defer w.begin()()
	defer w.wait(near, 10*time.Second)()
	now := time.Unix(1e9, 0)
	if w.giveUp(near, time.Hour, least, now) {
		t.Error("gives up beside an attempt that does not wait")
	}
	endOther := w.wait(far, 8*time.Hour)
	for _, c := range []struct {
		t      *training
		waited time.Duration
		at     time.Duration
		want   bool
	}{
		{near, 59 * time.Second, 0, false},
		{far, 9 * time.Hour, 0, false}, // it loses more than the other one
		{near, time.Minute, 0, true},
		{near, 2 * time.Minute, 59 * time.Second, false}, // the slot is to be used first
		{near, 2 * time.Minute, time.Minute, true},
	} {
		if got := w.giveUp(c.t, c.waited, least, now.Add(c.at)); got != c.want {
			t.Errorf("%s after %v at %v: gives up %t", map[*training]string{near: "near", far: "far"}[c.t], c.waited, c.at, got)
		}
	}
	endOther()
	end := w.begin()
	defer w.wait(far, 8*time.Hour)()
	if w.giveUp(near, time.Hour, least, now.Add(time.Hour)) {
		t.Error("gives up beside an attempt that has taken a slot")
	}
	end()
}

// The checkpoint of a run that is not evaluated yet takes the room of another run's. With one slot the evaluation comes
// to its turn all the same.
func TestGivesSlotUp(t *testing.T) {
	store, p := &smallStore{Store: openDir(t), room: 1, all: true}, makePlan(t, nil)
	w := submit(t, store, p)
	w.room, w.slotFor = time.Nanosecond, time.Nanosecond
	if err := w.run(protocol.ActivityTrain, w.stage(0)); err != nil {
		t.Fatal(err)
	}
	wantType(t, w.train(), "NoSpace", true)
	if err := w.run(protocol.ActivityEval, w.ref(0)); err != nil {
		t.Fatal(err)
	}
	w.finish()
	wantSame(t, "the model", w.model(), undisturbedModel(t))
}

// A stage that waits for room says so in its heartbeats, with the reason, and once in
// the log.
func TestSaysThatItWaitsForRoom(t *testing.T) {
	var log lockedBuffer
	w := newWorker(t, openDir(t), makePlan(t, nil))
	w.log = slog.New(slog.NewTextHandler(&log, nil))
	w.room = time.Nanosecond
	full := storage.Wrap("put", "stages/x/data/y", storage.ErrNoSpace)
	stage := &training{
		a: w.Activities, run: &run{cell: w.plan.Cells[1]}, progress: &progress{}, saver: &checkpointer{now: w.now},
	}
	tries := 0
	save := func() error {
		const want = "waiting for room in the store: put stages/x/data/y: no space left"
		if got := stage.progress.get().Doing; got != want {
			t.Errorf("says %q, want %q", got, want)
		}
		if tries++; tries < 3 {
			return full
		}
		return nil
	}
	var suite testsuite.WorkflowTestSuite
	env := suite.NewTestActivityEnvironment()
	env.RegisterActivityWithOptions(func(ctx context.Context) error {
		saved, ended := stage.awaitRoom(ctx, full, save)
		return errors.Join(saved, ended)
	}, activity.RegisterOptions{Name: "wait"})
	if _, err := env.ExecuteActivity("wait"); err != nil || tries != 3 {
		t.Errorf("%d tries: %v", tries, err)
	}
	named := disk.Explain(t.TempDir(), fmt.Errorf("write +tmp/x: %w", syscall.ENOSPC))
	why := whyNoRoom(storage.Wrap("put", "x", storage.Mark(named, storage.ErrNoSpace)))
	if !strings.HasPrefix(why, "no space left on device: the disk of ") {
		t.Errorf("a named disk: %s", why)
	}
	if n := strings.Count(log.String(), "no room for the last checkpoint"); n != 1 {
		t.Errorf("logged %d times:\n%s", n, log.String())
	}
}

// A stage that waits for room ends when it must. If there is room by then, it is done.
func TestEndsWhileWaitingForRoom(t *testing.T) {
	for _, how := range []string{"stop", "cancel", "pause", "stop with room", "fenced"} {
		var w *testWorker
		tries := 0
		w = submit(t, &crampedStore{Store: openDir(t), refuse: func(string) error {
			switch tries++; {
			case tries == 1 && how == "cancel":
				w.cancel()
			case tries == 1 && how == "pause":
				w.end(activity.ErrActivityPaused)
			case tries == 1 && how != "fenced":
				close(w.stop)
			case how == "stop with room":
				return nil
			case tries > 1 && how == "fenced":
				return storage.ErrFenced
			}
			return storage.ErrNoSpace
		}}, makePlan(t, nil))
		w.room = time.Hour
		if how == "fenced" {
			w.room = time.Nanosecond
		}
		err := w.train()
		switch how {
		case "stop":
			wantType(t, err, "WorkerStopping", true)
		case "cancel":
			wantType(t, err, "NoSpace", true)
		case "pause":
			wantType(t, err, "Paused", true)
			if err == nil || !strings.Contains(err.Error(), storage.ErrNoSpace.Error()) {
				t.Errorf("%v does not say that nothing is saved", err)
			}
		case "stop with room":
			if err != nil {
				t.Error(err)
			}
		case "fenced":
			wantType(t, err, "Fenced", true)
		}
		if tries < 2 {
			t.Errorf("%s: %d tries to save", how, tries)
		}
		if err := w.Unsaved(); errors.Is(err, storage.ErrNoSpace) != (how == "stop") {
			t.Errorf("%s: unsaved: %v", how, err)
		}
	}
}

// Whatever of a checkpoint finds no room, and however often, a sweep trains what an
// undisturbed one trains, and ends with the same bytes.
func TestRoomProperty(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 11))
	for range 2 {
		p := planOf(t, treeGrid(r))
		calm := submit(t, openDir(t), p)
		want := sweepAll(t, calm, nil)
		left := map[string]int{} // refusals to come, by key
		store := &crampedStore{Store: openDir(t), refuse: func(key string) error {
			n, ok := left[key]
			if !ok {
				n = r.IntN(3)
			}
			left[key] = n - 1
			switch {
			case n <= 0:
				return nil
			case n%2 == 0:
				return storage.ErrReadOnly
			}
			return storage.ErrNoSpace
		}}
		w := submit(t, store, p)
		w.room = time.Nanosecond
		if got := sweepAll(t, w, nil); got != want {
			t.Errorf("trained %+v, undisturbed %+v", got, want)
		}
		if got, want := outputs(t, w.store), outputs(t, calm.store); !maps.EqualFunc(got, want, bytes.Equal) {
			t.Errorf("%d models and results, or their bytes, differ from the %d of the undisturbed sweep", len(got), len(want))
		}
	}
}

// outputs are the models in a store.
func outputs(t *testing.T, s storage.Store) map[string][]byte {
	t.Helper()
	all := map[string][]byte{}
	for _, key := range keys(t, s, "models/") {
		if strings.HasSuffix(key, modelWeights) || strings.HasSuffix(key, modelCurve) {
			all[key] = read(t, s, key)
		}
	}
	return all
}
