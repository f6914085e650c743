package ledger

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/topksweep/sweep/storage"
	"github.com/topksweep/sweep/storage/storagetest"
	"github.com/topksweep/sweep/sweep/grid"
	"github.com/topksweep/sweep/sweep/plan"
)

func TestStorePlan(t *testing.T) {
	eachStore(t, func(t *testing.T, s storage.Store) {
		ctx, p := t.Context(), planOf(t, wideGrid())
		if p.Chunks() < 2 || p.TreeChunks < 2 {
			t.Fatal("the plan is too small: it has no second chunk")
		}
		l := storePlan(t, s, p)
		wantWhole(t, l, p)
		for i := range p.Chunks() {
			if cells, err := l.Chunk(ctx, p.ID, i); err != nil || !reflect.DeepEqual(cells, p.Chunk(i)) {
				t.Errorf("chunk %d: %d cells, %v", i, len(cells), err)
			}
			if cells, err := l.Cells(ctx, &p.Header, i); err != nil || !reflect.DeepEqual(cells, p.Chunk(i)) {
				t.Errorf("cells of chunk %d: %d, %v", i, len(cells), err)
			}
		}
		before := snapshot(t, s)
		storePlan(t, s, p)
		wantUnchanged(t, s, before)
	})
}

// wantWhole says that all of a plan is stored: header, cells and trees.
func wantWhole(t *testing.T, l *Ledger, p *plan.Plan) {
	t.Helper()
	h, err := l.Header(t.Context(), p.ID)
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(h, &p.Header) {
		t.Errorf("header\n%+v\nwant\n%+v", h, &p.Header)
	}
	got, err := l.Plan(t.Context(), p.ID)
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(got, &plan.Plan{Header: p.Header, Cells: p.Cells}) {
		t.Errorf("the plan has %d cells, want the %d that were stored", len(got.Cells), len(p.Cells))
	}
	var trees []plan.Tree
	for i := range h.TreeChunks {
		chunk, err := l.Trees(t.Context(), p.ID, i)
		if err != nil {
			t.Fatal(err)
		}
		trees = append(trees, chunk...)
	}
	for _, tree := range trees { // stored trees have labels, those in memory have none
		for i := range tree.Cells {
			c := &tree.Cells[i]
			if want := p.Label(p.Cells[c.Cell]); c.Label != want {
				t.Errorf("label %q of cell %d, want %q", c.Label, c.Cell, want)
			}
			c.Label = ""
		}
	}
	if !reflect.DeepEqual(trees, p.Trees) {
		t.Errorf("%d trees, want the %d that were stored", len(trees), len(p.Trees))
	}
}

// A plan whose header is there is whole, wherever storing it was interrupted.
func TestStorePlanInterrupted(t *testing.T) {
	p := planOf(t, wideGrid())
	for _, fault := range []storagetest.Fault{storagetest.Before, storagetest.After, storagetest.ShortBody} {
		for n := 1; ; n++ {
			s := storagetest.NewMemory()
			faulty := storagetest.NewFaulty(s, fault, n)
			err := New(faulty).StorePlan(t.Context(), p)
			if errors.Is(err, storagetest.ErrInjected) != faulty.Fired() {
				t.Errorf("%s at operation %d: %v", fault, n, err)
			}
			if _, err := New(s).Header(t.Context(), p.ID); !errors.Is(err, storage.ErrNotFound) {
				wantWhole(t, New(s), p)
			}
			if t.Failed() {
				return
			}
			if !faulty.Fired() {
				if n < 5 && fault != storagetest.ShortBody { // all that is stored first is stored by conditional writes
					t.Errorf("%d operations", n-1)
				}
				break
			}
			wantWhole(t, storePlan(t, s, p), p)
		}
	}
}

func TestNoPlan(t *testing.T) {
	eachStore(t, func(t *testing.T, s storage.Store) {
		for name, read := range planReaders(planOf(t, tinyGrid)) {
			if err := read(t.Context(), New(s)); !errors.Is(err, storage.ErrNotFound) {
				t.Errorf("%s: %v, want not found", name, err)
			}
		}
	})
}

// planReaders are the methods that read parts of a stored plan.
func planReaders(p *plan.Plan) map[string]func(context.Context, *Ledger) error {
	type reader = func(context.Context, *Ledger) error
	return map[string]reader{
		"Header": func(ctx context.Context, l *Ledger) error { _, err := l.Header(ctx, p.ID); return err },
		"Plan":   func(ctx context.Context, l *Ledger) error { _, err := l.Plan(ctx, p.ID); return err },
		"Grid":   func(ctx context.Context, l *Ledger) error { _, err := l.Grid(ctx, p.ID); return err },
		"Chunk":  func(ctx context.Context, l *Ledger) error { _, err := l.Chunk(ctx, p.ID, 0); return err },
		"Cells":  func(ctx context.Context, l *Ledger) error { _, err := l.Cells(ctx, &p.Header, 0); return err },
		"Trees":  func(ctx context.Context, l *Ledger) error { _, err := l.Trees(ctx, p.ID, 0); return err },
		"Results": func(ctx context.Context, l *Ledger) error {
			_, err := l.Results(ctx, &p.Header)
			return err
		},
		"Unfinished": func(ctx context.Context, l *Ledger) error {
			_, err := l.Unfinished(ctx, &p.Header)
			return err
		},
		"Count": func(ctx context.Context, l *Ledger) error {
			_, err := l.Count(ctx, &p.Header, nil)
			return err
		},
	}
}

// A store that fails is never taken for one that holds less: whatever operation
// fails, its reader fails.
func TestFailedReads(t *testing.T) {
	p := planOf(t, tinyGrid)
	for name, read := range planReaders(p) {
		for n := 1; ; n++ {
			s := storedWithOutcomes(t, p)
			faulty := storagetest.NewFaulty(s, storagetest.Before, n)
			err := read(t.Context(), New(faulty))
			if errors.Is(err, storagetest.ErrInjected) != faulty.Fired() {
				t.Errorf("%s at operation %d: %v", name, n, err)
			}
			if !faulty.Fired() {
				if n == 1 {
					t.Errorf("%s reads nothing", name)
				}
				break
			}
		}
		faulty := storagetest.NewFaulty(storedWithOutcomes(t, p), storagetest.BrokenRead, 1)
		if err := read(t.Context(), New(faulty)); !errors.Is(err, storagetest.ErrInjected) {
			t.Errorf("%s of half an object: %v", name, err)
		}
	}
}

// storedWithOutcomes returns a store with a plan and its grid, in which cell 0 has
// failed and cell 1 has its result.
func storedWithOutcomes(t *testing.T, p *plan.Plan) storage.Store {
	t.Helper()
	s := storagetest.NewMemory()
	l := storePlan(t, s, p)
	put(t, s, GridKey(p.ID), tinyGrid)
	err := errors.Join(
		l.StoreFailure(t.Context(), p.ID, NewResult(&p.Header, p.Cells[0], plan.Failed)),
		l.StoreResult(t.Context(), p.Cells[1].ID, NewResult(&p.Header, p.Cells[1], plan.Completed)),
	)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// Every method that needs a header refuses one of a newer version, and one that is
// damaged or another sweep's.
func TestRefusedHeader(t *testing.T) {
	p := planOf(t, tinyGrid)
	change := func(from, to string) func(*testing.T, storage.Store) {
		return func(t *testing.T, s storage.Store) { replace(t, s, PlanKey(p.ID), from, to) }
	}
	readers := map[string]func(context.Context, *Ledger) error{
		"Header":       planReaders(p)["Header"],
		"Plan":         planReaders(p)["Plan"],
		"Find by ID":   func(ctx context.Context, l *Ledger) error { _, err := l.Find(ctx, p.ID); return err },
		"Find by name": func(ctx context.Context, l *Ledger) error { _, err := l.Find(ctx, p.Name); return err },
		"CollectGarbage": func(ctx context.Context, l *Ledger) error {
			_, err := l.CollectGarbage(ctx, time.Now(), true)
			return err
		},
	}
	for name, c := range map[string]struct {
		spoil func(*testing.T, storage.Store)
		want  error
	}{
		"newer version":   {change(`"version": 1`, `"version": 2`), storage.ErrNewerVersion},
		"older version":   {change(`"version": 1`, `"version": 0`), storage.ErrCorrupt},
		"no JSON":         {change(`{`, ``), storage.ErrCorrupt},
		"another sweep's": {change(p.ID, "tiny-00000000"), storage.ErrCorrupt},
		"another name":    {change(`"name": "tiny"`, `"name": "wide"`), storage.ErrCorrupt},
		"negative cells":  {change(`"cells": 3`, `"cells": -3`), storage.ErrCorrupt},
		"empty":           {func(t *testing.T, s storage.Store) { put(t, s, PlanKey(p.ID), "") }, storage.ErrCorrupt},
		"torn": {func(t *testing.T, s storage.Store) {
			put(t, s, PlanKey(p.ID), get(t, s, PlanKey(p.ID))[:100])
		}, storage.ErrCorrupt},
		"too long": {func(t *testing.T, s storage.Store) {
			put(t, s, PlanKey(p.ID), get(t, s, PlanKey(p.ID))+strings.Repeat(" ", maxObject))
		}, storage.ErrCorrupt},
	} {
		t.Run(name, func(t *testing.T) {
			s := storagetest.NewMemory()
			l := storePlan(t, s, p)
			c.spoil(t, s)
			for method, read := range readers {
				err := read(t.Context(), l)
				if !errors.Is(err, c.want) || !strings.Contains(fmt.Sprint(err), PlanKey(p.ID)) {
					t.Errorf("%s: %v, want %v of %s", method, err, c.want, PlanKey(p.ID))
				}
			}
		})
	}
}

// What is stored in chunks is refused chunk by chunk.
func TestRefusedChunks(t *testing.T) {
	s, p := storagetest.NewMemory(), planOf(t, tinyGrid)
	l := storePlan(t, s, p)
	for key, readers := range map[string][]string{
		ChunkKey(p.ID, 0): {"Chunk", "Cells", "Plan", "Results", "Unfinished", "Count"},
		TreesKey(p.ID, 0): {"Trees"},
	} {
		replace(t, s, key, "}", "")
		for _, name := range readers {
			err := planReaders(p)[name](t.Context(), l)
			if !errors.Is(err, storage.ErrCorrupt) || !strings.Contains(fmt.Sprint(err), key) {
				t.Errorf("%s: %v, want corrupt %s", name, err, key)
			}
		}
	}
	put(t, s, GridKey(p.ID), strings.Repeat(" ", grid.MaxBytes+1))
	if _, err := l.Grid(t.Context(), p.ID); !errors.Is(err, storage.ErrCorrupt) {
		t.Errorf("a grid that is too long: %v", err)
	}
}
