package ledger

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/topksweep/sweep/storage"
	"github.com/topksweep/sweep/storage/storagetest"
	"github.com/topksweep/sweep/sweep/plan"
)

// fillShared stores two sweeps that share the cells k=3 and k=4, with results, models and checkpoints of all cells.
func fillShared(t *testing.T, s storage.Store) (gone, stays *plan.Plan) {
	t.Helper()
	gone = planOf(t, tinyGrid)
	stays = planOf(t, strings.Replace(widened("[3, 4, 5]"), "name: tiny", "name: other", 1))
	for _, p := range []*plan.Plan{gone, stays} {
		fillRuns(t, s, p)
		if _, _, err := New(s).Submit(t.Context(), p, []byte(tinyGrid)); err != nil {
			t.Fatal(err)
		}
		put(t, s, ReportKey(p.ID, "results.csv"), "x")
	}
	return gone, stays
}

func fillRuns(t *testing.T, s storage.Store, p *plan.Plan) {
	t.Helper()
	for i, c := range p.Cells {
		run := p.RunID(c.ID)
		storeResult(t, s, p, i, 1)
		put(t, s, ModelKey(run, WeightsFile), "weights")
		put(t, s, ModelKey(run, CurveFile), "[]")
		put(t, s, "stages/"+run+"/claims/000001.json", "{}")
	}
}

// wantKept says that all that a plan refers to is there.
func wantKept(t *testing.T, s storage.Store, p *plan.Plan) {
	t.Helper()
	l := New(s)
	if whole, err := l.isWhole(t.Context(), p.ID); err != nil || !whole {
		t.Errorf("the plan of %s is whole: %v, %v", p.ID, whole, err)
	}
	for _, c := range p.Cells {
		if _, err := l.Result(t.Context(), p.RunID(c.ID)); err != nil {
			t.Error(err)
		}
		if n := len(keys(t, s, ModelKey(p.RunID(c.ID), ""))); n != 2 {
			t.Errorf("%d files of the model of %s", n, c.ID)
		}
	}
}

// wantGone says that nothing is left of a sweep, but what another one refers to.
func wantGone(t *testing.T, s storage.Store, gone, stays *plan.Plan) {
	t.Helper()
	want := storagetest.NewMemory()
	fillRuns(t, want, stays)
	for _, key := range keys(t, s, "") {
		run := strings.Split(strings.TrimSuffix(key, ".json"), "/")[1]
		_, needed := snapshot(t, want)[key]
		if run != stays.ID && run != removalFolder && !needed {
			t.Errorf("%s is left", key)
		}
	}
}

// remove removes sweeps.
func remove(s storage.Store, ids ...string) (Removal, error) {
	return New(s).Remove(context.Background(), ids, RemovalOptions{})
}

func TestRemove(t *testing.T) {
	eachStore(t, func(t *testing.T, s storage.Store) {
		gone, stays := fillShared(t, s)
		before := snapshot(t, s)
		would, err := New(s).Removal(t.Context(), []string{gone.ID})
		if err != nil || !would.DryRun {
			t.Fatalf("%+v, %v", would, err)
		}
		wantUnchanged(t, s, before)
		did, err := remove(s, gone.ID)
		if err != nil {
			t.Fatal(err)
		}
		if did.DryRun || did.Bytes() < would.Bytes() || did.Bytes() > would.Bytes()+10 { // with the mark
			t.Errorf("removed %+v, would remove %+v", did, would)
		}
		for kind, n := range map[string]int{RemovedPlans: 1, RemovedResults: 1, RemovedModels: 1, RemovedFolders: 1} {
			if got := did.Part(kind); got.Count != n || got.Bytes == 0 {
				t.Errorf("of %s went %+v, want %d", kind, got, n)
			}
		}
		if len(did.Kept) != 3 || did.Kept[0].Sweep != stays.ID || did.Kept[0].Count != 2 {
			t.Errorf("kept %+v", did.Kept)
		}
		wantKept(t, s, stays)
		wantGone(t, s, gone, stays)
		if _, err := New(s).Header(t.Context(), gone.ID); !errors.Is(err, storage.ErrNotFound) {
			t.Errorf("the header: %v", err)
		}
		if _, err := remove(s, stays.ID); err != nil {
			t.Fatal(err)
		}
		if left := keys(t, s, ""); len(left) != 2 { // the last claim, and its end
			t.Errorf("left: %q", left)
		}
	})
}

// Both sweeps together: neither keeps anything of the other.
func TestRemoveTogether(t *testing.T) {
	s := storagetest.NewMemory()
	a, b := fillShared(t, s)
	did, err := remove(s, a.ID, b.ID)
	if left := keys(t, s, ""); err != nil || len(left) != 2 || len(did.Kept) != 0 || did.Part(RemovedResults).Count != 4 {
		t.Errorf("%+v, %v; left %q", did, err, left)
	}
}

// A sweep whose own plan is damaged goes. While that of another one is damaged, nothing goes and nothing is hidden.
func TestRemoveDamaged(t *testing.T) {
	s := storagetest.NewMemory()
	gone, stays := fillShared(t, s)
	put(t, s, ChunkKey(stays.ID, 0), "[")
	before := snapshot(t, s)
	if _, err := remove(s, gone.ID); !errors.Is(err, storage.ErrCorrupt) {
		t.Errorf("beside a damaged plan: %v", err)
	}
	after := snapshot(t, s)
	maps.DeleteFunc(after, func(key, _ string) bool { return strings.Contains(key, "/"+removalFolder+"/") })
	if !maps.Equal(before, after) {
		t.Error("something has changed")
	}
	if _, err := remove(s, stays.ID); err != nil {
		t.Errorf("the damaged one itself: %v", err)
	}
	wantKept(t, s, gone)
	put(t, s, PlanKey(gone.ID), "{")
	if _, err := remove(s, gone.ID); err != nil || len(keys(t, s, sweepsPrefix)) > 0 {
		t.Errorf("with a damaged header: %v", err)
	}
}

// A removal may be killed before any operation. Nobody reads half a sweep afterwards, and another removal, a collection
// of garbage, or another submission brings it to its end.
func TestRemoveKilled(t *testing.T) {
	ends := map[string]func(l *Ledger, gone *plan.Plan) error{
		"rm": func(l *Ledger, gone *plan.Plan) error {
			_, err := l.Remove(context.Background(), []string{gone.ID}, RemovalOptions{})
			return err
		},
		"gc": func(l *Ledger, gone *plan.Plan) error {
			_, err := l.CollectGarbage(context.Background(), farAhead(), false)
			return err
		},
		"submit": func(l *Ledger, gone *plan.Plan) error {
			return l.BesideRemovals(context.Background(), gone.ID, RemovalOptions{}, func() error {
				_, _, err := l.Submit(context.Background(), gone, []byte(tinyGrid))
				return err
			})
		},
	}
	for name, end := range ends {
		t.Run(name, func(t *testing.T) {
			for n := 1; ; n++ {
				s := storagetest.NewMemory()
				gone, stays := fillShared(t, s)
				killed := storagetest.NewFailing(s, storagetest.Before, n)
				synctest.Test(t, func(t *testing.T) {
					_, err := remove(killed, gone.ID)
					if killed.Fired() && n < 20 && !errors.Is(err, storagetest.ErrInjected) {
						t.Errorf("killed before operation %d: %v", n, err)
					}
				})
				wantListed(t, s, gone, stays)
				hidden, err := New(s).HalfRemoved(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				synctest.Test(t, func(t *testing.T) {
					if err := end(New(s), gone); err != nil {
						t.Errorf("killed before operation %d, then: %v", n, err)
					}
				})
				switch whole, err := New(s).isWhole(t.Context(), gone.ID); {
				case err != nil:
					t.Error(err)
				case name == "submit" && !whole:
					t.Errorf("killed before operation %d: it is not there after the submission", n)
				case name == "rm" && whole, name == "gc" && len(hidden) > 0 && whole:
					t.Errorf("killed before operation %d: the sweep is still there", n)
				case name != "submit" && !whole:
					wantGone(t, s, gone, stays)
				}
				wantKept(t, s, stays)
				if t.Failed() || !killed.Fired() {
					if n < 15 {
						t.Errorf("%d operations", n-1)
					}
					return
				}
			}
		})
	}
}

// wantListed says that a listing of the sweeps has only such that can be read.
func wantListed(t *testing.T, s storage.Store, all ...*plan.Plan) {
	t.Helper()
	ids, err := New(s).SweepIDs(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, id := range ids {
		if whole, err := New(s).isWhole(t.Context(), id); err != nil || !whole {
			t.Errorf("%s is listed, and is whole: %v, %v", id, whole, err)
		}
	}
	if !slices.Contains(ids, all[len(all)-1].ID) {
		t.Errorf("%q lacks %s", ids, all[len(all)-1].ID)
	}
}
