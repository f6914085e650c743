package activities

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
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

// Package ledger tests what garbage is, and that collecting it survives faults and
// runs beside everything else. The tests here collect what real runs leave behind.

// Nothing that a test writes is older than longAgo or younger than farAhead.
func longAgo() time.Time  { return time.Now().Add(-24 * time.Hour) }
func farAhead() time.Time { return time.Now().Add(24 * time.Hour) }

// eachStore runs a test in a directory and on a MinIO server.
func eachStore(t *testing.T, run func(*testing.T, storage.Store)) {
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

// collectGarbage removes garbage and checks that it goes as announced, and that
// nothing is left for a second time.
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
	for _, f := range g.Folders {
		var objects int
		var size int64
		for key, body := range all {
			_, stays := left[key]
			if strings.HasPrefix(key, "stages/"+f.Folder+"/") && stays == (f.Why == ledger.FolderYoung) {
				objects++
				size += int64(len(body))
			}
		}
		if objects != f.Objects || size != f.Bytes {
			t.Errorf("%+v: it was %d objects of %d bytes", f, objects, size)
		}
	}
	second, err := ledger.New(s).CollectGarbage(t.Context(), before, false)
	isYoung := func(f ledger.GarbageFolder) bool { return f.Why == ledger.FolderYoung }
	if rest := slices.DeleteFunc(second.Folders, isYoung); err != nil || len(rest) > 0 {
		t.Errorf("collected again: %+v, %v", rest, err)
	}
	return g
}

// wantCollected says why each folder has gone, or stays.
func wantCollected(t *testing.T, g ledger.Garbage, want map[string]string) {
	t.Helper()
	got := map[string]string{}
	for _, f := range g.Folders {
		got[f.Folder] = f.Why
	}
	if !maps.Equal(got, want) {
		t.Errorf("collected %v, want %v", got, want)
	}
}

func TestCollectGarbage(t *testing.T) {
	eachStore(t, func(t *testing.T, s storage.Store) {
		p := makePlan(t, nil)
		w := submit(t, s, p)
		w.finish() // cell 1
		done, stopped := w.id(), p.RunID(p.Cells[0].ID)
		storagetest.SaveCheckpoints(t, s, done, []int64{7}, 7, 9)                   // by an attempt that was fenced off, say
		storagetest.SaveCheckpoints(t, s, stopped, []int64{10}, 10, 20, 30, 40, 50) // no result yet
		// of a sweep that is gone, or not there yet
		storagetest.SaveCheckpoints(t, s, "nobody", []int64{1}, 1)
		storagetest.SaveCheckpoints(t, s, p.RunID(p.Cells[2].ID), nil, 1) // no result yet, and nothing to spare
		all := keys(t, s, "")

		wantCollected(t, collectGarbage(t, s, longAgo()), map[string]string{
			done: ledger.FolderFinished, stopped: ledger.FolderPruned, "nobody": ledger.FolderYoung,
		})
		stays := slices.DeleteFunc(all, func(key string) bool {
			isOld := strings.Contains(key, "/000000000020-") || strings.Contains(key, "/000000000030-")
			return strings.HasPrefix(key, "stages/"+done) || strings.HasPrefix(key, "stages/"+stopped) && isOld
		})
		if got := keys(t, s, ""); !slices.Equal(got, stays) {
			t.Errorf("left\n%q\nwant\n%q", got, stays)
		}
		wantCollected(t, collectGarbage(t, s, farAhead()), map[string]string{"nobody": ledger.FolderUnplanned})
		if left := keys(t, s, "stages/nobody"); len(left) > 0 {
			t.Errorf("left %q", left)
		}
	})
}

// Sweeps are interrupted, writers leave all kinds of things behind, and garbage is
// collected in between. What results, plans, models and forks refer to stays, and
// every run ends with the weights of one that nobody disturbed.
func TestGarbageProperty(t *testing.T) {
	want := undisturbedModel(t)
	seed := uint64(time.Now().UnixNano())
	if v := os.Getenv("SWEEP_GC_SEED"); v != "" {
		fmt.Sscan(v, &seed)
	}
	eachStore(t, func(t *testing.T, s storage.Store) {
		for trial := range 4 {
			rng := rand.New(rand.NewPCG(seed, uint64(trial)))
			p := makePlan(t, func(p *plan.Plan) { // runs of their own, and a sweep of its own
				p.Run.ReuseResults = false
				p.Run.Checkpoint.Keep = 1 + rng.IntN(3)
				p.ID = fmt.Sprintf("%s-%08x", p.Name, rng.Uint32())
			})
			w := submit(t, s, p)
			firstFork := 1 + rng.Int64N(steps-2)
			for stop := rng.Int64N(8); stop < steps; stop += 1 + rng.Int64N(10) {
				if stop > 0 {
					trainUntil(t, s, p, stop)
				}
				if stop >= firstFork && rng.IntN(2) == 0 {
					c, err := w.checkpoints().Claim(t.Context(), storage.Holder{})
					if err == nil {
						err = c.Pin(t.Context(), stop)
					}
					if err != nil {
						t.Fatal(err)
					}
				}
				for rng.IntN(3) > 0 {
					litter(t, s, rng, w.id())
				}
				wantHeld(t, w, fmt.Sprintf("seed %d, stopped at %d", seed, stop), func() {
					if _, err := ledger.New(s).CollectGarbage(t.Context(), farAhead(), false); err != nil {
						t.Fatalf("seed %d: %v", seed, err)
					}
				})
			}
			w.finish()
			wantSame(t, fmt.Sprintf("seed %d, trial %d: the model", seed, trial), w.model(), want)
			if _, err := ledger.New(s).CollectGarbage(t.Context(), farAhead(), false); err != nil {
				t.Errorf("seed %d: %v", seed, err)
			}
			if left := keys(t, s, "stages/"); len(left) > 0 {
				t.Errorf("seed %d: left %q", seed, left)
			}
		}
	})
}

// wantHeld says that collect removes no plan, result or model, and neither the
// newest checkpoint of the run nor one of its forks.
func wantHeld(t *testing.T, w *testWorker, when string, collect func()) {
	t.Helper()
	before := keys(t, w.store, "")
	held, err := w.checkpoints().Pins(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	newest, _, err := w.checkpoints().Newest(t.Context(), steps)
	if err != nil {
		t.Fatal(err)
	}
	held = append(held, newest)
	collect()
	after := keys(t, w.store, "")
	for _, key := range before {
		isHeld := !strings.HasPrefix(key, "stages/")
		for _, step := range held {
			isHeld = isHeld || strings.HasPrefix(key, fmt.Sprintf("stages/%s/manifests/%012d-", w.id(), step))
		}
		if isHeld && !slices.Contains(after, key) {
			t.Errorf("%s, held %v: %s is gone", when, held, key)
		}
	}
}

// litter leaves something that a dead writer could leave.
func litter(t *testing.T, s storage.Store, rng *rand.Rand, run string) {
	t.Helper()
	switch rng.IntN(3) {
	case 0: // a checkpoint folder of a sweep that is gone
		storagetest.SaveCheckpoints(t, s, fmt.Sprintf("litter-%d", rng.IntN(3)), []int64{1}, 1, 2)
	case 1: // data without a manifest, of an attempt that is over
		key := fmt.Sprintf("stages/%s/data/%012d-000001-%064x", run, rng.IntN(2*steps), rng.Uint64())
		if err := storage.PutBytes(t.Context(), s, key, []byte("half of a st")); err != nil {
			t.Fatal(err)
		}
	case 2: // a claim that nobody uses
		c, err := storage.NewCheckpoints(s, run, nil)
		if err == nil {
			_, err = c.Claim(t.Context(), storage.Holder{})
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}
