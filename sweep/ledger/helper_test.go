package ledger

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/topksweep/sweep/storage"
	"github.com/topksweep/sweep/storage/dir"
	"github.com/topksweep/sweep/storage/storagetest"
	"github.com/topksweep/sweep/sweep/goldentest"
	"github.com/topksweep/sweep/sweep/grid"
	"github.com/topksweep/sweep/sweep/plan"
)

// tinyGrid is a grid of three cells, which share nothing: each has a tree alone.
const tinyGrid = `
name: tiny
data: {source: acts, lm_name: toy, layer: 3, submodule_name: resid_post}
parameters: {k: [2, 3, 4]}
train: {dict_size: 24, steps: 40, batch_size: 16, lr: 0.01, decay_start: 0.5}
run: {checkpoint: {every: 1s, keep: 2}}
`

// wideGrid is a grid of 600 cells: three chunks, and 300 trees of two cells.
func wideGrid() string {
	seeds := make([]string, 300)
	for i := range seeds {
		seeds[i] = fmt.Sprint(i)
	}
	return "name: wide\ndata: {source: acts}\n" +
		"parameters: {decay_start: [0.5, 0.6], seed: [" + strings.Join(seeds, ", ") + "]}\n" +
		"train: {k: 8, steps: 100, batch_size: 32}\n"
}

// planOf plans a grid on data of which only the description is there.
func planOf(t *testing.T, src string) *plan.Plan {
	t.Helper()
	g, err := grid.Parse("grid.yaml", []byte(src), grid.ParseOptions{})
	if err != nil {
		t.Fatal(err)
	}
	p, err := plan.New(g, goldentest.DataInfo(), plan.Estimates{})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// storePlan stores a plan and returns the ledger that has it.
func storePlan(t *testing.T, s storage.Store, p *plan.Plan) *Ledger {
	t.Helper()
	l := New(s)
	if err := l.StorePlan(t.Context(), p); err != nil {
		t.Fatal(err)
	}
	return l
}

// eachStore runs a test in a directory and in memory.
func eachStore(t *testing.T, run func(t *testing.T, s storage.Store)) {
	t.Run("dir", func(t *testing.T) {
		s, _ := openDir(t)
		run(t, s)
	})
	t.Run("memory", func(t *testing.T) { run(t, storagetest.NewMemory()) })
}

// openDir returns an empty store, and the directory that it keeps its objects in.
func openDir(t *testing.T) (storage.Store, string) {
	t.Helper()
	root := t.TempDir()
	s, err := dir.Open(root)
	if err != nil {
		t.Fatal(err)
	}
	return s, root
}

// setTime changes when an object of a directory was written, as a listing says.
func setTime(t *testing.T, root, key string, at time.Time) {
	t.Helper()
	if err := os.Chtimes(filepath.Join(root, filepath.FromSlash(key)), at, at); err != nil {
		t.Fatal(err)
	}
}

func put(t *testing.T, s storage.Store, key, body string) {
	t.Helper()
	if err := storage.PutBytes(t.Context(), s, key, []byte(body)); err != nil {
		t.Fatal(err)
	}
}

func get(t *testing.T, s storage.Store, key string) string {
	t.Helper()
	b, err := storage.ReadAll(t.Context(), s, key, 1<<30)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// replace changes the first occurrence of a text in an object.
func replace(t *testing.T, s storage.Store, key, from, to string) {
	t.Helper()
	text := get(t, s, key)
	if !strings.Contains(text, from) {
		t.Fatalf("%s lacks %s", key, from)
	}
	put(t, s, key, strings.Replace(text, from, to, 1))
}

// putCells stores cells as chunk 0 of a sweep.
func putCells(t *testing.T, s storage.Store, sweep string, cells []grid.Cell) {
	t.Helper()
	b, err := json.Marshal(cells)
	if err != nil {
		t.Fatal(err)
	}
	put(t, s, ChunkKey(sweep, 0), string(b))
}

func keys(t *testing.T, s storage.Store, prefix string) (all []string) {
	t.Helper()
	objects, err := s.List(t.Context(), prefix)
	if err != nil {
		t.Fatal(err)
	}
	for _, o := range objects {
		all = append(all, o.Key)
	}
	return all
}

// snapshot is all that a store holds.
func snapshot(t *testing.T, s storage.Store) map[string]string {
	t.Helper()
	all := map[string]string{}
	for _, key := range keys(t, s, "") {
		all[key] = get(t, s, key)
	}
	return all
}

// wantUnchanged says that a store holds what it held at the time of a snapshot.
func wantUnchanged(t *testing.T, s storage.Store, before map[string]string) {
	t.Helper()
	after := snapshot(t, s)
	if maps.Equal(after, before) {
		return
	}
	for key := range after {
		if body, ok := before[key]; !ok || body != after[key] {
			t.Errorf("%s is new or has changed", key)
		}
	}
	for key := range before {
		if _, ok := after[key]; !ok {
			t.Errorf("%s is gone", key)
		}
	}
}
