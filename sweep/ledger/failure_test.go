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
		put(t, s, FailureKey(p.ID, cell.ID), "{")
		if _, err := l.Failure(ctx, p.ID, cell.ID); !errors.Is(err, storage.ErrCorrupt) {
			t.Errorf("a torn note: %v", err)
		}
	})
}
