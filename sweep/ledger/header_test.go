package ledger

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/topksweep/sweep/storage"
	"github.com/topksweep/sweep/storage/dir"
	"github.com/topksweep/sweep/storage/storagetest"
	"github.com/topksweep/sweep/sweep/grid"
	"github.com/topksweep/sweep/sweep/plan"
)

// extendedTwice returns a store with a sweep of three cells that was extended twice, by one cell each time.
func extendedTwice(t *testing.T) (storage.Store, *plan.Plan) {
	t.Helper()
	s, p := storagetest.NewMemory(), planOf(t, tinyGrid)
	l := storePlan(t, s, p)
	for i, values := range []string{"[2, 5]", "[6, 2]"} {
		done, err := l.Extend(t.Context(), p.ID, planOf(t, widened(values)), []byte(values))
		if err != nil || done.Added != 1 || done.Plan.CellCount != 4+i {
			t.Fatalf("%+v, %v", done, err)
		}
		if get(t, s, done.Key) != values {
			t.Errorf("%s holds %q", done.Key, get(t, s, done.Key))
		}
	}
	return s, p
}

// An extension adds objects and changes none, but for the mark by which older programs refuse the plan.
func TestExtendChangesNoObject(t *testing.T) {
	s, p := storagetest.NewMemory(), planOf(t, wideGrid())
	l := storePlan(t, s, p)
	before := snapshot(t, s)
	src := strings.Replace(wideGrid(), "steps: 100", "steps: 200", 1)
	done, err := l.Extend(t.Context(), p.ID, planOf(t, src), []byte(src))
	if err != nil || done.Added != 600 || done.Plan.CellCount != 1200 {
		t.Fatalf("%d added, %v", done.Added, err)
	}
	after := snapshot(t, s)
	for key, text := range before {
		if after[key] != text && key != PlanKey(p.ID) {
			t.Errorf("%s has changed", key)
		}
	}
	wantSound(t, s, p.ID, idsOf(done.Plan))
	h, _, err := l.readHeader(t.Context(), p.ID, 1)
	if err != nil || h.Version != 3 || h.CellCount != 600 || len(h.Parts) != 1 {
		t.Errorf("the first header: %+v, %v", h, err)
	}
	if h, err = l.Header(t.Context(), p.ID); err != nil {
		t.Fatal(err)
	}
	// Chunk 2 lies in two objects.
	for chunk, want := range map[int]int{0: 256, 1: 256, 2: 256, 3: 256, 4: 176, 5: 0, -1: 256} {
		cells, err := l.Cells(t.Context(), h, chunk)
		if err != nil || len(cells) != want {
			t.Fatalf("chunk %d: %d cells, want %d, %v", chunk, len(cells), want, err)
		}
		for i, c := range cells {
			if n := max(0, chunk)*plan.ChunkSize + i; c.ID != done.Plan.Cells[n].ID || len(c.Values) != 3 {
				t.Fatalf("cell %d is %+v, want %+v", n, c, done.Plan.Cells[n])
			}
		}
	}
	for _, chunk := range []int{-1, h.TreeChunks} {
		if _, err := l.TreesOf(t.Context(), h, chunk); !errors.Is(err, storage.ErrNotFound) {
			t.Errorf("trees %d: %v", chunk, err)
		}
	}
}

// The highest header that is sound counts. One of a newer version is refused, and so is a plan without a sound one.
func TestWhichHeaderCounts(t *testing.T) {
	type spoiler = func(t *testing.T, s storage.Store, key string)
	change := func(from, to string) spoiler {
		return func(t *testing.T, s storage.Store, key string) { replace(t, s, key, from, to) }
	}
	spoil := map[string]spoiler{
		"empty":           func(t *testing.T, s storage.Store, key string) { put(t, s, key, "") },
		"another number":  change(`"number": `, `"number": 4`),
		"other cells":     change(`"cells": `, `"cells": 1`),
		"no such version": change(`"version": 3`, `"version": 2`),
	}
	for name, do := range spoil {
		s, p := extendedTwice(t)
		l := New(s)
		for _, want := range []int{5, 4, 3} {
			h, err := l.Header(t.Context(), p.ID)
			if err != nil || h.CellCount != want {
				t.Fatalf("%s: %+v, %v, want %d cells", name, h, err, want)
			}
			do(t, s, headerKey(p.ID, h.Number))
		}
		if _, err := l.Header(t.Context(), p.ID); !errors.Is(err, storage.ErrCorrupt) {
			t.Errorf("%s: no header is sound: %v", name, err)
		}
		if _, err := l.Extend(t.Context(), p.ID, planOf(t, tinyGrid), nil); !errors.Is(err, storage.ErrCorrupt) {
			t.Errorf("%s: extended: %v", name, err)
		}
		submit(t, s, p, tinyGrid, &p.Header, false) // mends it
		if p.Number != 4 {
			t.Errorf("%s: mended by header %d", name, p.Number)
		}
	}
	s, p := extendedTwice(t)
	replace(t, s, NextPlanKey(p.ID, 3), `"version": 3`, `"version": 4`)
	for name, read := range planReaders(p) {
		if err := read(t.Context(), New(s)); name == "Header" && !errors.Is(err, storage.ErrNewerVersion) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := New(s).Extend(t.Context(), p.ID, p, nil); !errors.Is(err, storage.ErrNewerVersion) {
		t.Errorf("extended: %v", err)
	}
}

// What was damaged of a plan is stored again in other objects by whoever submits it.
func TestSubmitMendsCells(t *testing.T) {
	p := planOf(t, wideGrid())
	for _, key := range []string{ChunkKey(p.ID, 1), TreesKey(p.ID, 0)} {
		s := storagetest.NewMemory()
		storePlan(t, s, planOf(t, wideGrid()))
		put(t, s, key, "[")
		mended := planOf(t, wideGrid())
		submit(t, s, mended, wideGrid(), &mended.Header, false)
		wantWhole(t, New(s), mended)
		if mended.Number != 2 || len(mended.Parts) != 1 || get(t, s, key) != "[" {
			t.Errorf("%s: header %d, parts %+v", key, mended.Number, mended.Parts)
		}
		// The damaged object is nothing to anybody.
		if g, err := New(s).CollectGarbage(t.Context(), farAhead(), false); err != nil || len(g.Folders) > 0 {
			t.Errorf("%s: %+v, %v", key, g, err)
		}
		before := snapshot(t, s)
		again := planOf(t, wideGrid())
		submit(t, s, again, wideGrid(), &mended.Header, false)
		wantUnchanged(t, s, before)
	}
}

// Data that has moved is found at its new place, also that of a sweep that was extended.
func TestSubmitMovedData(t *testing.T) {
	s, p := extendedTwice(t)
	moved := planOf(t, strings.Replace(tinyGrid, "source: acts", "source: elsewhere", 1))
	h, _, err := New(s).Submit(t.Context(), moved, []byte("moved"))
	if err != nil || h.CellCount != 5 || h.Data.Source != "elsewhere" || h.Number != 4 {
		t.Errorf("%+v, %v", h, err)
	}
	if stored, err := New(s).Header(t.Context(), p.ID); err != nil || stored.Data.Source != "elsewhere" {
		t.Errorf("%+v, %v", stored, err)
	}
	wantSound(t, s, p.ID, idsOf(p))
}

// An extension that was stored for a plan that has changed since is refused.
func TestStaleExtension(t *testing.T) {
	s, p := extendedTwice(t)
	stale := planOf(t, tinyGrid)
	extend(t, stale)
	for _, err := range []error{
		New(s).StorePlan(t.Context(), stale), New(s).StoreExtension(t.Context(), stale, 3, []byte("x")),
	} {
		if !errors.Is(err, errChanged) {
			t.Errorf("%v", err)
		}
	}
	wantSound(t, s, p.ID, nil)
}

// Extensions name the grids of all parts, and those that an earlier version stored.
func TestExtensionsOfParts(t *testing.T) {
	s, p := extendedTwice(t)
	put(t, s, PartExtensionKey(p.ID, 4, "0123456789abcdef"), "of one who came too late")
	put(t, s, ExtensionKey(p.ID, 2), "of an earlier version")
	h, err := New(s).Header(t.Context(), p.ID)
	if err != nil {
		t.Fatal(err)
	}
	got, err := New(s).Extensions(t.Context(), h)
	var texts []string
	for _, e := range got {
		texts = append(texts, fmt.Sprint(e.Cells, " ", string(e.Grid)))
	}
	if want := []string{"2 of an earlier version", "3 [2, 5]", "4 [6, 2]"}; err != nil || !slices.Equal(texts, want) {
		t.Errorf("%q, %v, want %q", texts, err, want)
	}
}

// Of a sweep with several headers lists and counts have one, with the time of the newest.
func TestIndexOfHeaders(t *testing.T) {
	s, root := openDir(t)
	p := planOf(t, tinyGrid)
	l := storePlan(t, s, p)
	if _, err := l.Extend(t.Context(), p.ID, planOf(t, widened("[7]")), []byte("x")); err != nil {
		t.Fatal(err)
	}
	at := time.Unix(1e9, 0)
	setTime(t, root, PlanKey(p.ID), at)
	setTime(t, root, NextPlanKey(p.ID, 2), at.Add(time.Hour))
	ids, err := l.SweepIDs(t.Context())
	if err != nil || len(ids) != 1 || ids[0] != p.ID {
		t.Errorf("%v, %v", ids, err)
	}
	h, err := l.Find(t.Context(), "tiny")
	if err != nil || h.CellCount != 4 {
		t.Fatalf("%+v, %v", h, err)
	}
	if n, err := l.Count(t.Context(), h, nil); err != nil || !n.Planned.Equal(at.Add(time.Hour)) {
		t.Errorf("%+v, %v", n, err)
	}
}

// A store in which extensions changed objects stays readable, and can be extended.
func TestStoreExtendedInPlace(t *testing.T) {
	const sweep = "today-9748d9bf"
	root := t.TempDir()
	if err := os.CopyFS(root, os.DirFS("testdata/extended-in-place")); err != nil {
		t.Fatal(err)
	}
	s, err := dir.Open(root)
	if err != nil {
		t.Fatal(err)
	}
	l, ctx := New(s), t.Context()
	p, err := l.Plan(ctx, sweep)
	if err != nil || len(p.Cells) != 7 || p.TreeChunks != 2 || p.Number != 0 {
		t.Fatalf("%+v, %v", p, err)
	}
	results, err := l.Results(ctx, &p.Header)
	lacks := func(r Result) bool { return r.Metrics.NMSE == nil }
	if err != nil || len(results) != 7 || slices.ContainsFunc(results, lacks) {
		t.Errorf("%d results, %v", len(results), err)
	}
	if e, err := l.Extensions(ctx, &p.Header); err != nil || len(e) != 1 || e[0].Cells != 4 || len(e[0].Grid) == 0 {
		t.Errorf("extensions %+v, %v", e, err)
	}
	planned := func(src string) *plan.Plan {
		t.Helper()
		g, err := grid.Parse("grid.yaml", []byte(src), grid.ParseOptions{})
		if err != nil {
			t.Fatal(err)
		}
		add, err := plan.New(g, p.Info, plan.Estimates{})
		if err != nil {
			t.Fatal(err)
		}
		return add
	}
	first, err := l.Grid(ctx, sweep)
	if err != nil {
		t.Fatal(err)
	}
	again := planned(string(first))
	if h, _, err := l.Submit(ctx, again, first); err != nil || again.ID != sweep || h.CellCount != 7 || h.Number != 0 {
		t.Errorf("the first grid again: %s, %+v, %v", again.ID, h, err)
	}
	wider := strings.NewReplacer("k: [2, 3]", "k: [2, 5]", "lr: [1e-3, 0.002]", "lr: [1e-3, 0.002], seed: [0, 1]").
		Replace(string(first))
	add := planned(wider)
	done, err := l.Extend(ctx, sweep, add, []byte(wider))
	if err != nil || done.Added != 6 || done.Plan.CellCount != 13 {
		t.Fatalf("%d added, %d in all, %v", done.Added, done.Plan.CellCount, err)
	}
	wantSound(t, s, sweep, slices.Concat(idsOf(p), idsOf(add)))
	h, err := l.Header(ctx, sweep)
	if err != nil {
		t.Fatal(err)
	}
	if after, err := l.Results(ctx, h); err != nil || len(after) != 13 || after[6].Cell != results[6].Cell {
		t.Errorf("%d results, %v", len(after), err)
	}
	if g, err := l.CollectGarbage(ctx, farAhead(), false); err != nil || len(g.Folders) > 0 {
		t.Errorf("%+v, %v", g, err)
	}
}

// A key is that of a header only if NextPlanKey or PlanKey gives it.
func FuzzHeaderOfKey(f *testing.F) {
	for _, key := range []string{
		"sweeps/a-1/plan.json", "sweeps/a-1/plan-000002.json", "sweeps/a-1/plan-000001.json", "sweeps/a-1/plan-2.json",
		"sweeps/a-1/plan-1234567.json", "sweeps/a-1/plan-.json", "sweeps/a-1/plan", "sweeps/a-1/x/plan.json", "plan.json",
		"sweeps/a-1/plan--00002.json", "results/plan.json", "sweeps/plan-000002.json/plan.json",
	} {
		f.Add(key)
	}
	f.Fuzz(func(t *testing.T, key string) {
		sweep, number, ok := headerOfKey(key)
		if ok && headerKey(sweep, number) != key {
			t.Errorf("%q is header %d of %q", key, number, sweep)
		}
	})
	for key, want := range map[string]int{
		PlanKey("a-1"): 1, NextPlanKey("a-1", 2): 2, NextPlanKey("a-1", 12345678): 12345678, NextPlanKey("a-1", 1): 0,
		GridKey("a-1"): 0, ChunkKey("a-1", 2): 0,
	} {
		if _, number, ok := headerOfKey(key); ok != (want > 0) || ok && number != want {
			f.Errorf("%s is header %d, %v", key, number, ok)
		}
	}
}
