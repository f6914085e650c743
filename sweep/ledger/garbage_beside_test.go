package ledger

import (
	"context"
	"io"
	"sync/atomic"
	"testing"

	"github.com/topksweep/sweep/storage"
	"github.com/topksweep/sweep/storage/storagetest"
	"github.com/topksweep/sweep/sweep/plan"
)

// A hookedStore calls hook before its left-th operation.
type hookedStore struct {
	storage.Store
	left       atomic.Int64
	hook       func()
	op         string // the one that the hook was called before
	plansAfter bool   // the plans were listed once more after the hook was called
}

func newHookedStore(s storage.Store, n int, hook func()) *hookedStore {
	h := &hookedStore{Store: s, hook: hook}
	h.left.Store(int64(n))
	return h
}

func (h *hookedStore) count(op string) {
	if h.left.Add(-1) == 0 {
		h.op = op
		h.hook()
	}
}

func (h *hookedStore) Get(ctx context.Context, key string) (io.ReadCloser, error) {
	h.count("get")
	return h.Store.Get(ctx, key)
}

func (h *hookedStore) PutNew(ctx context.Context, key string, data []byte) error {
	return storage.PutNew(ctx, h.Store, key, data)
}

func (h *hookedStore) List(ctx context.Context, prefix string) ([]storage.Object, error) {
	h.count("list")
	if prefix == sweepsPrefix && h.left.Load() <= 0 {
		h.plansAfter = true
	}
	return h.Store.List(ctx, prefix)
}

func (h *hookedStore) Delete(ctx context.Context, key string) error {
	h.count("delete")
	return h.Store.Delete(ctx, key)
}

// collectBeside collects garbage in s and calls hook before one operation after the
// other, each time in a new store that fill has filled. Then check looks at what is
// left.
func collectBeside(t *testing.T, fill, hook func(storage.Store), check func(n int, s storage.Store, h *hookedStore)) {
	t.Helper()
	for n := 1; ; n++ {
		s := storagetest.NewMemory()
		fill(s)
		h := newHookedStore(s, n, func() { hook(s) })
		if _, err := New(h).CollectGarbage(t.Context(), farAhead(), false); err != nil {
			t.Fatal(err)
		}
		if h.left.Load() > 0 {
			if n < 8 {
				t.Errorf("%d operations", n-1)
			}
			return
		}
		check(n, s, h)
	}
}

// A sweep may be submitted while garbage is collected, at whatever moment.
func TestGarbageBesideSubmission(t *testing.T) {
	p := planOf(t, tinyGrid)
	run := p.RunID(p.Cells[0].ID)
	fill := func(s storage.Store) { storagetest.SaveCheckpoints(t, s, run, []int64{10}, 10) } // of a plan that is gone
	t.Run("and trains", func(t *testing.T) {
		hook := func(s storage.Store) {
			storePlan(t, s, p)
			storagetest.SaveCheckpoints(t, s, run, []int64{20}, 20)
		}
		collectBeside(t, fill, hook, func(n int, s storage.Store, h *hookedStore) {
			// The old checkpoint may have gone before the run looked for it. What the
			// run has saved itself is there in any case.
			wantHeld(t, s, run, 20)
		})
	})
	t.Run("and waits", func(t *testing.T) {
		hook := func(s storage.Store) { storePlan(t, s, p) }
		read := 0
		collectBeside(t, fill, hook, func(n int, s storage.Store, h *hookedStore) {
			if h.plansAfter { // the plan was there when plans were read for the last time
				wantHeld(t, s, run, 10)
				read++
			}
		})
		if read < 3 {
			t.Errorf("the plan was read %d times", read)
		}
	})
}

// A finished sweep may be extended while garbage is collected, at whatever moment.
func TestGarbageBesideExtension(t *testing.T) {
	whole := planOf(t, tinyGrid)
	run := whole.RunID(whole.Cells[2].ID) // of the extension; its checkpoint is there already
	storeCells := func(s storage.Store, cells int) {
		t.Helper()
		putCells(t, s, whole.ID, whole.Cells[:cells])
		putHeader(t, s, whole, cells)
	}
	fill := func(s storage.Store) {
		storeCells(s, 2)
		for cell := range 2 {
			storeResult(t, s, whole, cell, 1)
		}
		storagetest.SaveCheckpoints(t, s, run, []int64{10}, 10)
	}
	t.Run("and trains", func(t *testing.T) {
		var before []string
		hook := func(s storage.Store) {
			before = keys(t, s, "stages/"+run+"/manifests/")
			storeCells(s, 3)
			storagetest.SaveCheckpoints(t, s, run, []int64{20}, 20)
		}
		collectBeside(t, fill, hook, func(n int, s storage.Store, h *hookedStore) {
			wantHeld(t, s, run, 20)
			// Once it has begun to delete, the old checkpoint may go. Before that, it stays.
			if h.op != "delete" && len(before) > 0 && len(keys(t, s, "stages/"+run+"/manifests/")) != 2 {
				t.Errorf("extended before operation %d: the checkpoint that was there is gone", n)
			}
		})
	})
	t.Run("and waits", func(t *testing.T) {
		hook := func(s storage.Store) { storeCells(s, 3) }
		read := 0
		collectBeside(t, fill, hook, func(n int, s storage.Store, h *hookedStore) {
			if h.plansAfter {
				wantHeld(t, s, run, 10)
				read++
			}
		})
		if read < 6 {
			t.Errorf("the extended plan was read %d times", read)
		}
	})
}

// putHeader stores the header of a plan as if the plan had its first cells only.
func putHeader(t *testing.T, s storage.Store, p *plan.Plan, cells int) {
	t.Helper()
	h := p.Header
	h.CellCount = cells
	if err := storage.PutJSON(t.Context(), s, PlanKey(h.ID), &h); err != nil {
		t.Fatal(err)
	}
}

// While an extension is stored, cells are there that the header does not have yet.
// Their checkpoints stay.
func TestGarbageInAnExtension(t *testing.T) {
	s, p := storagetest.NewMemory(), planOf(t, wideGrid())
	l := storePlan(t, s, p)
	putHeader(t, s, p, 200)
	cells := []int{0, 199, 200, plan.ChunkSize - 1, plan.ChunkSize, len(p.Cells) - 1}
	for _, cell := range cells {
		storagetest.SaveCheckpoints(t, s, p.RunID(p.Cells[cell].ID), nil, 1)
	}
	if g, err := l.CollectGarbage(t.Context(), farAhead(), false); err != nil || len(g.Folders) > 0 {
		t.Errorf("collected %+v, %v", g, err)
	}
	for _, cell := range cells {
		wantHeld(t, s, p.RunID(p.Cells[cell].ID), 1)
	}
}
