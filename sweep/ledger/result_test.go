package ledger

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/topksweep/sweep/storage"
	"github.com/topksweep/sweep/storage/storagetest"
	"github.com/topksweep/sweep/sweep/plan"
)

// completed is the result of one cell of a plan, with a number that tells it from
// others.
func completed(p *plan.Plan, cell int, loss float64) Result {
	r := NewResult(&p.Header, p.Cells[cell], plan.Completed)
	r.Metrics.L2Loss = loss
	return r
}

func storeResult(t *testing.T, s storage.Store, p *plan.Plan, cell int, loss float64) {
	t.Helper()
	if err := New(s).StoreResult(t.Context(), p.RunID(p.Cells[cell].ID), completed(p, cell, loss)); err != nil {
		t.Fatal(err)
	}
}

func TestStoreResult(t *testing.T) {
	for name, src := range map[string]string{
		"shared": tinyGrid,
		"own":    strings.Replace(tinyGrid, "run: {", "run: {reuse_results: false, ", 1),
	} {
		t.Run(name, func(t *testing.T) {
			eachStore(t, func(t *testing.T, s storage.Store) {
				ctx, l, p := t.Context(), New(s), planOf(t, src)
				run := p.RunID(p.Cells[1].ID)
				if own := strings.Contains(run, "-"); own != (name == "own") {
					t.Fatalf("run %s", run)
				}
				if _, err := l.Result(ctx, run); !errors.Is(err, storage.ErrNotFound) {
					t.Errorf("no result yet: %v", err)
				}
				storeResult(t, s, p, 1, 0.5)
				storeResult(t, s, p, 1, 0.25) // a second attempt: the first counts
				if r, err := l.Result(ctx, run); err != nil || !reflect.DeepEqual(r, completed(p, 1, 0.5)) {
					t.Errorf("result %+v, %v", r, err)
				}
				if runs, err := l.CompletedRuns(ctx); err != nil || !maps.Equal(runs, map[string]bool{run: true}) {
					t.Errorf("completed %v, %v", runs, err)
				}
				for range 2 { // deleting what is not there is no error
					if err := l.DeleteResult(ctx, run); err != nil {
						t.Error(err)
					}
				}
				if _, err := l.Result(ctx, run); !errors.Is(err, storage.ErrNotFound) {
					t.Errorf("the result was deleted: %v", err)
				}
				storeResult(t, s, p, 1, 0.25)
				if r, err := l.Result(ctx, run); err != nil || r.Metrics.L2Loss != 0.25 {
					t.Errorf("result after a deletion: %+v, %v", r, err)
				}
			})
		})
	}
}

// If the answer to a write is lost, the result is stored all the same, and storing
// it again succeeds.
func TestStoreResultUnderFaults(t *testing.T) {
	p := planOf(t, tinyGrid)
	for _, fault := range []storagetest.Fault{storagetest.Before, storagetest.After} {
		s := storagetest.NewMemory()
		faulty := New(storagetest.NewFaulty(s, fault, 1))
		run := p.Cells[0].ID
		if err := faulty.StoreResult(t.Context(), run, completed(p, 0, 1)); !errors.Is(err, storagetest.ErrInjected) {
			t.Errorf("%s: %v", fault, err)
		}
		if err := faulty.StoreResult(t.Context(), run, completed(p, 0, 2)); err != nil {
			t.Errorf("%s, again: %v", fault, err)
		}
		want := map[storagetest.Fault]float64{storagetest.Before: 2, storagetest.After: 1}[fault]
		if r, err := New(s).Result(t.Context(), run); err != nil || r.Metrics.L2Loss != want {
			t.Errorf("%s: result %+v, %v", fault, r, err)
		}
	}
}

// A readCounter counts the reads of a store.
type readCounter struct {
	storage.Store
	reads int
}

func (c *readCounter) Get(ctx context.Context, key string) (io.ReadCloser, error) {
	c.reads++
	return c.Store.Get(ctx, key)
}

// A result that was misread is read once more, and one that is damaged no more
// than that. Reads that end before the end of the object prove nothing.
func TestMisreadResult(t *testing.T) {
	p, s := planOf(t, tinyGrid), storagetest.NewMemory()
	storeResult(t, s, p, 0, 0.5)
	damaged := storagetest.NewMemory()
	put(t, damaged, ResultKey(p.Cells[0].ID), get(t, s, ResultKey(p.Cells[0].ID))[:100])
	for name, c := range map[string]struct {
		store storage.Store
		run   string
		reads int
		want  error
	}{
		"sound":        {s, p.Cells[0].ID, 1, nil},
		"misread once": {storagetest.NewFaulty(s, storagetest.ShortRead, 1), p.Cells[0].ID, 2, nil},
		"flipped once": {storagetest.NewFaulty(s, storagetest.FlippedRead, 1), p.Cells[0].ID, 2, nil},
		"read short":   {storagetest.NewFailing(s, storagetest.ShortRead, 1), p.Cells[0].ID, 2, io.ErrUnexpectedEOF},
		"damaged":      {damaged, p.Cells[0].ID, 2, storage.ErrCorrupt},
		"not there":    {s, p.Cells[1].ID, 1, storage.ErrNotFound},
		"no answer":    {storagetest.NewFailing(s, storagetest.Before, 1), p.Cells[0].ID, 1, storagetest.ErrInjected},
	} {
		counter := &readCounter{Store: c.store}
		r, err := New(counter).Result(t.Context(), c.run)
		if !errors.Is(err, c.want) || err == nil && r.Metrics.L2Loss != 0.5 {
			t.Errorf("%s: %+v, %v, want %v", name, r, err, c.want)
		}
		if counter.reads != c.reads {
			t.Errorf("%s: read %d times, want %d", name, counter.reads, c.reads)
		}
	}
}

// spoiltResults are ways in which the result of cell 0 is damaged.
func spoiltResults(t *testing.T, s storage.Store, p *plan.Plan) map[string]func() {
	key := ResultKey(p.RunID(p.Cells[0].ID))
	return map[string]func(){
		"empty":        func() { put(t, s, key, "") },
		"torn":         func() { replace(t, s, key, "}", "") },
		"another run":  func() { replace(t, s, key, p.Cells[0].ID, p.Cells[1].ID) },
		"not done yet": func() { replace(t, s, key, `"completed"`, `"running"`) },
		"other JSON":   func() { put(t, s, key, "{}") },
	}
}

func TestDamagedResult(t *testing.T) {
	p, s := planOf(t, tinyGrid), storagetest.NewMemory()
	run := p.RunID(p.Cells[0].ID)
	for name, spoil := range spoiltResults(t, s, p) {
		storeResult(t, s, p, 0, 0.5)
		spoil()
		if _, err := New(s).Result(t.Context(), run); !errors.Is(err, storage.ErrCorrupt) ||
			!strings.Contains(fmt.Sprint(err), ResultKey(run)) {
			t.Errorf("%s: %v, want corrupt %s", name, err, ResultKey(run))
		}
		if runs, err := New(s).CompletedRuns(t.Context()); err != nil || !runs[run] {
			t.Errorf("%s: completed %v, %v", name, runs, err)
		}
		if err := New(s).DeleteResult(t.Context(), run); err != nil {
			t.Fatal(err)
		}
	}
}

// A result is removed only if it is damaged at that moment.
func TestRemoveDamagedResult(t *testing.T) {
	p, s := planOf(t, tinyGrid), storagetest.NewMemory()
	l, run := New(s), p.RunID(p.Cells[0].ID)
	if removed, text, err := l.RemoveDamagedResult(t.Context(), run); removed || text != nil || err != nil {
		t.Errorf("none is there: %v, %q, %v", removed, text, err)
	}
	storeResult(t, s, p, 0, 0.5)
	before := snapshot(t, s)
	for _, fault := range storagetest.ReadFaults() {
		flaky := storagetest.NewFlaky(s, fault, func(string) bool { return true }, 1, !fault.Proves())
		if removed, text, err := New(flaky).RemoveDamagedResult(t.Context(), run); removed || text != nil {
			t.Errorf("%s: %v, %q, %v", fault.Name, removed, text, err)
		}
		wantUnchanged(t, s, before)
	}
	for name, spoil := range spoiltResults(t, s, p) {
		storeResult(t, s, p, 0, 0.5)
		spoil()
		want := get(t, s, ResultKey(run))
		if removed, text, err := l.RemoveDamagedResult(t.Context(), run); !removed || string(text) != want || err != nil {
			t.Errorf("%s: %v, %q, %v", name, removed, text, err)
		}
		if left := keys(t, s, ""); len(left) > 0 {
			t.Errorf("%s: left %q", name, left)
		}
	}
}

func TestResults(t *testing.T) {
	eachStore(t, func(t *testing.T, s storage.Store) {
		ctx, p := t.Context(), planOf(t, tinyGrid)
		l := storePlan(t, s, p)
		check := func(what string, want ...Result) {
			t.Helper()
			got, err := l.Results(ctx, &p.Header)
			for i := range want {
				want[i].Sweep, want[i].Run, want[i].Written = p.ID, p.RunID(p.Cells[i].ID), p.Cells[i].Written
			}
			if err != nil || !reflect.DeepEqual(got, want) {
				t.Errorf("%s:\n%+v\nwant\n%+v\n%v", what, got, want, err)
			}
			unfinished := 0
			for _, r := range want {
				if r.Status != plan.Completed {
					unfinished++
				}
			}
			if n, err := l.Unfinished(ctx, &p.Header); err != nil || n != unfinished {
				t.Errorf("%s: %d unfinished, want %d, %v", what, n, unfinished, err)
			}
		}
		pending := func(cell int) Result { return NewResult(&p.Header, p.Cells[cell], plan.Pending) }
		check("at first", pending(0), pending(1), pending(2))

		failed := NewResult(&p.Header, p.Cells[1], plan.Failed)
		failed.Error = "step 3: the loss is NaN"
		canceled := NewResult(&p.Header, p.Cells[2], plan.Canceled)
		for _, note := range []Result{failed, canceled} {
			if err := l.StoreFailure(ctx, p.ID, note); err != nil {
				t.Fatal(err)
			}
		}
		storeResult(t, s, p, 0, 0.5)
		check("one of each", completed(p, 0, 0.5), failed, canceled)

		storeResult(t, s, p, 1, 0.25)
		check("a result beside a failure note", completed(p, 0, 0.5), completed(p, 1, 0.25), canceled)

		if err := l.DeleteFailure(ctx, p.ID, p.Cells[2].ID); err != nil {
			t.Fatal(err)
		}
		check("once the note is deleted", completed(p, 0, 0.5), completed(p, 1, 0.25), pending(2))

		damaged := pending(0)
		damaged.Error = "its result in the store is damaged: a retry of the sweep trains the run again"
		for name, spoil := range spoiltResults(t, s, p) {
			spoil()
			check("a damaged result: "+name, damaged, completed(p, 1, 0.25), pending(2))
			if err := l.DeleteResult(ctx, p.Cells[0].ID); err != nil {
				t.Fatal(err)
			}
			storeResult(t, s, p, 0, 0.5)
		}
	})
}

// Results come in the order of the plan, over all of its chunks.
func TestManyResults(t *testing.T) {
	p, s := planOf(t, wideGrid()), storagetest.NewMemory()
	l := storePlan(t, s, p)
	done := []int{3, plan.ChunkSize, 2*plan.ChunkSize + 1}
	for _, cell := range done {
		storeResult(t, s, p, cell, float64(cell))
	}
	results, err := l.Results(t.Context(), &p.Header)
	if err != nil || len(results) != len(p.Cells) {
		t.Fatalf("%d results, %v", len(results), err)
	}
	for i, r := range results {
		want := plan.Pending
		if slices.Contains(done, i) {
			want = plan.Completed
		}
		if r.Cell != p.Cells[i].ID || r.Status != want {
			t.Errorf("result %d is of cell %s, %s; want %s, %s", i, r.Cell, r.Status, p.Cells[i].ID, want)
		}
	}
}

// Two grids may give the same activations different names. Each sees its own with
// a result that they share.
func TestResultsNameTheActivations(t *testing.T) {
	s := storagetest.NewMemory()
	p := planOf(t, tinyGrid)
	other := planOf(t, strings.Replace(tinyGrid, "lm_name: toy, layer: 3", "lm_name: gpt2, layer: 7", 1))
	if other.Cells[0].ID != p.Cells[0].ID {
		t.Fatal("the cells are others")
	}
	storeResult(t, s, p, 0, 0.5)
	results, err := storePlan(t, s, other).Results(t.Context(), &other.Header)
	if err != nil {
		t.Fatal(err)
	}
	if r := results[0]; r.Status != plan.Completed || r.LMName != "gpt2" || *r.Layer != 7 ||
		r.SubmoduleName != "resid_post" {
		t.Errorf("result %+v", r)
	}
}

// The scale is that of the data, whichever version of sweep stored the result.
func TestResultsHaveTheScale(t *testing.T) {
	p, s := planOf(t, tinyGrid), storagetest.NewMemory()
	p.Info.Scale = 0.25
	l := storePlan(t, s, p)
	old := completed(p, 0, 0.5)
	old.Scale = 0
	if err := l.StoreResult(t.Context(), p.Cells[0].ID, old); err != nil {
		t.Fatal(err)
	}
	results, err := l.Results(t.Context(), &p.Header)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range results {
		if r.Scale != p.Info.Scale {
			t.Errorf("cell %s, %s: scale %v, want %v", r.Cell, r.Status, r.Scale, p.Info.Scale)
		}
	}
}
