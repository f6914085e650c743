package ledger

import (
	"context"
	"io"
	"sync/atomic"
	"testing"

	"github.com/topksweep/sweep/storage"
	"github.com/topksweep/sweep/storage/storagetest"
)

// A hookedStore calls hook before its left-th operation.
type hookedStore struct {
	storage.Store
	left atomic.Int64
	hook func()
	op   string // the one that the hook was called before
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
	return h.Store.List(ctx, prefix)
}

func (h *hookedStore) Delete(ctx context.Context, key string) error {
	h.count("delete")
	return h.Store.Delete(ctx, key)
}

// A sweep that is submitted while garbage is collected keeps what it saves,
// whatever moment it is submitted at.
func TestGarbageBesideSubmission(t *testing.T) {
	p := planOf(t, tinyGrid)
	run := p.RunID(p.Cells[0].ID)
	for n := 1; ; n++ {
		s := storagetest.NewMemory()
		save(t, s, run, []int64{10}, 10) // of a plan that is gone
		h := newHookedStore(s, n, func() {
			storePlan(t, s, p)
			save(t, s, run, []int64{20}, 20)
		})
		if _, err := New(h).CollectGarbage(t.Context(), farAhead(), false); err != nil {
			t.Fatal(err)
		}
		if h.left.Load() > 0 {
			if n < 8 {
				t.Errorf("%d operations", n-1)
			}
			return
		}
		// The old checkpoint may have gone before the run looked for it. What the
		// run has saved itself is there in any case.
		wantHeld(t, s, run, 20)
	}
}

// A finished sweep that is extended while garbage is collected keeps the
// checkpoints that its new cells need, whatever moment it is extended at.
func TestGarbageBesideExtension(t *testing.T) {
	whole := planOf(t, tinyGrid)
	run := whole.RunID(whole.Cells[2].ID) // of the extension; its checkpoint is there already
	storeCells := func(s storage.Store, cells int) {
		t.Helper()
		h := whole.Header
		h.CellCount = cells
		putCells(t, s, h.ID, whole.Cells[:cells])
		if err := storage.PutJSON(t.Context(), s, PlanKey(h.ID), &h); err != nil {
			t.Fatal(err)
		}
	}
	for n := 1; ; n++ {
		s := storagetest.NewMemory()
		storeCells(s, 2)
		for cell := range 2 {
			storeResult(t, s, whole, cell, 1)
		}
		save(t, s, run, []int64{10}, 10)
		var before []string
		h := newHookedStore(s, n, func() {
			before = keys(t, s, "stages/"+run+"/manifests/")
			storeCells(s, 3)
			save(t, s, run, []int64{20}, 20)
		})
		if _, err := New(h).CollectGarbage(t.Context(), farAhead(), false); err != nil {
			t.Fatal(err)
		}
		if h.left.Load() > 0 {
			if n < 8 {
				t.Errorf("%d operations", n-1)
			}
			return
		}
		wantHeld(t, s, run, 20)
		// Once it has begun to delete, the old checkpoint may go. Before that, it stays.
		if h.op != "delete" && len(before) > 0 && len(keys(t, s, "stages/"+run+"/manifests/")) != 2 {
			t.Errorf("extended before operation %d: the checkpoint that was there is gone", n)
		}
	}
}
