package activities

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"syscall"
	"testing"

	"go.temporal.io/sdk/temporal"

	"github.com/topksweep/sweep/storage"
	"github.com/topksweep/sweep/storage/storagetest"
	"github.com/topksweep/sweep/sweep/ledger"
	"github.com/topksweep/sweep/sweep/plan"
	"github.com/topksweep/sweep/sweep/protocol"
)

// A keeper is a store that says which removals are a loss: those of results, and those of
// a checkpoint of a run without a result, if none that is as high stays.
type keeper struct {
	storage.Store
	clean storage.Store // the same without faults
	t     *testing.T
	what  string
	run   string
}

func (k *keeper) Delete(ctx context.Context, key string) error {
	prefix := "stages/" + k.run + "/manifests/"
	switch {
	case strings.HasPrefix(key, "results/"):
		k.t.Errorf("%s: %s is removed", k.what, key)
	case strings.HasPrefix(key, prefix) && len(keys(k.t, k.clean, ledger.ResultKey(k.run))) == 0:
		if all := keys(k.t, k.clean, prefix); all[len(all)-1] == key {
			k.t.Errorf("%s: %s, the highest checkpoint, is removed", k.what, key)
		}
	}
	return k.Store.Delete(ctx, key)
}

func (k *keeper) PutNew(ctx context.Context, key string, data []byte) error {
	return storage.PutNew(ctx, k.Store, key, data)
}

// stored is the highest step of which a checkpoint of cell 1's run is stored.
func (w *testWorker) stored(s storage.Store) (step int64) {
	w.Helper()
	for _, key := range keys(w.T, s, "stages/"+w.id()+"/manifests/") {
		if _, err := fmt.Sscanf(key[strings.LastIndexByte(key, '/')+1:], "%d-", &step); err != nil {
			w.Fatal(err)
		}
	}
	return step
}

// objects are what a run reads from a store, by the part of the key that tells it.
var objects = []string{
	"/plan.json", "/cells-", "/trees-", "/failures/", "results/", "/claims/", "/manifests/", "/data/", "models/",
}

// Reads go wrong in the middle of a run, at any of its objects: one read, or all from one
// on until some attempts have failed. Then the run completes to the same bytes, nothing
// is removed that is needed, no step is trained that was stored, and nothing is final. If
// one read goes wrong, no step is trained twice either.
func TestReadsGoWrong(t *testing.T) {
	want := undisturbedModel(t)
	for _, fault := range storagetest.ReadFaults() {
		t.Run(fault.Name, func(t *testing.T) {
			t.Parallel()
			for _, object := range objects {
				for _, forever := range []bool{false, true} {
					if forever && fault.Proves() {
						continue
					}
					for n := int64(1); readTrial(t, openMemory(t), fault, object, n, forever, want) && !t.Failed(); n++ {
					}
				}
			}
		})
	}
}

// A directory of real files is read in the same way. Some of the faults are enough.
func TestReadsGoWrongInDirectory(t *testing.T) {
	want := undisturbedModel(t)
	for i, fault := range storagetest.ReadFaults() {
		if i%3 != 1 {
			continue
		}
		t.Run(fault.Name, func(t *testing.T) {
			t.Parallel()
			for _, object := range objects {
				readTrial(t, openDir(t), fault, object, 1, !fault.Proves(), want)
			}
		})
	}
}

func openMemory(*testing.T) storage.Store { return storagetest.NewMemory() }

// readTrial trains and evaluates cell 1 from step 20 on. It returns whether a fault
// happened.
func readTrial(
	t *testing.T, clean storage.Store, fault storagetest.ReadFault, object string, n int64, forever bool, want []byte,
) bool {
	t.Helper()
	p := makePlan(t, nil)
	submit(t, clean, p).recordFailure(0, "why")
	trainUntil(t, clean, p, 10)
	trainUntil(t, clean, p, 20)
	what := fmt.Sprintf("%s of %s, read %d, forever=%v", fault.Name, object, n, forever)
	match := func(key string) bool { return strings.Contains(key, object) }
	flaky := storagetest.NewFlaky(clean, fault, match, n, forever)
	kept := &keeper{flaky, clean, t, what, p.RunID(p.Cells[1].ID)}
	w := newWorker(t, kept, p)
	trained := 0
	w.hooks.before = func(step int64) {
		trained++
		if stored := w.stored(clean); step < stored && !t.Failed() {
			t.Errorf("%s: step %d is trained, and step %d is stored", what, step, stored)
		}
	}
	for tries := 0; ; tries++ {
		if tries == 3 {
			flaky.Heal()
		}
		err := w.run(protocol.ActivityPrepare, protocol.ChunkRef{Sweep: p.ID})
		if err == nil {
			err = w.train()
		}
		if err == nil {
			err = w.evaluate()
		}
		if err == nil {
			err = w.run(protocol.ActivityCollect, p.ID)
		}
		if err == nil {
			break
		}
		var app *temporal.ApplicationError
		if final := errors.As(err, &app) && app.NonRetryable(); final || tries > 4 {
			t.Errorf("%s: try %d: %v", what, tries, err)
			return false
		}
	}
	flaky.Heal()
	if !forever && trained != steps-20 {
		t.Errorf("%s: %d steps are trained, want %d", what, trained, steps-20)
	}
	wantSame(t, what+": the model", read(t, clean, ledger.ModelKey(w.id(), modelWeights)), want)
	for i, r := range w.results(t) {
		if r.Status != []plan.Status{plan.Failed, plan.Completed, plan.Pending}[i] || i == 0 && r.Error != "why" {
			t.Errorf("%s: result %d: %+v", what, i, r)
		}
	}
	if left := keys(t, clean, "stages/"); len(left) > 0 {
		t.Errorf("%s: left %v", what, left)
	}
	return flaky.Fired()
}

// A run that has its result is not trained again, whatever reading the result gives.
func TestResultIsThere(t *testing.T) {
	for _, fault := range storagetest.ReadFaults() {
		w := submit(t, openDir(t), makePlan(t, nil))
		w.finish()
		before := snapshot(t, w.store)
		isResult := func(key string) bool { return key == ledger.ResultKey(w.id()) }
		flaky := storagetest.NewFlaky(w.store, fault, isResult, 1, !fault.Proves())
		next := newWorker(t, flaky, w.plan)
		next.hooks.before = func(step int64) { t.Errorf("%s: step %d is trained", fault.Name, step) }
		for _, do := range []func() error{next.train, next.evaluate} {
			if err := do(); (err == nil) != fault.Proves() {
				t.Errorf("%s: %v", fault.Name, err)
			}
		}
		wantUnchanged(t, fault.Name, snapshot(t, w.store), before)
	}
}

// Only a result that is proved to be damaged is removed, and the log says what it was.
func TestDamagedResultIsRemoved(t *testing.T) {
	w := submit(t, openDir(t), makePlan(t, nil))
	w.finish()
	want := w.model()
	key := ledger.ResultKey(w.id())
	if err := storage.PutBytes(t.Context(), w.store, key, read(t, w.store, key)[:50]); err != nil {
		t.Fatal(err)
	}
	var log lockedBuffer
	// While its reads fail it stays, and nothing is trained.
	failing := storagetest.NewFlaky(w.store, storagetest.ReadFaults()[0], func(k string) bool { return k == key }, 1, true)
	other := newWorker(t, failing, w.plan)
	other.hooks.before = func(step int64) { t.Errorf("step %d is trained", step) }
	if err := other.train(); err == nil || !strings.Contains(err.Error(), syscall.EIO.Error()) {
		t.Errorf("trained: %v", err)
	}
	if left := keys(t, w.store, key); len(left) != 1 {
		t.Error("the result is removed")
	}
	next := newWorker(t, w.store, w.plan)
	next.log = slog.New(slog.NewTextHandler(&log, nil))
	next.finish()
	wantSame(t, "the model", next.model(), want)
	for _, part := range []string{"a damaged result is removed", "run=" + w.id(), "bytes=50", `\"cell\"`, "JSON"} {
		if !strings.Contains(log.String(), part) {
			t.Errorf("the log lacks %q:\n%s", part, log.String())
		}
	}
}
