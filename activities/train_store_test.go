package activities

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/topksweep/sweep/storage"
)

// A fullStore has no room for checkpoints while it is full.
type fullStore struct {
	storage.Store
	full      atomic.Bool
	onRefused func()
}

func (s *fullStore) Put(ctx context.Context, key string, body io.ReaderAt, size int64) error {
	if s.full.Load() && strings.Contains(key, "/data/") {
		s.onRefused()
		return storage.Wrap("put", key, storage.ErrNoSpace)
	}
	return s.Store.Put(ctx, key, body, size)
}

func (s *fullStore) PutNew(ctx context.Context, key string, data []byte) error {
	return storage.PutNew(ctx, s.Store, key, data)
}

// Training goes on when a checkpoint beside it is not saved.
func TestNoSpaceWhileTraining(t *testing.T) {
	store := &fullStore{Store: openDir(t)}
	w := submit(t, store, makePlan(t, nil))
	var log lockedBuffer
	w.log = slog.New(slog.NewTextHandler(&log, nil))
	w.saveEveryStep()
	store.full.Store(true)
	refused := make(chan struct{})
	store.onRefused = sync.OnceFunc(func() { close(refused) })
	w.hooks.after = func(done int64) {
		if done == 5 {
			<-refused // the checkpoint of step 1 or a little later
			store.full.Store(false)
		}
	}
	w.finish()
	if text := log.String(); !strings.Contains(text, "training goes on") || !strings.Contains(text, "no space left") {
		t.Errorf("log:\n%s", text)
	}
	wantSame(t, "the model", w.model(), undisturbedModel(t))
}

// A lockedBuffer takes the log lines of several goroutines.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// A gate holds back the first operation of a kind on checkpoint data.
type gate struct {
	storage.Store
	op      string // put or get
	once    sync.Once
	entered chan struct{} // closed when the operation has begun
	release chan struct{} // to be closed to let it go on
}

func newGate(s storage.Store, op string) *gate {
	return &gate{Store: s, op: op, entered: make(chan struct{}), release: make(chan struct{})}
}

func (g *gate) hold(ctx context.Context, op, key string) (err error) {
	if op != g.op || !strings.Contains(key, "/data/") {
		return nil
	}
	g.once.Do(func() {
		close(g.entered)
		select {
		case <-g.release:
		case <-ctx.Done():
			err = storage.Wrap(op, key, context.Cause(ctx))
		}
	})
	return err
}

func (g *gate) Put(ctx context.Context, key string, body io.ReaderAt, size int64) error {
	if err := g.hold(ctx, "put", key); err != nil {
		return err
	}
	return g.Store.Put(ctx, key, body, size)
}

func (g *gate) Get(ctx context.Context, key string) (io.ReadCloser, error) {
	if err := g.hold(ctx, "get", key); err != nil {
		return nil, err
	}
	return g.Store.Get(ctx, key)
}

func (g *gate) PutNew(ctx context.Context, key string, data []byte) error {
	return storage.PutNew(ctx, g.Store, key, data)
}

// A run that is told to stop, or canceled, while a checkpoint is being saved still
// saves the step that it has come to.
func TestEndWhileCheckpointInFlight(t *testing.T) {
	want := undisturbedModel(t)
	for _, how := range []string{"stop", "cancel", "finish"} {
		store := newGate(openDir(t), "put")
		w := submit(t, store, makePlan(t, nil))
		w.saveEveryStep()
		end := int64(12)
		w.hooks.after = func(done int64) {
			switch {
			case done == 5:
				<-store.entered // the checkpoint of step 1 or a little later
			case done == end && how == "stop":
				close(w.stop)
			case done == end && how == "cancel":
				w.cancel()
			}
		}
		if how != "cancel" { // canceling ends the wait for the gate by itself
			if how == "finish" {
				end = steps
			}
			w.hooks.after = chain(w.hooks.after, func(done int64) {
				if done == end {
					close(store.release)
				}
			})
		}
		err := w.train()
		switch how {
		case "stop":
			wantType(t, err, "WorkerStopping", true)
		case "cancel":
			wantCanceled(t, err)
		case "finish":
			if err != nil {
				t.Error(err)
			}
		}
		if m, err := w.newest(); err != nil || m.Step != end {
			t.Errorf("%s: newest checkpoint %+v, %v, want that of step %d", how, m, err, end)
		}
		next := newWorker(t, w.store, w.plan)
		next.finish()
		wantSame(t, how+": the model", next.model(), want)
	}
}

func chain(a, b func(int64)) func(int64) { return func(n int64) { a(n); b(n) } }

// A run that is canceled while it reads its checkpoint leaves the checkpoint as it is.
func TestCanceledWhileRestoring(t *testing.T) {
	store, p := openDir(t), makePlan(t, nil)
	submit(t, store, p)
	trainUntil(t, store, p, 10)
	g := newGate(store, "get")
	w := newWorker(t, g, p)
	go func() {
		<-g.entered
		w.cancel()
	}()
	wantCanceled(t, w.train())
	if got := keys(t, store, "stages/"+w.id()+"/manifests/"); len(got) != 1 {
		t.Errorf("checkpoints: %v", got)
	}
	next := newWorker(t, store, p)
	next.finish()
	wantSame(t, "the model", next.model(), undisturbedModel(t))
}

// A putter calls a function before it stores checkpoint data.
type putter struct {
	storage.Store
	before func() error
}

func (p *putter) Put(ctx context.Context, key string, body io.ReaderAt, size int64) error {
	if strings.Contains(key, "/data/") {
		if err := p.before(); err != nil {
			return storage.Wrap("put", key, err)
		}
	}
	return p.Store.Put(ctx, key, body, size)
}

func (p *putter) PutNew(ctx context.Context, key string, data []byte) error {
	return storage.PutNew(ctx, p.Store, key, data)
}

// The model of a stage is closed when its last state is stored: the device has room for another one. That state is
// stored all the same where a first try finds no room.
func TestModelIsClosedWhileItsStateIsStored(t *testing.T) {
	closed, tries := false, 0
	store := &putter{Store: openDir(t)}
	store.before = func() error {
		if tries++; !closed {
			t.Error("the model is open while its last state is stored")
		}
		if tries == 1 {
			return storage.ErrNoSpace
		}
		return nil
	}
	w := submit(t, store, makePlan(t, nil))
	w.hooks.close = func() { closed = true }
	if err := w.train(); err != nil || tries < 2 {
		t.Fatalf("%d tries, %v", tries, err)
	}
	next := newWorker(t, w.store, w.plan)
	next.finish()
	wantSame(t, "the model", next.model(), undisturbedModel(t))
}
