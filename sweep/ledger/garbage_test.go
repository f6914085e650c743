package ledger

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/topksweep/sweep/storage"
	"github.com/topksweep/sweep/storage/storagetest"
	"github.com/topksweep/sweep/sweep/plan"
)

// Nothing that a test writes is older than longAgo or younger than farAhead. A
// store in memory says of all its objects that they were written in 1970.
func longAgo() time.Time  { return time.Unix(0, 0) }
func farAhead() time.Time { return time.Now().Add(24 * time.Hour) }

// wantHeld says that the checkpoints of some steps can be restored.
func wantHeld(t *testing.T, s storage.Store, folder string, steps ...int64) {
	t.Helper()
	c, err := storage.NewCheckpoints(s, folder, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, step := range steps {
		_, err := c.RestoreStep(t.Context(), step, func(_ *storage.Manifest, r io.Reader) error {
			b, err := io.ReadAll(r)
			if err == nil && string(b) != fmt.Sprint("state ", step) {
				err = fmt.Errorf("it holds %q", b)
			}
			return err
		})
		if err != nil {
			t.Errorf("folder %s, step %d: %v", folder, step, err)
		}
	}
}

// Of what nothing refers to, each part goes for its own reason, and the rest stays.
func TestCollectGarbage(t *testing.T) {
	eachStore(t, func(t *testing.T, s storage.Store) {
		p := planOf(t, tinyGrid) // it keeps two checkpoints of each run
		l := storePlan(t, s, p)
		storeResult(t, s, p, 0, 1)
		run := func(cell int) string { return p.RunID(p.Cells[cell].ID) }
		trunk := func(cell int) string { return p.Trajectory(p.Cells[cell], plan.LevelTrunk) }
		storagetest.SaveCheckpoints(t, s, run(0), []int64{7}, 7, 9)                  // left behind: the run has its result
		storagetest.SaveCheckpoints(t, s, run(1), []int64{10}, 10, 20, 30, 40, 50)   // no result yet
		storagetest.SaveCheckpoints(t, s, run(2), nil, 1)                            // no result yet, and nothing to spare
		storagetest.SaveCheckpoints(t, s, p.CheckpointFolder(p.Cells[0], 0), nil, 5) // needed by a run that has its result
		storagetest.SaveCheckpoints(t, s, trunk(1)+"-ffffffff", []int64{5}, 5)       // run 1 may begin there
		storagetest.SaveCheckpoints(t, s, "nobody", []int64{1}, 1)                   // of a sweep gone, or to come
		put(t, s, ModelKey("gone", "cfg.json"), "{}")                                // models always stay
		put(t, s, ResultKey("gone"), "{}")                                           // and results
		put(t, s, ReportKey("gone", "results.txt"), "no results")                    // and whatever lies beside plans

		want := snapshot(t, s)
		goes := func(folder string, contains ...string) {
			maps.DeleteFunc(want, func(key, _ string) bool {
				has := func(part string) bool { return strings.Contains(key, part) }
				return strings.HasPrefix(key, "stages/"+folder+"/") && (contains == nil || slices.ContainsFunc(contains, has))
			})
		}
		goes(run(0))
		goes(p.CheckpointFolder(p.Cells[0], 0))
		goes(run(1), "/000000000020-", "/000000000030-")
		wantCollected(t, l, longAgo(), map[string]string{
			run(0):                            FolderFinished,
			p.CheckpointFolder(p.Cells[0], 0): FolderFinished,
			run(1):                            FolderPruned,
			"nobody":                          FolderYoung,
		})
		wantUnchanged(t, s, want)
		wantCollected(t, l, longAgo(), map[string]string{"nobody": FolderYoung})
		wantUnchanged(t, s, want)

		goes("nobody")
		wantCollected(t, l, farAhead(), map[string]string{"nobody": FolderUnplanned})
		wantUnchanged(t, s, want)
		wantCollected(t, l, farAhead(), nil)
		wantUnchanged(t, s, want)
	})
}

// wantCollected collects garbage and checks what it says of each folder, and that
// it has announced that when it was only asked.
func wantCollected(t *testing.T, l *Ledger, before time.Time, why map[string]string) {
	t.Helper()
	all := snapshot(t, l.store)
	dry, err := l.CollectGarbage(t.Context(), before, true)
	if err != nil {
		t.Fatal(err)
	}
	wantUnchanged(t, l.store, all)
	g, err := l.CollectGarbage(t.Context(), before, false)
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(g.Folders, dry.Folders) || !dry.DryRun || g.DryRun {
		t.Errorf("removed %+v, announced %+v", g, dry)
	}
	left := snapshot(t, l.store)
	got := map[string]string{}
	for _, f := range g.Folders {
		got[f.Folder] = f.Why
		var objects int
		var size int64
		for key, body := range all {
			_, stays := left[key]
			if strings.HasPrefix(key, "stages/"+f.Folder+"/") && stays == (f.Why == FolderYoung) {
				objects++
				size += int64(len(body))
			}
		}
		if objects != f.Objects || size != f.Bytes {
			t.Errorf("%+v: it was %d objects of %d bytes", f, objects, size)
		}
	}
	if !maps.Equal(got, why) {
		t.Errorf("collected %v, want %v", got, why)
	}
}

// What crashed writers left in a directory goes with the garbage.
func TestCollectLeftovers(t *testing.T) {
	s, root := openDir(t)
	l := storePlan(t, s, planOf(t, tinyGrid))
	storagetest.SaveCheckpoints(t, s, "nobody", nil, 1)
	half := filepath.Join(root, "+tmp", "half-written")
	if err := os.WriteFile(half, []byte("half"), 0o600); err != nil {
		t.Fatal(err)
	}
	dry, err := l.CollectGarbage(t.Context(), longAgo(), true)
	if err != nil || dry.Leftovers != 1 {
		t.Errorf("%+v, %v", dry, err)
	}
	// One temporary file, and stages itself. The folders below it have gone with their last objects.
	if g, err := l.CollectGarbage(t.Context(), farAhead(), false); err != nil || g.Leftovers != 1+1 {
		t.Errorf("%+v, %v", g, err)
	}
	for _, path := range []string{half, filepath.Join(root, "stages")} {
		if _, err := os.Stat(path); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("%s: %v", path, err)
		}
	}
}

// What cannot be read may refer to anything: then nothing is removed.
func TestGarbageStaysIfAnythingIsUnreadable(t *testing.T) {
	p := planOf(t, tinyGrid)
	header, chunk := PlanKey(p.ID), ChunkKey(p.ID, 0)
	b, err := json.Marshal(p.Cells[:1])
	if err != nil {
		t.Fatal(err)
	}
	firstCell := strings.TrimSuffix(string(b), "]") + ","
	change := func(key, from, to string) func(storage.Store) {
		return func(s storage.Store) { replace(t, s, key, from, to) }
	}
	const manifests = "stages/litter/manifests/"
	changeManifest := func(from, to string) func(storage.Store) {
		return func(s storage.Store) { replace(t, s, keys(t, s, manifests)[0], from, to) }
	}
	for name, test := range map[string]struct {
		spoil func(storage.Store)
		want  []string // parts of the error
	}{
		"plan of a newer version": {change(header, `"version": 1`, `"version": 2`), []string{header, "version 2"}},
		"plan torn":               {func(s storage.Store) { put(t, s, header, get(t, s, header)[:100]) }, []string{header}},
		"plan empty":              {func(s storage.Store) { put(t, s, header, "") }, []string{header}},
		"plan of other cells":     {change(header, `"cells": 3`, `"cells": 4`), []string{header, "4 cells, of which 3"}},
		"plan of another sweep":   {change(header, p.ID, "tiny-0"), []string{header, `sweep "tiny-0"`}},
		"cells fewer":             {change(chunk, firstCell, "["), []string{header, "3 cells, of which 2"}},
		"cells gone":              {func(s storage.Store) { s.Delete(t.Context(), chunk) }, []string{chunk, "not found"}},
		"cells of other IDs":      {change(chunk, `"id":"`, `"id":"0`), []string{chunk, "corrupt: cell 0"}},
		"cells of other settings": {change(chunk, `"k":2`, `"k":6`), []string{chunk, p.Cells[0].ID}},
		"cells torn":              {change(chunk, "}", ""), []string{chunk}},
		"manifest of a newer version": {
			changeManifest(`"version": 1`, `"version": 2`), []string{manifests, "newer version of sweep"},
		},
		"manifest torn": {changeManifest("}", ""), []string{manifests, "damaged"}},
	} {
		t.Run(name, func(t *testing.T) {
			s, _ := openDir(t)
			l := storePlan(t, s, p)
			storagetest.SaveCheckpoints(t, s, "litter", nil, 1)
			storagetest.SaveCheckpoints(t, s, "other-litter", nil, 1)
			test.spoil(s)
			before := snapshot(t, s)
			_, err := l.CollectGarbage(t.Context(), farAhead(), false)
			if err == nil {
				t.Fatal("no error")
			}
			for _, want := range append(test.want, "nothing is removed") {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("%q lacks %q", err, want)
				}
			}
			wantUnchanged(t, s, before)
		})
	}
}

// A run whose result is damaged is trained again, from its checkpoints: they stay.
func TestDamagedResultKeepsCheckpoints(t *testing.T) {
	p, s := planOf(t, tinyGrid), storagetest.NewMemory()
	l := storePlan(t, s, p)
	run := p.RunID(p.Cells[0].ID)
	storagetest.SaveCheckpoints(t, s, run, nil, 7)
	for name, spoil := range spoiltResults(t, s, p) {
		storeResult(t, s, p, 0, 1)
		spoil()
		before := snapshot(t, s)
		wantCollected(t, l, farAhead(), nil)
		wantUnchanged(t, s, before)
		if t.Failed() {
			t.Fatal(name)
		}
		if err := l.DeleteResult(t.Context(), run); err != nil {
			t.Fatal(err)
		}
	}
	storeResult(t, s, p, 0, 1)
	wantCollected(t, l, farAhead(), map[string]string{run: FolderFinished})
}

// Whatever operation of the store fails, nothing is lost that something refers
// to, and collecting again removes the rest.
func TestGarbageUnderFaults(t *testing.T) {
	p := planOf(t, tinyGrid)
	run := p.RunID(p.Cells[0].ID)
	for _, fault := range []storagetest.Fault{
		storagetest.Before, storagetest.After, storagetest.BrokenRead, storagetest.ShortRead, storagetest.FlippedRead,
	} {
		for n := 1; ; n++ {
			s := storagetest.NewMemory()
			l := storePlan(t, s, p)
			storagetest.SaveCheckpoints(t, s, run, []int64{10}, 10, 20, 30, 40)
			storagetest.SaveCheckpoints(t, s, "litter", nil, 1)
			faulty := storagetest.NewFaulty(s, fault, n)
			_, err := New(faulty).CollectGarbage(t.Context(), farAhead(), false)
			// A wrong read may hit what does not count.
			if faulty.Fired() && err == nil && fault != storagetest.ShortRead && fault != storagetest.FlippedRead {
				t.Errorf("%s at operation %d: no error", fault, n)
			}
			wantHeld(t, s, run, 10, 30, 40)
			if _, err := l.CollectGarbage(t.Context(), farAhead(), false); err != nil {
				t.Errorf("%s at operation %d: collected again: %v", fault, n, err)
			}
			wantHeld(t, s, run, 10, 30, 40)
			if left := keys(t, s, "stages/"); len(left) != 3+3+1+1 { // manifests, data, a fork, a claim
				t.Errorf("%s at operation %d: left %q", fault, n, left)
			}
			if t.Failed() || !faulty.Fired() {
				t.Logf("%s: %d operations", fault, n-1)
				break
			}
		}
	}
}
