package activities

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/minio/minio-go/v7/pkg/credentials"

	"github.com/topksweep/sweep/storage"
	"github.com/topksweep/sweep/storage/minio"
	"github.com/topksweep/sweep/storage/minio/miniotest"
	"github.com/topksweep/sweep/storage/storagetest"
	"github.com/topksweep/sweep/sweep/ledger"
	"github.com/topksweep/sweep/sweep/plan"
)

var (
	recently = func() time.Time { return time.Now().Add(-24 * time.Hour) } // nothing in a test is older
	byNow    = func() time.Time { return time.Now().Add(24 * time.Hour) }  // everything is older
)

// stores are what garbage is collected in.
func stores(t *testing.T, run func(*testing.T, storage.Store)) {
	t.Run("dir", func(t *testing.T) { run(t, openDir(t)) })
	t.Run("minio", func(t *testing.T) { run(t, openMinIO(t, miniotest.Start(t))) })
}

func openMinIO(t testing.TB, server *miniotest.Server) storage.Store {
	t.Helper()
	s, err := minio.Open(t.Context(), "s3://bucket/deep/down", minio.Options{
		Endpoint: server.Endpoint, Region: "us-east-1", CreateBucket: true,
		Credentials: credentials.NewStaticV4(miniotest.User, miniotest.Password, ""),
	})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func collectGarbage(t *testing.T, s storage.Store, before time.Time) ledger.Garbage {
	t.Helper()
	dry, err := ledger.New(s).CollectGarbage(t.Context(), before, true)
	if err != nil {
		t.Fatal(err)
	}
	all := snapshot(t, s)
	g, err := ledger.New(s).CollectGarbage(t.Context(), before, false)
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(g.Folders, dry.Folders) || !dry.DryRun || g.DryRun {
		t.Errorf("removed %+v, announced %+v", g.Folders, dry.Folders)
	}
	// What it says is what it did.
	left := snapshot(t, s)
	for _, stage := range g.Folders {
		var objects int
		var size int64
		for key, body := range all {
			_, there := left[key]
			if strings.HasPrefix(key, "stages/"+stage.Folder+"/") && there == (stage.Why == ledger.FolderYoung) {
				objects++
				size += int64(len(body))
			}
		}
		if objects != stage.Objects || size != stage.Bytes {
			t.Errorf("%+v: it was %d objects of %d bytes", stage, objects, size)
		}
	}
	again, err := ledger.New(s).CollectGarbage(t.Context(), before, false)
	again.Folders = slices.DeleteFunc(
		again.Folders,
		func(s ledger.GarbageFolder) bool { return s.Why == ledger.FolderYoung },
	)
	if err != nil || len(again.Folders) > 0 {
		t.Errorf("collected again: %+v, %v", again, err)
	}
	return g
}

// save leaves a checkpoint that holds its step.
func save(t *testing.T, s storage.Store, stage string, pins []int64, steps ...int64) {
	t.Helper()
	c, err := storage.NewCheckpoints(s, stage, nil)
	if err != nil {
		t.Fatal(err)
	}
	l, err := c.Claim(t.Context())
	for _, step := range pins {
		err = errors.Join(err, l.Pin(t.Context(), step))
	}
	for _, step := range steps {
		body := fmt.Append(nil, "state ", step)
		_, saveErr := l.Save(
			t.Context(),
			storage.Checkpoint{Step: step, Format: "test/1", Body: bytes.NewReader(body), Size: int64(len(body))},
		)
		err = errors.Join(err, saveErr)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// why says what became of each stage.
func why(g ledger.Garbage) map[string]string {
	m := map[string]string{}
	for _, s := range g.Folders {
		m[s.Folder] = s.Why
	}
	return m
}

func TestCollectGarbage(t *testing.T) {
	stores(t, func(t *testing.T, s storage.Store) {
		p := makePlan(t, nil)
		b := newBench(t, s, p)
		b.finish() // cell 1
		done, stopped := b.id(), p.RunID(p.Cells[0].ID)
		save(t, s, done, []int64{7}, 7, 9)                   // a zombie's, say
		save(t, s, stopped, []int64{10}, 10, 20, 30, 40, 50) // no result yet
		save(t, s, "nobody", []int64{1}, 1)                  // of a sweep that is gone, or not there yet
		save(t, s, p.RunID(p.Cells[2].ID), nil, 1)           // nothing too much
		want := keys(t, s, "")

		g := collectGarbage(t, s, recently())
		if got, want := why(g), map[string]string{done: ledger.FolderFinished, stopped: ledger.FolderPruned, "nobody": ledger.FolderYoung}; !maps.Equal(
			got,
			want,
		) {
			t.Errorf("collected %v, want %v", got, want)
		}
		want = slices.DeleteFunc(want, func(key string) bool {
			return strings.Contains(key, done) && strings.HasPrefix(key, "stages/") ||
				strings.Contains(key, stopped) &&
					(strings.Contains(key, "/000000000020-") || strings.Contains(key, "/000000000030-"))
		})
		if got := keys(t, s, ""); !slices.Equal(got, want) {
			t.Errorf("left\n%q\nwant\n%q", got, want)
		}
		g = collectGarbage(t, s, byNow())
		if got, want := why(g), map[string]string{"nobody": ledger.FolderUnplanned}; !maps.Equal(got, want) {
			t.Errorf("collected later %v, want %v", got, want)
		}
		if left := keys(t, s, "stages/nobody"); len(left) > 0 {
			t.Errorf("left %q", left)
		}
	})
}

// What cannot be read may refer to anything: then nothing is removed.
func TestGarbageStaysIfAnythingIsUnreadable(t *testing.T) {
	manifest := func(s storage.Store) string {
		objects, _ := s.List(t.Context(), "stages/litter/manifests/")
		return objects[0].Key
	}
	header := func(p *plan.Plan) string { return ledger.PlanKey(p.ID) }
	replace := func(key, from, to string) func(*testing.T, storage.Store) {
		return func(t *testing.T, s storage.Store) {
			b := string(read(t, s, key))
			if !strings.Contains(b, from) {
				t.Fatalf("%s lacks %s", key, from)
			}
			if err := storage.PutBytes(t.Context(), s, key, []byte(strings.Replace(b, from, to, 1))); err != nil {
				t.Fatal(err)
			}
		}
	}
	p := makePlan(t, nil)
	b, err := json.Marshal(p.Cells[:1])
	if err != nil {
		t.Fatal(err)
	}
	firstCell := strings.TrimSuffix(string(b), "]") + ","
	for name, test := range map[string]struct {
		spoil func(*testing.T, storage.Store)
		want  []string
	}{
		"plan of a newer version": {replace(header(p), `"version": 1`, `"version": 2`), []string{header(p), "version 2"}},
		"plan torn": {func(t *testing.T, s storage.Store) {
			storage.PutBytes(t.Context(), s, header(p), read(t, s, header(p))[:100])
		}, []string{header(p)}},
		"plan empty":              {func(t *testing.T, s storage.Store) { storage.PutBytes(t.Context(), s, header(p), nil) }, []string{header(p)}},
		"plan of other cells":     {replace(header(p), `"cells": 3`, `"cells": 4`), []string{header(p), "4 cells, of which 3"}},
		"plan of another sweep":   {replace(header(p), `"id": "`+p.ID, `"id": "other`), []string{header(p), "other"}},
		"cells fewer":             {replace(ledger.ChunkKey(p.ID, 0), firstCell, "["), []string{header(p), "3 cells, of which 2"}},
		"cells gone":              {func(t *testing.T, s storage.Store) { s.Delete(t.Context(), ledger.ChunkKey(p.ID, 0)) }, []string{ledger.ChunkKey(p.ID, 0), "not found"}},
		"cells of other IDs":      {replace(ledger.ChunkKey(p.ID, 0), `"id":"`, `"id":"0`), []string{ledger.ChunkKey(p.ID, 0), "corrupt: cell 0"}},
		"cells of other settings": {replace(ledger.ChunkKey(p.ID, 0), `"k":2`, `"k":6`), []string{ledger.ChunkKey(p.ID, 0), p.Cells[0].ID}},
		"cells torn":              {replace(ledger.ChunkKey(p.ID, 0), "}", ""), []string{ledger.ChunkKey(p.ID, 0)}},
		"manifest of a newer version": {func(t *testing.T, s storage.Store) {
			replace(manifest(s), `"version": 1`, `"version": 2`)(t, s)
		}, []string{"stages/litter/manifests/", "newer version of sweep"}},
		"manifest torn": {func(t *testing.T, s storage.Store) { replace(manifest(s), "}", "")(t, s) }, []string{"stages/litter/manifests/", "damaged"}},
	} {
		t.Run(name, func(t *testing.T) {
			s := openDir(t)
			newBench(t, s, p)
			save(t, s, "litter", nil, 1)
			save(t, s, "other-litter", nil, 1)
			test.spoil(t, s)
			before := snapshot(t, s)
			_, err := ledger.New(s).CollectGarbage(t.Context(), byNow(), false)
			if err == nil {
				t.Fatal("no error")
			}
			for _, want := range append(test.want, "nothing is removed") {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("%q lacks %q", err, want)
				}
			}
			wantUnchanged(t, "collecting", snapshot(t, s), before)
		})
	}
}

// Whatever operation of the store fails, nothing is lost that something refers
// to, and collecting again comes to the end.
func TestGarbageUnderFaults(t *testing.T) {
	for _, fault := range []storagetest.Fault{storagetest.Before, storagetest.After, storagetest.BrokenRead, storagetest.ShortRead, storagetest.FlippedRead} {
		p := makePlan(t, nil)
		for n := 1; ; n++ {
			s := storagetest.NewMemory()
			newBench(t, s, p)
			stopped := p.RunID(p.Cells[0].ID)
			save(t, s, stopped, []int64{10}, 10, 20, 30, 40)
			save(t, s, "litter", nil, 1)
			faulty := storagetest.NewFaulty(s, fault, n)
			_, err := ledger.New(faulty).CollectGarbage(t.Context(), byNow(), false)
			// A wrong read may hit what does not count.
			if faulty.Fired() && err == nil && fault != storagetest.ShortRead && fault != storagetest.FlippedRead {
				t.Errorf("%s at operation %d: no error", fault, n)
			}
			wantHeld(t, s, stopped, 10, 30, 40)
			if _, err := ledger.New(s).CollectGarbage(t.Context(), byNow(), false); err != nil {
				t.Errorf("%s at operation %d: collected again: %v", fault, n, err)
			}
			wantHeld(t, s, stopped, 10, 30, 40)
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

// wantHeld says that checkpoints of a stage can be restored.
func wantHeld(t *testing.T, s storage.Store, stage string, steps ...int64) {
	t.Helper()
	c, err := storage.NewCheckpoints(s, stage, nil)
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
			t.Errorf("stage %s, step %d: %v", stage, step, err)
		}
	}
}

// A sweep that is submitted while garbage is collected keeps what it finds, from
// whatever moment on.
func TestGarbageBesideSubmission(t *testing.T) {
	p := makePlan(t, nil)
	run := p.RunID(p.Cells[0].ID)
	for n := 1; ; n++ {
		s := storagetest.NewMemory()
		save(t, s, run, []int64{10}, 10) // of a plan that is gone
		h := &hookedStore{Store: s, hook: func() {
			newBench(t, s, p)
			save(t, s, run, []int64{20}, 20)
		}}
		h.left.Store(int64(n))
		if _, err := ledger.New(h).CollectGarbage(t.Context(), byNow(), false); err != nil {
			t.Fatal(err)
		}
		if h.left.Load() > 0 {
			t.Logf("%d operations", n-1)
			return
		}
		// If the old checkpoint went, it did before the run looked for it, or the
		// run has not got it back; what it saved itself is there in any case.
		wantHeld(t, s, run, 20)
	}
}

// A finished sweep that is extended while garbage is collected keeps the stages
// that its new cells share with the old ones, from whatever moment on.
func TestGarbageBesideExtension(t *testing.T) {
	whole := makePlan(t, nil)
	run := whole.RunID(whole.Cells[2].ID) // the extension's, and known to the store
	store := func(s storage.Store, cells int) {
		t.Helper()
		h := whole.Header
		h.CellCount = cells
		b, err := json.Marshal(whole.Cells[:cells])
		if err == nil {
			err = storage.PutBytes(t.Context(), s, ledger.ChunkKey(h.ID, 0), b)
		}
		if err == nil {
			err = storage.PutJSON(t.Context(), s, ledger.PlanKey(h.ID), &h)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	for n := 1; ; n++ {
		s := storagetest.NewMemory()
		store(s, 2)
		for _, c := range whole.Cells[:2] {
			if err := storage.PutJSON(t.Context(), s, ledger.ResultKey(whole.RunID(c.ID)), &ledger.Result{}); err != nil {
				t.Fatal(err)
			}
		}
		save(t, s, run, []int64{10}, 10)
		var before []string
		h := &hookedStore{Store: s, hook: func() {
			before = keys(t, s, "stages/"+run+"/manifests/")
			store(s, 3)
			save(t, s, run, []int64{20}, 20)
		}}
		h.left.Store(int64(n))
		if _, err := ledger.New(h).CollectGarbage(t.Context(), byNow(), false); err != nil {
			t.Fatal(err)
		}
		if h.left.Load() > 0 {
			if n < 8 {
				t.Errorf("%d operations", n-1)
			}
			return
		}
		wantHeld(t, s, run, 20)
		// Once it deletes it deletes; what it has not deleted is found.
		if h.op != "delete" && len(before) > 0 && len(keys(t, s, "stages/"+run+"/manifests/")) != 2 {
			t.Errorf("extended before operation %d: the checkpoint that was there is gone", n)
		}
	}
}

// A hookedStore calls hook before its left-th operation.
type hookedStore struct {
	storage.Store
	left atomic.Int64
	hook func()
	op   string // the one that it was called before
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

// Interrupted sweeps, leftovers of all kinds and collecting garbage between: what
// results, plans, models and forks refer to stays, and every run comes to the
// weights of one that nobody disturbed.
func TestGarbageProperty(t *testing.T) {
	want := golden(t)
	seed := uint64(time.Now().UnixNano())
	if v := os.Getenv("SWEEP_GC_SEED"); v != "" {
		fmt.Sscan(v, &seed)
	}
	stores(t, func(t *testing.T, s storage.Store) {
		for trial := range 4 {
			rng := rand.New(rand.NewPCG(seed, uint64(trial)))
			p := makePlan(t, func(p *plan.Plan) { // runs of their own, and a sweep of its own
				p.Run.ReuseResults = false
				p.Run.Checkpoint.Keep = 1 + rng.IntN(3)
				p.ID = fmt.Sprintf("%s-%08x", p.Name, rng.Uint32())
			})
			b := newBench(t, s, p)
			fork := 1 + rng.Int64N(steps-2)
			for stop := rng.Int64N(8); stop < steps; stop += 1 + rng.Int64N(10) {
				if stop > 0 {
					trainUntil(t, s, p, stop)
				}
				if stop >= fork && rng.IntN(2) == 0 {
					c, err := b.checkpoints().Claim(t.Context())
					if err == nil {
						err = c.Pin(t.Context(), stop)
					}
					if err != nil {
						t.Fatal(err)
					}
				}
				for rng.IntN(3) > 0 {
					litter(t, s, rng, b.id())
				}
				protected := snapshot(t, s)
				pins, err := b.checkpoints().Pins(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				newest, _, err := b.checkpoints().Newest(t.Context(), steps)
				if err != nil {
					t.Fatal(err)
				}
				if _, err := ledger.New(s).CollectGarbage(t.Context(), byNow(), false); err != nil {
					t.Fatalf("seed %d: %v", seed, err)
				}
				left := snapshot(t, s)
				for key := range protected {
					stage := strings.HasPrefix(key, "stages/")
					ours := strings.HasPrefix(key, "stages/"+b.id()+"/")
					held := ours &&
						slices.ContainsFunc(
							append(pins, newest),
							func(step int64) bool { return strings.Contains(key, fmt.Sprintf("manifests/%012d-", step)) },
						)
					if _, there := left[key]; !there && (!stage || held) {
						t.Errorf("seed %d, stopped at %d, forks %v: %s is gone", seed, stop, pins, key)
					}
				}
			}
			b.finish()
			wantSame(t, fmt.Sprintf("seed %d, trial %d: the model", seed, trial), b.model(), want)
			ledger.New(s).CollectGarbage(t.Context(), byNow(), false)
			if left := keys(t, s, "stages/"); len(left) > 0 {
				t.Errorf("seed %d: left %q", seed, left)
			}
		}
	})
}

// litter is something that dead writers leave.
func litter(t *testing.T, s storage.Store, rng *rand.Rand, run string) {
	t.Helper()
	switch rng.IntN(3) {
	case 0: // a stage of a sweep that is gone
		save(t, s, fmt.Sprintf("litter-%d", rng.IntN(3)), []int64{1}, 1, 2)
	case 1: // data without a manifest, of an attempt that is over
		key := fmt.Sprintf("stages/%s/data/%012d-000001-%064x", run, rng.IntN(2*steps), rng.Uint64())
		if err := storage.PutBytes(t.Context(), s, key, []byte("half of a st")); err != nil {
			t.Fatal(err)
		}
	case 2: // a claim that nobody uses
		c, err := storage.NewCheckpoints(s, run, nil)
		if err == nil {
			_, err = c.Claim(t.Context())
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}
