package activities

import (
	"errors"
	"io"
	"slices"
	"strings"
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

// A run is trained and evaluated; doing it again changes nothing.
func TestWholeRun(t *testing.T) {
	w := submit(t, openDir(t), makePlan(t, nil))
	w.finish()
	var files []string
	for _, f := range []string{
		"README.md", "ae.pt", modelConfig, "config.json", modelCurve, modelResult, modelWeights, "sae_weights.safetensors",
	} {
		files = append(files, ledger.ModelKey(w.id(), f))
	}
	if got := keys(t, w.store, "models/"); !slices.Equal(got, files) {
		t.Errorf("models: %v", got)
	}
	if got := keys(t, w.store, "stages/"); len(got) > 0 {
		t.Errorf("left over: %v", got)
	}
	var r ledger.Result
	if err := storage.GetJSON(t.Context(), w.store, ledger.ResultKey(w.id()), &r); err != nil {
		t.Fatal(err)
	}
	want := ledger.NewResult(&w.plan.Header, w.plan.Cells[1], plan.Completed)
	if r.Cell != want.Cell || r.Config != want.Config || r.Status != want.Status || r.Data != want.Data {
		t.Errorf("result %+v, want %+v", r, want)
	}
	if r.LMName != "toy" || *r.Layer != 3 || r.SubmoduleName != "resid_post" {
		t.Errorf("the result names other activations: %+v", r)
	}
	if r.Tokens != steps*16 || r.Metrics.EvalTokens != 64 || !(r.Metrics.L2Loss > 0) {
		t.Errorf("result %+v", r)
	}
	if r.Metrics.DeadLatents == 0 {
		t.Error("no latent died: the case is too easy")
	}

	before := snapshot(t, w.store)
	for range 2 {
		w.finish()
	}
	wantUnchanged(t, "doing it again", snapshot(t, w.store), before)
	newWorker(t, w.store, w.plan).finish()
	wantUnchanged(t, "doing it again on another worker", snapshot(t, w.store), before)
}

// A run that is stopped after any number of steps, on any number of workers, ends
// with the same bits, and no step is trained twice.
func TestStopAndGoOn(t *testing.T) {
	want := undisturbedModel(t)
	for _, stops := range [][]int64{{1}, {20}, {steps - 1}, {steps}, {3, 4, 21, 39}} {
		store, p := openDir(t), makePlan(t, nil)
		submit(t, store, p)
		for _, n := range stops {
			if n < steps {
				trainUntil(t, store, p, n)
			}
		}
		w := newWorker(t, store, p)
		var first atomic.Int64
		first.Store(-1)
		w.hooks.before = func(step int64) { first.CompareAndSwap(-1, step) }
		w.finish()
		if last := stops[len(stops)-1]; last < steps && first.Load() != last {
			t.Errorf("stopped after %v, went on with step %d", stops, first.Load())
		}
		wantSame(t, "the model", w.model(), want)
	}
}

// A worker that is told to stop after the last step has finished the run.
func TestStopAtTheEnd(t *testing.T) {
	w := submit(t, openDir(t), makePlan(t, nil))
	w.hooks.after = func(done int64) {
		if done == steps {
			close(w.stop)
		}
	}
	wantType(t, w.train(), "WorkerStopping", true)
	next := newWorker(t, w.store, w.plan)
	next.hooks.before = func(step int64) { t.Errorf("step %d is trained again", step) }
	next.finish()
	wantSame(t, "the model", next.model(), undisturbedModel(t))
}

// A canceled run saves the step that it has come to.
func TestCancelSaves(t *testing.T) {
	w := submit(t, openDir(t), makePlan(t, nil))
	w.hooks.after = func(done int64) {
		if done == 17 {
			w.cancel()
		}
	}
	wantCanceled(t, w.train())
	if m, err := w.newest(); err != nil || m.Step != 17 {
		t.Errorf("newest checkpoint %+v, %v, want that of step 17", m, err)
	}
	next := newWorker(t, w.store, w.plan)
	next.finish()
	wantSame(t, "the model", next.model(), undisturbedModel(t))
}

// A numeric error leaves the model in the middle of a step. Such a model is not
// saved, even if the run is canceled at the same time.
func TestNotFinite(t *testing.T) {
	for _, canceled := range []bool{false, true} {
		p := makePlan(t, func(p *plan.Plan) {
			for i := range p.Cells {
				c := &p.Cells[i]
				c.Config.LR = 1e30
				c.ID = grid.CellID(c.Config, p.Info.Fingerprint)
			}
		})
		w := submit(t, openDir(t), p)
		w.hooks.before = func(step int64) {
			if canceled && step == 1 {
				w.cancel()
			}
		}
		err := w.train()
		if canceled && err != nil && strings.Contains(err.Error(), "canceled") {
			continue // the run has ended before the step that would have failed
		}
		wantType(t, err, "NotFinite", false)
		if got := keys(t, w.store, "stages/"+w.id()+"/manifests/"); len(got) > 0 {
			t.Errorf("saved: %v", got)
		}
	}
}

// If the newest checkpoint is damaged, the run goes on from the one before.
func TestFallBack(t *testing.T) {
	want := undisturbedModel(t)
	for name, spoil := range map[string]func([]byte) []byte{
		"flipped":   func(b []byte) []byte { b[len(b)/2] ^= 1; return b },
		"truncated": func(b []byte) []byte { return b[:len(b)/2] },
		"empty":     func([]byte) []byte { return nil },
		"gone":      nil,
	} {
		store, p := openDir(t), makePlan(t, nil)
		w := submit(t, store, p)
		trainUntil(t, store, p, 10)
		trainUntil(t, store, p, 20)
		data := keys(t, store, "stages/"+w.id()+"/data/") // of steps 10 and 20
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
		w.hooks.before = func(step int64) { first.CompareAndSwap(-1, step) }
		w.finish()
		if first.Load() != 10 {
			t.Errorf("%s: went on with step %d, want 10", name, first.Load())
		}
		wantSame(t, name+": the model", w.model(), want)
	}
}

// If the last checkpoint is damaged before it is evaluated, its steps are trained
// again.
func TestLostCheckpoint(t *testing.T) {
	store, p := openDir(t), makePlan(t, nil)
	w := submit(t, store, p)
	trainUntil(t, store, p, 30)
	if err := w.train(); err != nil {
		t.Fatal(err)
	}
	data := keys(t, store, "stages/"+w.id()+"/data/")
	if err := storage.PutBytes(t.Context(), store, data[len(data)-1], []byte("short")); err != nil {
		t.Fatal(err)
	}
	wantType(t, w.evaluate(), protocol.ErrTypeLost, false)
	w.finish()
	wantSame(t, "the model", w.model(), undisturbedModel(t))
}

// Whatever operation of the store fails, and however, another try ends with the
// same model and the same result.
func TestEveryOperationFailsOnce(t *testing.T) {
	undisturbed := submit(t, openDir(t), makePlan(t, nil))
	if err := undisturbed.train(); err != nil {
		t.Fatal(err)
	}
	last := undisturbed.last(undisturbed.store)
	undisturbed.finish()
	want := undisturbed.model()
	for _, fault := range storagetest.Faults {
		t.Run(string(fault), func(t *testing.T) {
			t.Parallel()
			p := makePlan(t, nil)
			for n := 1; ; n++ {
				memory := storagetest.NewMemory()
				submit(t, memory, p)
				faulty := storagetest.NewFaulty(memory, fault, n)
				w := newWorker(t, faulty, p)
				w.saveEveryStep()
				for tries := 1; ; tries++ { // as the workflow and Temporal would
					err := w.inParts(13, 26)
					if err == nil && len(keys(t, memory, ledger.ResultKey(w.id()))) == 0 {
						wantSame(t, "the last checkpoint", w.last(memory), last)
					}
					if err == nil {
						err = w.evaluate()
					}
					if err == nil {
						break
					}
					var app *temporal.ApplicationError
					if tries > 3 || errors.As(err, &app) && app.NonRetryable() && app.Type() != protocol.ErrTypeLost {
						t.Fatalf("operation %d: try %d: %v", n, tries, err)
					}
				}
				wantSame(t, "the model", read(t, memory, ledger.ModelKey(w.id(), modelWeights)), want)
				var r ledger.Result
				if err := storage.GetJSON(t.Context(), memory, ledger.ResultKey(w.id()), &r); err != nil ||
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
func (w *testWorker) last(store storage.Store) (body []byte) {
	w.Helper()
	c, err := storage.NewCheckpoints(store, w.id(), nil)
	if err == nil {
		_, err = c.RestoreStep(w.T.Context(), steps, func(_ *storage.Manifest, r io.Reader) (err error) {
			body, err = io.ReadAll(r)
			return err
		})
	}
	if err != nil {
		w.Fatal(err)
	}
	return body
}

// inParts trains cell 1 and stops and restarts the worker after some steps.
func (w *testWorker) inParts(stops ...int64) error {
	for {
		w.stop = make(chan struct{})
		w.hooks.after = func(done int64) {
			if slices.Contains(stops, done) {
				close(w.stop)
			}
		}
		err := w.train()
		var app *temporal.ApplicationError
		if !errors.As(err, &app) || app.Type() != "WorkerStopping" {
			return err
		}
	}
}

// An attempt that wakes up after another one has claimed its run changes nothing,
// whether the run is trained or also evaluated by then.
func TestZombie(t *testing.T) {
	want := undisturbedModel(t)
	for name, done := range map[string]bool{"trained": false, "evaluated": true} {
		w := submit(t, openDir(t), makePlan(t, nil))
		asleep, wake := make(chan struct{}), make(chan struct{})
		w.hooks.before = func(step int64) {
			if step == 10 {
				close(asleep)
				<-wake
			}
		}
		ended := make(chan error, 1)
		go func() { ended <- w.train() }()
		<-asleep
		next := newWorker(t, w.store, w.plan)
		if err := next.train(); err != nil {
			t.Fatal(err)
		}
		if done {
			if err := next.evaluate(); err != nil {
				t.Fatal(err)
			}
		}
		before := snapshot(t, w.store)
		close(wake)
		wantType(t, <-ended, "Fenced", true)
		wantUnchanged(t, name+": the older attempt", snapshot(t, w.store), before)
		next.finish()
		wantSame(t, "the model", next.model(), want)
	}
}
