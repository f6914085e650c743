package activities

import (
	"context"
	"errors"
	"io"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/topksweep/sweep/storage"
	"github.com/topksweep/sweep/sweep/protocol"
)

// A hangingStore calls a function before each call.
type hangingStore struct {
	storage.Store
	before func(ctx context.Context, call, key string)
	reader func(io.ReadCloser) io.ReadCloser // nil for none
}

func (s *hangingStore) Get(ctx context.Context, key string) (io.ReadCloser, error) {
	s.before(ctx, "get", key)
	r, err := s.Store.Get(ctx, key)
	if err == nil && s.reader != nil {
		r = s.reader(r)
	}
	return r, err
}

func (s *hangingStore) Put(ctx context.Context, key string, body io.ReaderAt, size int64) error {
	s.before(ctx, "put", key)
	return s.Store.Put(ctx, key, body, size)
}

func (s *hangingStore) PutNew(ctx context.Context, key string, b []byte) error {
	s.before(ctx, "putnew", key)
	return storage.PutNew(ctx, s.Store, key, b)
}

// hurried makes an attempt that stands still end soon: it is stuck after a second.
func (w *testWorker) hurried() {
	w.beat, w.StuckAfter, w.stuckGrace = time.Millisecond, time.Second, time.Second/4
}

// losses counts the attempts that a worker gives up.
func (w *testWorker) losses() *atomic.Int64 {
	var n atomic.Int64
	w.OnLost = func(error, bool) { n.Add(1) }
	return &n
}

// The heartbeat goes on while the plan is read: a slow store must not look like a worker that is gone.
func TestHeartbeatWhileThePlanIsRead(t *testing.T) {
	for _, name := range []string{protocol.ActivityTrain, protocol.ActivityEval} {
		store := &hangingStore{Store: openDir(t), before: func(context.Context, string, string) {}}
		w := submit(t, store, makePlan(t, nil))
		w.beat = time.Millisecond
		beats := func() int {
			w.beatMu.Lock()
			defer w.beatMu.Unlock()
			return len(w.beats)
		}
		seen := 0
		tick := time.NewTicker(time.Millisecond)
		defer tick.Stop()
		store.before = func(_ context.Context, call, key string) {
			if seen == 0 && call == "get" {
				// The test environment passes on one in half a minute: the first is enough here.
				for seen = 1; beats() < 1; {
					select {
					case <-tick.C:
					case <-t.Context().Done():
						return
					}
				}
			}
		}
		if name == protocol.ActivityTrain {
			if err := w.train(); err != nil {
				t.Fatal(err)
			}
		} else {
			wantType(t, w.evaluate(), protocol.ErrTypeLost, false) // nothing is trained
		}
		if seen == 0 {
			t.Errorf("%s: the store was never read", name)
		}
	}
}

// An attempt whose read hangs ends, and is tried again. Its goroutine does not keep the worker from ending.
func TestHungRead(t *testing.T) {
	p := makePlan(t, nil)
	for name, run := range map[string]func(w *testWorker) error{
		"train":    func(w *testWorker) error { return w.train() },
		"evaluate": func(w *testWorker) error { return w.evaluate() },
		"prepare": func(w *testWorker) error {
			return w.run(protocol.ActivityPrepare, protocol.ChunkRef{Sweep: p.ID})
		},
		"collect": func(w *testWorker) error { return w.run(protocol.ActivityCollect, p.ID) },
	} {
		t.Run(name, func(t *testing.T) {
			release := make(chan struct{})
			store := &hangingStore{Store: openDir(t), before: func(context.Context, string, string) {}}
			w := submit(t, store, p)
			store.before = func(_ context.Context, _, key string) { <-release }
			w.hurried()
			lost := w.losses()
			err := run(w)
			wantType(t, err, "Stuck", true)
			if err == nil || !strings.Contains(err.Error(), "no progress for ") {
				t.Errorf("%v does not say for how long", err)
			}
			if lost.Load() != 1 {
				t.Errorf("%d attempts were given up, want 1", lost.Load())
			}
			if err := w.Close(); err != nil { // it must not wait for the goroutine
				t.Error(err)
			}
			close(release)
		})
	}
}

// An attempt whose kernel hangs is given up. Another worker trains on and ends with the same bits. When the kernel
// wakes up, the first worker changes nothing.
func TestHungStep(t *testing.T) {
	want := undisturbedModel(t)
	store := openDir(t)
	w := submit(t, store, makePlan(t, nil))
	w.hurried()
	lost := w.losses()
	release, woken := make(chan struct{}), make(chan struct{})
	w.hooks.after = func(done int64) {
		if done == 7 {
			<-release
			close(woken)
		}
	}
	err := w.train()
	wantType(t, err, "Stuck", true)
	if err == nil || !strings.Contains(err.Error(), "while training at step 6 of 40") {
		t.Errorf("%v does not say where", err)
	}
	if lost.Load() != 1 {
		t.Errorf("%d attempts were given up, want 1", lost.Load())
	}
	next := newWorker(t, store, w.plan)
	next.finish()
	wantSame(t, "the model", next.model(), want)
	before := snapshot(t, store)
	close(release)
	<-woken
	w.awaitEnd()
	wantUnchanged(t, "the attempt that woke up", snapshot(t, store), before)
}

// An endless store fails the first ends of claims.
type endless struct {
	storage.Store
	failures atomic.Int64 // that are left
}

func (s *endless) Put(ctx context.Context, key string, body io.ReaderAt, size int64) error {
	text := make([]byte, size)
	if _, err := body.ReadAt(text, 0); err != nil && err != io.EOF {
		return err
	}
	if strings.Contains(key, "/renewals/") && strings.Contains(string(text), `"ended"`) && s.failures.Add(-1) >= 0 {
		return storage.Wrap("put", key, errors.New("connection refused"))
	}
	return s.Store.Put(ctx, key, body, size)
}

func (s *endless) PutNew(ctx context.Context, key string, b []byte) error {
	return storage.PutNew(ctx, s.Store, key, b)
}

// A checkpoint whose write hangs is not written when it wakes up. The claim ends at once, or when the store takes that.
func TestHungWrite(t *testing.T) {
	for _, failures := range []int64{0, 2} {
		hungWrite(t, failures)
	}
}

func hungWrite(t *testing.T, failures int64) {
	inner := &endless{Store: openDir(t)}
	inner.failures.Store(failures)
	release := make(chan struct{})
	store := &hangingStore{Store: inner, before: func(_ context.Context, call, key string) {
		if call == "put" && strings.Contains(key, "/data/") {
			<-release
		}
	}}
	w := submit(t, store, makePlan(t, nil))
	w.hurried()
	w.renew = 50 * time.Millisecond
	lost := w.losses()
	err := w.train()
	wantType(t, err, "Stuck", true)
	if err == nil || !strings.Contains(err.Error(), "while saving the checkpoint at step 40 of 40") {
		t.Errorf("%v does not say where", err)
	}
	if lost.Load() != 1 {
		t.Errorf("%d attempts were given up, want 1", lost.Load())
	}
	when(func() bool { // the attempt is given up, and its claim with it
		claim, err := w.checkpoints().NewestClaim(t.Context())
		return err == nil && claim.Ended != nil
	})
	before := snapshot(t, inner)
	close(release)
	w.awaitEnd()
	wantUnchanged(t, "the attempt that woke up", snapshot(t, inner), before)
}

// awaitEnd waits until the goroutines of attempts that were given up have returned, and so freed their memory.
func (w *testWorker) awaitEnd() {
	w.Helper()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for w.memory.Reserved() > 0 {
		select {
		case <-tick.C:
		case <-w.T.Context().Done():
			w.Fatal("the attempt that was given up does not end")
		}
	}
}

// What is slow and moves is not stuck.
func TestSlowIsNotStuck(t *testing.T) {
	store := &hangingStore{Store: openDir(t), before: func(context.Context, string, string) {}}
	w := submit(t, store, makePlan(t, nil))
	w.hurried()
	w.StuckAfter = 2 * time.Second
	tick := time.NewTicker(50 * time.Millisecond) // 80 reads of it are twice StuckAfter
	defer tick.Stop()
	var reads atomic.Int64
	store.reader = func(r io.ReadCloser) io.ReadCloser {
		return slowReader{r, func() {
			if reads.Add(1) < 80 {
				<-tick.C
			}
		}}
	}
	if err := w.train(); err != nil {
		t.Fatal(err)
	}
	if reads.Load() < 80 {
		t.Errorf("%d reads were too few to be slow", reads.Load())
	}
}

type slowReader struct {
	io.ReadCloser
	wait func()
}

func (r slowReader) Read(p []byte) (int, error) {
	r.wait()
	return r.ReadCloser.Read(p[:min(len(p), 32)])
}

// A worker that is told to stop does not wait for ever for an attempt that hangs, also where none counts as stuck.
func TestStopWhileAReadHangs(t *testing.T) {
	release := make(chan struct{})
	store := &hangingStore{Store: openDir(t), before: func(context.Context, string, string) {}}
	w := submit(t, store, makePlan(t, nil))
	w.hurried()
	w.StuckAfter = 0
	stop := w.stop
	store.before = func(context.Context, string, string) {
		if stop != nil {
			close(stop)
			stop = nil
		}
		<-release
	}
	wantType(t, w.train(), "Stuck", true)
	close(release)
}

// A panic of an attempt is one of its activity, as if the work were not on a goroutine of its own.
func TestPanicOfAnAttempt(t *testing.T) {
	w := submit(t, openDir(t), makePlan(t, nil))
	w.hooks.after = func(int64) { panic("a defect") }
	if err := w.train(); err == nil || !strings.Contains(err.Error(), "a defect") {
		t.Errorf("%v", err)
	}
	store := &hangingStore{Store: openDir(t), before: func(context.Context, string, string) {}}
	w = submit(t, store, makePlan(t, nil))
	store.before = func(context.Context, string, string) { panic("a defect") }
	err := w.train()
	if err == nil || !strings.Contains(err.Error(), "a defect") || strings.Contains(err.Error(), "goroutine") {
		t.Errorf("before the claim: %v", err)
	}
}

// A late look is not taken for stillness: a process that was suspended could not move.
func TestSuspendedIsNotStill(t *testing.T) {
	w := newWatch()
	at := time.Unix(1e9, 0)
	s := stillness{watch: w, last: at}
	if got := s.look(at.Add(time.Hour), time.Second); got != 2*time.Second {
		t.Errorf("after an hour without a look: %v", got)
	}
	w.move()
	if got := s.look(at.Add(time.Hour+time.Second), time.Second); got != 0 {
		t.Errorf("after a move: %v", got)
	}
	end := w.wait()
	s.look(at.Add(time.Hour+2*time.Second), time.Second)
	if got := s.look(at.Add(time.Hour+3*time.Second), time.Second); got != 0 {
		t.Errorf("while it waits for others: %v", got)
	}
	end()
}

// The time without progress grows with the duration of steps.
func TestMedianStep(t *testing.T) {
	var p progress
	at := time.Unix(1e9, 0)
	for _, took := range []time.Duration{0, 3 * time.Second, time.Second, time.Hour, 3 * time.Second} {
		at = at.Add(took)
		p.noteStep(at)
	}
	if got := p.medianStep(); got != 3*time.Second {
		t.Errorf("the median is %v", got)
	}
	for range 2 * medianOf {
		at = at.Add(time.Minute)
		p.noteStep(at)
	}
	if got := p.medianStep(); got != time.Minute || len(p.durations) != medianOf {
		t.Errorf("the median of the last steps is %v of %d", got, len(p.durations))
	}
}

// The last checkpoint of a stage may take as long as it needs. Only one that is told to stop has a deadline.
func TestSaveOnASlowStore(t *testing.T) {
	for _, told := range []bool{false, true} {
		var ended atomic.Bool
		store := &hangingStore{Store: openDir(t), before: func(context.Context, string, string) {}}
		w := submit(t, store, makePlan(t, nil))
		w.saveWithin = 20 * time.Millisecond
		slowly := 20 * w.saveWithin
		if told {
			w.saveWithin = time.Second // what comes before the write is to have enough of it
		}
		store.before = func(ctx context.Context, call, key string) {
			if call != "put" || !strings.Contains(key, "/data/") {
				return
			}
			slow := time.NewTimer(slowly)
			if told {
				slow.Stop() // it never ends
			}
			select {
			case <-slow.C:
			case <-ctx.Done():
				ended.Store(true)
			}
		}
		if told {
			w.hooks.after = func(done int64) {
				if done == 7 {
					close(w.stop)
				}
			}
		}
		err := w.train()
		if told {
			wantType(t, err, "WorkerStopping", true)
			if err == nil || !strings.Contains(err.Error(), "not stored within 1s") {
				t.Errorf("%v does not say that it was too slow", err)
			}
		} else if err != nil {
			t.Error(err)
		}
		if ended.Load() != told {
			t.Errorf("told to stop %v: the save was ended: %v", told, ended.Load())
		}
	}
}
