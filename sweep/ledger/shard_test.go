package ledger

import (
	"context"
	"errors"
	"io"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/topksweep/sweep/storage"
	"github.com/topksweep/sweep/storage/storagetest"
	"github.com/topksweep/sweep/sweep/plan"
	"github.com/topksweep/sweep/trainer"
)

// An endedSweep is a sweep in a directory store with all its results.
type endedSweep struct {
	storage.Store
	storage.NewPutter
	*plan.Plan
	root string
}

// ended returns one of some seeds times two cells.
func ended(t *testing.T, seeds int) *endedSweep {
	t.Helper()
	s, root := openDir(t)
	p := planOf(t, largeGrid("large", seeds, 2))
	storePlan(t, s, p)
	putEnded(t, root, p)
	return &endedSweep{s, s.(storage.NewPutter), p, root}
}

// run is the ID of the run of a cell.
func (e *endedSweep) run(cell int) string { return e.RunID(e.Cells[cell].ID) }

// path is the file of an object.
func (e *endedSweep) path(key string) string { return filepath.Join(e.root, filepath.FromSlash(key)) }

// extend extends the sweep to some seeds.
func (e *endedSweep) extend(t *testing.T, seeds int) {
	t.Helper()
	src := largeGrid("large", seeds, 2)
	done, err := New(e).Extend(t.Context(), e.ID, planOf(t, src), []byte(src))
	if err != nil {
		t.Fatal(err)
	}
	e.Plan = done.Plan
}

// A sectionCounter counts the reads of results and of shards.
type sectionCounter struct {
	storage.Store
	storage.NewPutter
	results, shards atomic.Int64
}

func (c *sectionCounter) Get(ctx context.Context, key string) (io.ReadCloser, error) {
	switch {
	case strings.HasPrefix(key, resultsPrefix):
		c.results.Add(1)
	case strings.Contains(key, "/shards/"):
		c.shards.Add(1)
	}
	return c.Store.Get(ctx, key)
}

// plainResults reads results one by one.
func plainResults(t *testing.T, s storage.Store, h *plan.Header) []Result {
	t.Helper()
	o := Outcomes{l: New(s), h: h}
	out, err := o.all(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func collectResults(t *testing.T, s storage.Store, h *plan.Header) []Result {
	t.Helper()
	out, err := New(s).CollectResults(t.Context(), h)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// resultReads reads the results of a plan, and counts the results and the shards that this reads.
func resultReads(t *testing.T, s storage.Store, h *plan.Header) (got []Result, results, shards int) {
	t.Helper()
	c := &sectionCounter{Store: s}
	got, err := New(c).Results(t.Context(), h)
	if err != nil {
		t.Fatal(err)
	}
	return got, int(c.results.Load()), int(c.shards.Load())
}

// Once results are collected, a chunk of them is one read. The results are those that reading each one gives.
func TestShards(t *testing.T) {
	e := ended(t, 300) // three chunks
	want := plainResults(t, e, &e.Header)
	if _, results, _ := resultReads(t, e, &e.Header); results != 600 {
		t.Errorf("%d results are read where there are no shards, want 600", results)
	}
	if got := collectResults(t, e, &e.Header); !reflect.DeepEqual(got, want) {
		t.Error("what is collected at first differs")
	}
	got, results, shards := resultReads(t, e, &e.Header)
	if results != 0 || shards != 3 || !reflect.DeepEqual(got, want) {
		t.Errorf("%d results and %d shards are read, want 0 and 3; the same as before: %v",
			results, shards, reflect.DeepEqual(got, want))
	}
	if got := collectResults(t, e, &e.Header); !reflect.DeepEqual(got, want) {
		t.Error("what is collected again differs")
	}
	if n := len(keys(t, e, shardsPrefix(e.ID))); n != 3 {
		t.Errorf("%d shards, want 3", n)
	}
}

// A sweep of one chunk has no shards, and its results are read without a listing of the store.
func TestNoShardsOfOneChunk(t *testing.T) {
	e := ended(t, 10)
	before := snapshot(t, e)
	failing := storagetest.NewFaulty(listless{e}, storagetest.Before, 1<<30)
	if got := collectResults(t, failing, &e.Header); !reflect.DeepEqual(got, plainResults(t, e, &e.Header)) {
		t.Error("the results differ")
	}
	wantUnchanged(t, e, before)
}

// listless is a store that cannot list.
type listless struct{ storage.Store }

func (listless) List(context.Context, string) ([]storage.Object, error) {
	return nil, errors.New("a listing")
}

// Whatever happens to results and shards, readers get what the results themselves say. The next collection leaves one
// shard for each chunk that has all its results.
func TestShardsFollowResults(t *testing.T) {
	for name, c := range map[string]struct {
		shards int // after the next collection
		change func(t *testing.T, e *endedSweep) error
	}{
		"nothing": {2, func(t *testing.T, e *endedSweep) error { return nil }},
		"a result is removed": {1, func(t *testing.T, e *endedSweep) error {
			return New(e).DeleteResult(t.Context(), e.run(7))
		}},
		"a result is removed, and its run has failed": {1, func(t *testing.T, e *endedSweep) error {
			note := NewResult(&e.Header, e.Cells[7], plan.Failed)
			return errors.Join(New(e).DeleteResult(t.Context(), e.run(7)), New(e).StoreFailure(t.Context(), e.ID, note))
		}},
		"a run is trained again": {2, func(t *testing.T, e *endedSweep) error {
			r := endedResult(e.Plan, e.Cells[7], 7)
			r.Tokens = 65 // as long as before
			return errors.Join(New(e).DeleteResult(t.Context(), e.run(7)), New(e).StoreResult(t.Context(), e.run(7), r))
		}},
		"a result is damaged": {1, func(t *testing.T, e *endedSweep) error {
			replace(t, e, ResultKey(e.run(7)), `"tokens": 64`, `"tokens": 65`)
			return nil
		}},
		"a result gets other names": {1, func(t *testing.T, e *endedSweep) error {
			return New(e).SetNames(t.Context(), e.run(7), trainer.Names{LMName: "other"})
		}},
		"all results are removed": {0, func(t *testing.T, e *endedSweep) error {
			return os.RemoveAll(e.path(resultsPrefix))
		}},
		"all results are copied": {2, func(t *testing.T, e *endedSweep) error {
			for i := range e.Cells {
				setTime(t, e.root, ResultKey(e.run(i)), time.Unix(1_700_000_000, 0))
			}
			return nil
		}},
		"shards are gone": {2, func(t *testing.T, e *endedSweep) error {
			return os.RemoveAll(e.path(shardsPrefix(e.ID)))
		}},
		"a shard has a flipped digit": {2, func(t *testing.T, e *endedSweep) error {
			replace(t, e, keys(t, e, shardsPrefix(e.ID))[0], `"tokens": 64`, `"tokens": 65`)
			return nil
		}},
		"a shard is cut off": {2, func(t *testing.T, e *endedSweep) error {
			return os.Truncate(e.path(keys(t, e, shardsPrefix(e.ID))[1]), 1000)
		}},
		"a shard is another one's": {2, func(t *testing.T, e *endedSweep) error {
			all := keys(t, e, shardsPrefix(e.ID))
			put(t, e, all[0], get(t, e, all[1]))
			return nil
		}},
		"the sweep is extended": {1, func(t *testing.T, e *endedSweep) error {
			e.extend(t, 151)
			return nil
		}},
		"the sweep is extended, and has the results": {4, func(t *testing.T, e *endedSweep) error {
			e.extend(t, 500)
			putEnded(t, e.root, e.Plan)
			return nil
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := ended(t, 150) // two chunks, of which one is full
			collectResults(t, e, &e.Header)
			if err := c.change(t, e); err != nil {
				t.Fatal(err)
			}
			want := plainResults(t, e, &e.Header)
			if got, _, _ := resultReads(t, e, &e.Header); !reflect.DeepEqual(got, want) {
				t.Error("what is read differs from what the results say")
			}
			if got := collectResults(t, e, &e.Header); !reflect.DeepEqual(got, want) {
				t.Error("what is collected differs from what the results say")
			}
			if n := len(keys(t, e, shardsPrefix(e.ID))); n != c.shards {
				t.Errorf("%d shards, want %d", n, c.shards)
			}
			got, results, _ := resultReads(t, e, &e.Header)
			// One that is damaged is read twice.
			if most := plan.ChunkSize*(e.Chunks()-c.shards) + 1; results > most || !reflect.DeepEqual(got, want) {
				t.Errorf("%d results are read, want at most %d", results, most)
			}
		})
	}
}

// A collection that ends in the middle leaves shards, and the next one reads less for it. Whatever fails, what it gives
// in the end is right.
func TestCollectingGoesOn(t *testing.T) {
	e := ended(t, 800) // seven chunks, more than are read at a time
	want := plainResults(t, e, &e.Header)
	const ops = 1600 + 7*3 + 2 // results; cells, and shards that are looked for and stored; listings
	for _, share := range []float64{0.8, 1} {
		for _, fault := range []storagetest.Fault{storagetest.Before, storagetest.After} {
			if err := os.RemoveAll(e.path(shardsPrefix(e.ID))); err != nil {
				t.Fatal(err)
			}
			failing := storagetest.NewFailing(e, fault, int(share*ops))
			if _, err := New(failing).CollectResults(t.Context(), &e.Header); !errors.Is(err, storagetest.ErrInjected) {
				t.Fatalf("%v: %v", share, err)
			}
			shards := len(keys(t, e, shardsPrefix(e.ID)))
			c := &sectionCounter{Store: e, NewPutter: e}
			got, err := New(c).CollectResults(t.Context(), &e.Header)
			if err != nil || !reflect.DeepEqual(got, want) {
				t.Fatalf("%v: what is collected in the end differs, %v", share, err)
			}
			results := int(c.results.Load())
			// No more than four chunks are read at a time: whoever has read more has stored a shard.
			if most := 1600 - plan.ChunkSize*(shards-1); shards == 0 || results > most {
				t.Errorf("%v: after %d shards %d results are read", share, shards, results)
			}
		}
	}
}

// Several may collect a sweep at the same time, and others read it meanwhile.
func TestCollectTogether(t *testing.T) {
	e := ended(t, 150)
	want := plainResults(t, e, &e.Header)
	storagetest.Parallel(t, 4, 8, func(i int) error {
		read := New(e).CollectResults
		if i%4 == 3 {
			read = New(e).Results
		}
		got, err := read(t.Context(), &e.Header)
		if err == nil && !reflect.DeepEqual(got, want) {
			err = errors.New("the results differ")
		}
		return err
	})
	if n := len(keys(t, e, shardsPrefix(e.ID))); n != 2 {
		t.Errorf("%d shards, want 2", n)
	}
}

// Shards go with their sweep. To garbage collection they are a part of the plan.
func TestShardsAreRemoved(t *testing.T) {
	e := ended(t, 150)
	collectResults(t, e, &e.Header)
	before := snapshot(t, e)
	if _, err := New(e).CollectGarbage(t.Context(), time.Now().Add(time.Hour), false); err != nil {
		t.Fatal(err)
	}
	wantUnchanged(t, e, before)
	if _, err := New(e).Remove(t.Context(), []string{e.ID}, RemovalOptions{By: "test"}); err != nil {
		t.Fatal(err)
	}
	left := snapshot(t, e)
	maps.DeleteFunc(left, func(key, _ string) bool { return strings.HasPrefix(key, foldersPrefix) }) // the claim
	if len(left) > 0 {
		t.Errorf("left %v", slices.Collect(maps.Keys(left)))
	}
}
