package ledger

import (
	"errors"
	"reflect"
	"testing"

	"github.com/topksweep/sweep/storage"
	"github.com/topksweep/sweep/sweep/plan"
)

func TestFailure(t *testing.T) {
	eachStore(t, func(t *testing.T, s storage.Store) {
		ctx, l, p := t.Context(), New(s), planOf(t, tinyGrid)
		cell := p.Cells[1]
		if _, err := l.Failure(ctx, p.ID, cell.ID); !errors.Is(err, storage.ErrNotFound) {
			t.Errorf("no note yet: %v", err)
		}
		first := NewResult(&p.Header, cell, plan.Canceled)
		last := NewResult(&p.Header, cell, plan.Failed)
		last.Error = "step 3: the loss is NaN"
		for _, note := range []Result{first, last} { // the last note counts
			if err := l.StoreFailure(ctx, p.ID, note); err != nil {
				t.Fatal(err)
			}
			if got, err := l.Failure(ctx, p.ID, cell.ID); err != nil || !reflect.DeepEqual(got, note) {
				t.Errorf("note %+v, %v, want %+v", got, err, note)
			}
		}
		if _, err := l.Failure(ctx, "other-00000000", cell.ID); !errors.Is(err, storage.ErrNotFound) {
			t.Errorf("the note of another sweep: %v", err)
		}
		for range 2 { // deleting what is not there is no error
			if err := l.DeleteFailure(ctx, p.ID, cell.ID); err != nil {
				t.Error(err)
			}
		}
		if _, err := l.Failure(ctx, p.ID, cell.ID); !errors.Is(err, storage.ErrNotFound) {
			t.Errorf("the note was deleted: %v", err)
		}
	})
}

// A note that is damaged still says that the run failed. A note that cannot be read says
// nothing yet.
func TestDamagedFailure(t *testing.T) {
	eachStore(t, func(t *testing.T, s storage.Store) {
		ctx, p := t.Context(), planOf(t, tinyGrid)
		l, cell := storePlan(t, s, p), p.Cells[1]
		key := FailureKey(p.ID, cell.ID)
		want := NewResult(&p.Header, cell, plan.Failed)
		want.Error = "the note in the store that says why is damaged: a retry of the sweep trains the run again"
		want.Sweep, want.Run, want.Written = p.ID, p.RunID(cell.ID), cell.Written
		for name, spoil := range map[string]func(){
			"empty":            func() { put(t, s, key, "") },
			"torn":             func() { replace(t, s, key, "}", "") },
			"no JSON":          func() { put(t, s, key, "no JSON") },
			"other JSON":       func() { put(t, s, key, "{}") },
			"no object":        func() { put(t, s, key, "null") },
			"another cell":     func() { replace(t, s, key, cell.ID, p.Cells[0].ID) },
			"not a failure":    func() { replace(t, s, key, `"failed"`, `"completed"`) },
			"of another shape": func() { replace(t, s, key, `"status": "failed"`, `"status": 1`) },
			"a flipped bit":    func() { replace(t, s, key, `"status"`, `"ctatus"`) },
		} {
			if err := l.StoreFailure(ctx, p.ID, NewResult(&p.Header, cell, plan.Failed)); err != nil {
				t.Fatal(err)
			}
			spoil()
			before := snapshot(t, s)
			note, err := l.Failure(ctx, p.ID, cell.ID)
			if err != nil || note.Cell != cell.ID || note.Status != plan.Failed || note.Error != want.Error {
				t.Errorf("%s: %+v, %v", name, note, err)
			}
			if all, err := l.Results(ctx, &p.Header); err != nil || !reflect.DeepEqual(all[1], want) {
				t.Errorf("%s: %+v, %v", name, all, err)
			}
			if n, err := l.Count(ctx, &p.Header, nil); err != nil || n.Failed != 1 || n.Notes != 1 {
				t.Errorf("%s: %+v, %v", name, n, err)
			}
			wantUnchanged(t, s, before)
		}
	})
}
