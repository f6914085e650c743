package ledger

import (
	"errors"
	"reflect"
	"strings"
	"testing"

	"github.com/topksweep/sweep/storage"
	"github.com/topksweep/sweep/storage/storagetest"
	"github.com/topksweep/sweep/sweep/grid"
	"github.com/topksweep/sweep/sweep/plan"
)

// An extension that died before it stored the header has left cells behind, which
// the plan does not have. The next extension adds them.
func TestHalfExtended(t *testing.T) {
	eachStore(t, func(t *testing.T, s storage.Store) {
		ctx, p := t.Context(), planOf(t, tinyGrid)
		l := storePlan(t, s, p)
		extended := planOf(t, tinyGrid)
		extend(t, extended)
		putCells(t, s, p.ID, extended.Cells)

		if chunk, err := l.Chunk(ctx, p.ID, 0); err != nil || len(chunk) != 4 {
			t.Errorf("the chunk has %d cells, %v", len(chunk), err)
		}
		stored, err := l.Plan(ctx, p.ID)
		if err != nil || len(stored.Cells) != 3 {
			t.Fatalf("the plan has %d cells, %v", len(stored.Cells), err)
		}
		if results, err := l.Results(ctx, &p.Header); err != nil || len(results) != 3 {
			t.Errorf("%d results, %v", len(results), err)
		}
		completed := map[string]bool{}
		for _, c := range extended.Cells {
			completed[c.ID] = true
		}
		if n, err := l.Count(ctx, &p.Header, completed); err != nil || n.Completed != 3 {
			t.Errorf("counted %+v, %v", n, err)
		}

		extend(t, stored)
		storePlan(t, s, stored)
		second, err := l.Plan(ctx, p.ID)
		if err != nil || len(second.Cells) != 4 || second.TreeChunks != 2 {
			t.Errorf("after the next extension: %d cells, trees in %d chunks, %v", len(second.Cells), second.TreeChunks, err)
		}
		for i, want := range []int{3, 1} {
			if trees, err := l.Trees(ctx, p.ID, i); err != nil || len(trees) != want {
				t.Errorf("chunk %d has %d trees, want %d: %v", i, len(trees), want, err)
			}
		}
	})
}

// Cells that the header has and the chunk has not are damage.
func TestMissingCells(t *testing.T) {
	s, p := storagetest.NewMemory(), planOf(t, tinyGrid)
	l := storePlan(t, s, p)
	putCells(t, s, p.ID, p.Cells[:2])
	for _, name := range []string{"Plan", "Cells", "Results", "Unfinished", "Count"} {
		if err := planReaders(p)[name](t.Context(), l); !errors.Is(err, storage.ErrCorrupt) {
			t.Errorf("%s: %v, want corrupt", name, err)
		}
	}
	if chunk, err := l.Chunk(t.Context(), p.ID, 0); err != nil || len(chunk) != 2 {
		t.Errorf("the chunk has %d cells, %v", len(chunk), err)
	}
}

// The grids by which a sweep was extended are read in the order in which they came, and not those of extensions that
// never came to be.
func TestExtensions(t *testing.T) {
	eachStore(t, func(t *testing.T, s storage.Store) {
		l, h := New(s), &plan.Header{ID: "tiny-1"}
		h.CellCount = 2_000_000
		if got, err := l.Extensions(t.Context(), h); err != nil || len(got) != 0 {
			t.Errorf("not extended: %v, %v", got, err)
		}
		for cells, src := range map[int]string{3: "first", 1_000_000: "third", 20: "second", 2_000_000: "never"} {
			put(t, s, ExtensionKey(h.ID, cells), src)
		}
		put(t, s, ExtensionKey("tiny-12", 4), "another sweep's")
		for _, name := range []string{"x", "-00001.yaml", "7", "000008.yaml.old"} {
			put(t, s, "sweeps/tiny-1/extension-"+name, "no extension")
		}
		put(t, s, ExtensionKey(h.ID, 30), strings.Repeat(" ", grid.MaxBytes+1))
		got, err := l.Extensions(t.Context(), h)
		want := []Extension{
			{3, []byte("first"), ExtensionKey(h.ID, 3)}, {20, []byte("second"), ExtensionKey(h.ID, 20)},
			{30, nil, ExtensionKey(h.ID, 30)}, {1_000_000, []byte("third"), ExtensionKey(h.ID, 1_000_000)},
		}
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%+v, %v", got, err)
		}
		faulty := storagetest.NewFaulty(s, storagetest.Before, 1)
		if _, err := New(faulty).Extensions(t.Context(), h); !errors.Is(err, storagetest.ErrInjected) {
			t.Errorf("a store that fails: %v", err)
		}
	})
}
