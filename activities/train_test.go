package activities

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"go.temporal.io/sdk/temporal"

	"github.com/topksweep/sweep/storage"
	"github.com/topksweep/sweep/storage/storagetest"
	"github.com/topksweep/sweep/sweep/grid"
	"github.com/topksweep/sweep/sweep/ledger"
	"github.com/topksweep/sweep/sweep/plan"
	"github.com/topksweep/sweep/sweep/protocol"
)

func TestWholeRun(t *testing.T) {
	b := newBench(t, openDir(t), makePlan(t, nil))
	b.finish()
	files := []string{}
	for _, f := range []string{modelConfig, modelCurve, modelResult, modelWeights} {
		files = append(files, ledger.ModelKey(b.id(), f))
	}
	if got := keys(t, b.store, "models/"); !slices.Equal(got, files) {
		t.Errorf("models: %v", got)
	}
	if got := keys(t, b.store, "stages/"); len(got) > 0 {
		t.Errorf("left over: %v", got)
	}
	var r ledger.Result
	if err := storage.GetJSON(t.Context(), b.store, ledger.ResultKey(b.id()), &r); err != nil {
		t.Fatal(err)
	}
	cell := b.plan.Cells[1]
	if r.Cell != cell.ID || r.Config != cell.Config || r.Status != plan.Completed || r.Tokens != steps*16 || r.Data != b.plan.Info.Fingerprint ||
		r.LMName != "toy" || *r.Layer != 3 || r.Submodule != "resid_post" || r.Metrics.EvalTokens != 64 ||
		!(r.Metrics.L2Loss > 0) {
		t.Errorf("result %+v", r)
	}
	if r.Metrics.DeadLatents == 0 {
		t.Error("no latent died: the case is too easy")
	}

	before := snapshot(t, b.store)
	for range 2 {
		b.finish()
	}
	wantUnchanged(t, "doing it again", snapshot(t, b.store), before)
	c := newWorker(t, b.store, b.plan)
	c.finish()
	wantUnchanged(t, "doing it again on another worker", snapshot(t, b.store), before)
}

// Stopped after any number of steps, on any number of workers, a run comes to
// the same bits, and no step is trained twice.
func TestStopAndGoOn(t *testing.T) {
	want := golden(t)
	for _, stops := range [][]int64{{1}, {20}, {steps - 1}, {steps}, {3, 4, 21, 39}} {
		store, p := openDir(t), makePlan(t, nil)
		newBench(t, store, p)
		for _, n := range stops {
			if n < steps {
				trainUntil(t, store, p, n)
			}
		}
		b := newWorker(t, store, p)
		var first atomic.Int64
		first.Store(-1)
		b.hooks.before = func(step int64) { first.CompareAndSwap(-1, step) }
		b.finish()
		if last := stops[len(stops)-1]; last < steps && first.Load() != last {
			t.Errorf("stopped after %v, went on with step %d", stops, first.Load())
		}
		wantSame(t, "the model", b.model(), want)
	}
}

// A worker that is told to stop behind the last step has finished the run.
func TestStopAtTheEnd(t *testing.T) {
	b := newBench(t, openDir(t), makePlan(t, nil))
	b.hooks.after = func(done int64) {
		if done == steps {
			close(b.stop)
		}
	}
	wantType(t, b.train(), "WorkerStopping", true)
	c := newWorker(t, b.store, b.plan)
	c.hooks.before = func(step int64) { t.Errorf("step %d is trained again", step) }
	c.finish()
	wantSame(t, "the model", c.model(), golden(t))
}

func TestCancelSaves(t *testing.T) {
	b := newBench(t, openDir(t), makePlan(t, nil))
	b.hooks.after = func(done int64) {
		if done == 17 {
			b.cancel()
		}
	}
	wantCanceled(t, b.train())
	if m, err := b.newest(); err != nil || m.Step != 17 {
		t.Errorf("newest checkpoint %+v, %v, want that of step 17", m, err)
	}
	c := newWorker(t, b.store, b.plan)
	c.finish()
	wantSame(t, "the model", c.model(), golden(t))
}

// A numeric error leaves the model in the middle of a step: canceled or not, it
// is not saved.
func TestNotFinite(t *testing.T) {
	for _, canceled := range []bool{false, true} {
		p := makePlan(t, func(p *plan.Plan) {
			for i := range p.Cells {
				c := &p.Cells[i]
				c.Config.LR = 1e30
				c.ID = grid.CellID(c.Config, p.Info.Fingerprint)
			}
		})
		b := newBench(t, openDir(t), p)
		b.hooks.before = func(step int64) {
			if canceled && step == 1 {
				b.cancel()
			}
		}
		err := b.train()
		if canceled && err != nil && strings.Contains(err.Error(), "canceled") { // at the end of a sound step
			continue
		}
		wantType(t, err, "NotFinite", false)
		if got := keys(t, b.store, "stages/"+b.id()+"/manifests/"); len(got) > 0 {
			t.Errorf("saved: %v", got)
		}
	}
}

func TestFallBack(t *testing.T) {
	want := golden(t)
	for name, spoil := range map[string]func([]byte) []byte{
		"flipped":   func(b []byte) []byte { b[len(b)/2] ^= 1; return b },
		"truncated": func(b []byte) []byte { return b[:len(b)/2] },
		"empty":     func([]byte) []byte { return nil },
		"gone":      nil,
	} {
		store, p := openDir(t), makePlan(t, nil)
		b := newBench(t, store, p)
		trainUntil(t, store, p, 10)
		trainUntil(t, store, p, 20)
		data := keys(t, store, "stages/"+b.id()+"/data/")
		if len(data) != 2 {
			t.Fatalf("checkpoints: %v", data)
		}
		var err error
		if spoil == nil {
			err = store.Delete(t.Context(), data[1])
		} else {
			err = storage.PutBytes(t.Context(), store, data[1], spoil(read(t, store, data[1])))
		}
		if err != nil {
			t.Fatal(err)
		}
		var first atomic.Int64
		first.Store(-1)
		b.hooks.before = func(step int64) { first.CompareAndSwap(-1, step) }
		b.finish()
		if first.Load() != 10 {
			t.Errorf("%s: went on with step %d, want 10", name, first.Load())
		}
		wantSame(t, name+": the model", b.model(), want)
	}
}

// A last checkpoint that got lost before it was evaluated is trained again.
func TestLostCheckpoint(t *testing.T) {
	store, p := openDir(t), makePlan(t, nil)
	b := newBench(t, store, p)
	trainUntil(t, store, p, 30)
	if err := b.train(); err != nil {
		t.Fatal(err)
	}
	data := keys(t, store, "stages/"+b.id()+"/data/")
	if err := storage.PutBytes(t.Context(), store, data[len(data)-1], []byte("short")); err != nil {
		t.Fatal(err)
	}
	wantType(t, b.evaluate(), protocol.ErrTypeLost, false)
	b.finish()
	wantSame(t, "the model", b.model(), golden(t))
}

// Whatever operation of the store fails, and however, trying again comes to the
// same model and the same result.
func TestEveryOperationFailsOnce(t *testing.T) {
	calm := newBench(t, openDir(t), makePlan(t, nil))
	if err := calm.train(); err != nil {
		t.Fatal(err)
	}
	last := calm.last(calm.store)
	calm.finish()
	want := calm.model()
	for _, fault := range storagetest.Faults {
		t.Run(string(fault), func(t *testing.T) {
			t.Parallel()
			p := makePlan(t, nil)
			for n := 1; ; n++ {
				memory := storagetest.NewMemory()
				newBench(t, memory, p)
				faulty := storagetest.NewFaulty(memory, fault, n)
				b := newWorker(t, faulty, p)
				b.due()
				for tries := 1; ; tries++ { // as the workflow and Temporal would
					err := b.inParts(13, 26)
					if err == nil && len(keys(t, memory, ledger.ResultKey(b.id()))) == 0 {
						wantSame(t, "the last checkpoint", b.last(memory), last)
					}
					if err == nil {
						err = b.evaluate()
					}
					if err == nil {
						break
					}
					var app *temporal.ApplicationError
					if tries > 3 || errors.As(err, &app) && app.NonRetryable() && app.Type() != protocol.ErrTypeLost {
						t.Fatalf("operation %d: try %d: %v", n, tries, err)
					}
				}
				wantSame(t, "the model", read(t, memory, ledger.ModelKey(b.id(), modelWeights)), want)
				var r ledger.Result
				if err := storage.GetJSON(t.Context(), memory, ledger.ResultKey(b.id()), &r); err != nil ||
					r.Status != plan.Completed {
					t.Errorf("operation %d: result %+v, %v", n, r, err)
				}
				if !faulty.Fired() {
					t.Logf("%d operations", n-1)
					return
				}
			}
		})
	}
}

// last reads the checkpoint of cell 1's last step that a restore would take.
func (b *bench) last(store storage.Store) (body []byte) {
	b.Helper()
	c, err := storage.NewCheckpoints(store, b.id(), nil)
	if err == nil {
		_, err = c.RestoreStep(b.T.Context(), steps, func(_ *storage.Manifest, r io.Reader) (err error) {
			body, err = io.ReadAll(r)
			return err
		})
	}
	if err != nil {
		b.Fatal(err)
	}
	return body
}

// inParts trains cell 1 and stops and restarts the worker after some steps.
func (b *bench) inParts(stops ...int64) error {
	for {
		b.stop = make(chan struct{})
		b.hooks.after = func(done int64) {
			if slices.Contains(stops, done) {
				close(b.stop)
			}
		}
		err := b.train()
		var app *temporal.ApplicationError
		if !errors.As(err, &app) || app.Type() != "WorkerStopping" {
			return err
		}
	}
}

// An attempt that comes back after another has taken over changes nothing,
// whether the other still trains or the run is long done.
func TestZombie(t *testing.T) {
	want := golden(t)
	for name, done := range map[string]bool{"trained": false, "evaluated": true} {
		b := newBench(t, openDir(t), makePlan(t, nil))
		asleep, wake := make(chan struct{}), make(chan struct{})
		b.hooks.before = func(step int64) {
			if step == 10 {
				close(asleep)
				<-wake
			}
		}
		ended := make(chan error, 1)
		go func() { ended <- b.train() }()
		<-asleep
		next := newWorker(t, b.store, b.plan)
		if err := next.train(); err != nil {
			t.Fatal(err)
		}
		if done {
			if err := next.evaluate(); err != nil {
				t.Fatal(err)
			}
		}
		before := snapshot(t, b.store)
		close(wake)
		wantType(t, <-ended, "Fenced", true)
		wantUnchanged(t, name+": the zombie", snapshot(t, b.store), before)
		next.finish()
		wantSame(t, "the model", next.model(), want)
	}
}

// A fullStore has no room for checkpoints while it is full.
type fullStore struct {
	storage.Store
	full    atomic.Bool
	refused atomic.Int64
}

func (s *fullStore) Put(ctx context.Context, key string, body io.ReaderAt, size int64) error {
	if s.full.Load() && strings.Contains(key, "/data/") {
		s.refused.Add(1)
		return storage.Wrap("put", key, storage.ErrNoSpace)
	}
	return s.Store.Put(ctx, key, body, size)
}

func (s *fullStore) PutNew(ctx context.Context, key string, data []byte) error {
	return storage.PutNew(ctx, s.Store, key, data)
}

// Training goes on when a checkpoint beside it fails; the last one has to be
// saved, and is tried again from the checkpoint before.
func TestNoSpace(t *testing.T) {
	store := &fullStore{Store: openDir(t)}
	b := newBench(t, store, makePlan(t, nil))
	var log lockedBuffer
	b.log = slog.New(slog.NewTextHandler(&log, nil))
	b.due()
	store.full.Store(true)
	b.hooks.after = func(done int64) {
		if done == steps-1 && store.refused.Load() > 0 {
			store.full.Store(false)
		}
	}
	var err error
	for try := 0; ; try++ { // at least one checkpoint comes to its end beside training, sooner or later
		if err = b.train(); err == nil || try > 100 {
			break
		}
		wantType(t, err, "NoSpace", true)
	}
	if err != nil {
		t.Fatal(err)
	}
	if text := log.String(); !strings.Contains(text, "training goes on") || !strings.Contains(text, "no space left") {
		t.Errorf("log:\n%s", text)
	}
	b.finish()
	wantSame(t, "the model", b.model(), golden(t))
}

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

// A gate holds one operation on checkpoint data back.
type gate struct {
	storage.Store
	op      string
	once    sync.Once
	entered chan struct{}
	release chan struct{}
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

// Told to stop, or canceled, while a checkpoint is on its way, a run still saves
// the step that it has come to.
func TestEndWhileCheckpointInFlight(t *testing.T) {
	want := golden(t)
	for _, how := range []string{"stop", "cancel", "finish"} {
		store := newGate(openDir(t), "put")
		b := newBench(t, store, makePlan(t, nil))
		b.due()
		end := int64(12)
		b.hooks.after = func(done int64) {
			switch {
			case done == 5:
				<-store.entered // the checkpoint of step 1 or a little later
			case done == end && how == "stop":
				close(b.stop)
			case done == end && how == "cancel":
				b.cancel()
			}
		}
		if how != "cancel" { // which lets the checkpoint go by itself
			if how == "finish" {
				end = steps
			}
			b.hooks.after = chain(b.hooks.after, func(done int64) {
				if done == end {
					close(store.release)
				}
			})
		}
		err := b.train()
		switch how {
		case "stop":
			wantType(t, err, "WorkerStopping", true)
		case "cancel":
			wantCanceled(t, err)
			end = 12
		case "finish":
			if err != nil {
				t.Error(err)
			}
		}
		if m, err := b.newest(); err != nil || m.Step != end {
			t.Errorf("%s: newest checkpoint %+v, %v, want that of step %d", how, m, err, end)
		}
		c := newWorker(t, b.store, b.plan)
		c.finish()
		wantSame(t, how+": the model", c.model(), want)
	}
}

func chain(a, b func(int64)) func(int64) { return func(n int64) { a(n); b(n) } }

func TestCanceledWhileRestoring(t *testing.T) {
	store, p := openDir(t), makePlan(t, nil)
	newBench(t, store, p)
	trainUntil(t, store, p, 10)
	g := newGate(store, "get")
	b := newWorker(t, g, p)
	go func() {
		<-g.entered
		b.cancel()
	}()
	wantCanceled(t, b.train())
	if got := keys(t, store, "stages/"+b.id()+"/manifests/"); len(got) != 1 {
		t.Errorf("checkpoints: %v", got)
	}
	c := newWorker(t, store, p)
	c.finish()
	wantSame(t, "the model", c.model(), golden(t))
}
