package ledger

import (
	"testing"

	"github.com/topksweep/sweep/storage"
	"github.com/topksweep/sweep/sweep/plan"
)

// A sweep of which runs failed is failed, also if others were canceled one by one or stopped for that.
func TestFailedAndCanceled(t *testing.T) {
	for why, want := range map[string]plan.Status{
		"the sweep stopped, since too many runs failed": plan.Failed, "canceled by sweep cancel": plan.Failed,
		plan.SweepCanceled: plan.Canceled, canceledBefore: plan.Canceled,
	} {
		eachStore(t, func(t *testing.T, s storage.Store) {
			ctx, p := t.Context(), planOf(t, tinyGrid)
			l := storePlan(t, s, p)
			for i, c := range p.Cells {
				note := NewResult(&p.Header, c, plan.Failed)
				if i > 0 {
					note.Status, note.Error = plan.Canceled, why
				}
				if err := l.StoreFailure(ctx, p.ID, note); err != nil {
					t.Fatal(err)
				}
			}
			if n, err := l.Count(ctx, &p.Header, nil); err != nil || n.Ended() != want {
				t.Errorf("%s: %+v is %q, want %q, %v", why, n, n.Ended(), want, err)
			}
		})
	}
}

// A sweep is canceled in the store when each of its runs has a result or a note, and no more when notes are removed.
func TestCancelRuns(t *testing.T) {
	eachStore(t, func(t *testing.T, s storage.Store) {
		ctx, p := t.Context(), planOf(t, tinyGrid)
		l := storePlan(t, s, p)
		storeResult(t, s, p, 0, 1)
		failed := NewResult(&p.Header, p.Cells[1], plan.Failed)
		if err := l.StoreFailure(ctx, p.ID, failed); err != nil {
			t.Fatal(err)
		}
		ended := func(what string, want plan.Status) {
			t.Helper()
			runs, err := l.CompletedRuns(ctx)
			if err != nil {
				t.Fatal(err)
			}
			if n, err := l.Count(ctx, &p.Header, runs); err != nil || n.Ended() != want {
				t.Errorf("%s: %+v is %q, want %q, %v", what, n, n.Ended(), want, err)
			}
		}
		left := p.CellCount - 2
		ended("runs are left", "")
		for _, want := range []int{left, 0} {
			if n, err := l.CancelRuns(ctx, &p.Header); n != want || err != nil {
				t.Errorf("canceled %d runs, want %d, %v", n, want, err)
			}
			ended("canceled", plan.Canceled)
		}
		last := p.CellCount - 1
		note, err := l.Failure(ctx, p.ID, p.Cells[last].ID)
		if note.Status != plan.Canceled || note.Error != plan.SweepCanceled {
			t.Errorf("note %+v, %v", note, err)
		}
		if err := l.DeleteNotes(ctx, &p.Header, []int{0, 1, last}, plan.Canceled); err != nil {
			t.Fatal(err)
		}
		ended("one is to be trained", "")
		if noted, err := l.NotedCells(ctx, p.ID); err != nil || len(noted) != left || !noted[p.Cells[1].ID] {
			t.Errorf("notes on %v, %v", noted, err)
		}
		if err := l.DeleteNotes(ctx, &p.Header, nil, plan.Canceled, plan.Failed); err != nil {
			t.Fatal(err)
		}
		if noted, err := l.NotedCells(ctx, p.ID); err != nil || len(noted) != 0 {
			t.Errorf("notes on %v, %v", noted, err)
		}
		for i := range p.Cells {
			storeResult(t, s, p, i, 1)
		}
		ended("trained", plan.Completed)
	})
}
