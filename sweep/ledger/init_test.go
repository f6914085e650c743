package ledger

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/topksweep/sweep/storage"
	"github.com/topksweep/sweep/storage/storagetest"
	"github.com/topksweep/sweep/sweep/goldentest"
	"github.com/topksweep/sweep/sweep/grid"
	"github.com/topksweep/sweep/sweep/plan"
	"github.com/topksweep/sweep/trainer"
)

// weightsOf returns weights of width 64 with 24 latents, which begin with a number, and their hash.
func weightsOf(t *testing.T, first float32) (trainer.Params, string) {
	t.Helper()
	p := trainer.NewParams(64, 24)
	p.WEnc[0], p.BDec[63] = first, -first
	hash, err := InitHash(64, 24, &p)
	if err != nil {
		t.Fatal(err)
	}
	return p, hash
}

// planFrom plans a sweep of one cell that begins from a model.
func planFrom(t *testing.T, name, hash string) *plan.Plan {
	t.Helper()
	src := "name: " + name + "\ndata: {source: acts}\ntrain: {init: m, steps: 10, k: 2}\n"
	g, err := grid.Parse("grid.yaml", []byte(src), grid.ParseOptions{})
	if err != nil {
		t.Fatal(err)
	}
	g.SetInits(map[string]grid.Init{"m": {Hash: hash, ActivationDim: 64, DictSize: 24, K: 2}})
	p, err := plan.New(g, goldentest.DataInfo(), plan.Estimates{})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestInit(t *testing.T) {
	eachStore(t, func(t *testing.T, s storage.Store) {
		l := New(s)
		want, hash := weightsOf(t, 7)
		got := trainer.NewParams(64, 24)
		err := l.Init(t.Context(), hash, 64, 24, &got)
		if !errors.Is(err, storage.ErrNotFound) || !strings.Contains(err.Error(), "submit the grid again") {
			t.Errorf("without the model: %v", err)
		}
		for range 2 { // the second time it is there
			if err := l.StoreInit(t.Context(), hash, 64, 24, &want); err != nil {
				t.Fatal(err)
			}
		}
		if there, err := l.HasInit(t.Context(), hash); !there || err != nil {
			t.Errorf("it is not listed: %v", err)
		}
		if err := l.Init(t.Context(), hash, 64, 24, &got); err != nil {
			t.Fatal(err)
		}
		if again, err := InitHash(64, 24, &got); again != hash || err != nil {
			t.Errorf("read weights with the hash %s, want %s, %v", again, hash, err)
		}
		body := get(t, s, InitKey(hash))
		for name, bad := range map[string]string{
			"a flipped bit": body[:len(body)-1] + string(body[len(body)-1]^1),
			"short":         body[:len(body)-4],
			"long":          body + "more",
			"another":       strings.Repeat("x", len(body)),
		} {
			put(t, s, InitKey(hash), bad)
			err := l.Init(t.Context(), hash, 64, 24, &got)
			if !errors.Is(err, storage.ErrCorrupt) || !strings.Contains(err.Error(), "submit the grid again") {
				t.Errorf("%s: %v, want damaged", name, err)
			}
			if err := l.StoreInit(t.Context(), hash, 64, 24, &want); err != nil {
				t.Errorf("%s: %v", name, err)
			}
			if get(t, s, InitKey(hash)) != body {
				t.Errorf("%s: it is not mended", name)
			}
		}
	})
}

// A model that a plan names stays. One that no plan names goes, unless it is young.
func TestGarbageOfInits(t *testing.T) {
	s, root := openDir(t)
	l := New(s)
	var hashes []string
	for i := range 3 {
		p, hash := weightsOf(t, float32(i+1))
		if err := l.StoreInit(t.Context(), hash, 64, 24, &p); err != nil {
			t.Fatal(err)
		}
		hashes = append(hashes, hash)
	}
	storePlan(t, s, planFrom(t, "one", hashes[0]))
	put(t, s, InitKey("none"), "not ours to remove")
	setTime(t, root, InitKey(hashes[1]), time.Now().Add(-time.Hour))
	before := time.Now().Add(-time.Minute)

	dry, err := l.CollectGarbage(t.Context(), before, true)
	if err != nil {
		t.Fatal(err)
	}
	why := map[string]string{}
	for _, i := range dry.Inits {
		why[i.Hash] = i.Why
	}
	if len(why) != 2 || why[hashes[1]] != FolderUnplanned || why[hashes[2]] != FolderYoung {
		t.Errorf("dry run: %v", dry.Inits)
	}
	if n := len(keys(t, s, initsPrefix)); n != 4 {
		t.Errorf("the dry run has left %d models, want 4", n)
	}
	if _, err := l.CollectGarbage(t.Context(), before, false); err != nil {
		t.Fatal(err)
	}
	for i, want := range []bool{true, false, true} {
		if there, err := l.HasInit(t.Context(), hashes[i]); there != want || err != nil {
			t.Errorf("model %d is there: %v, want %v, %v", i, there, want, err)
		}
	}
	if n := len(keys(t, s, initsPrefix)); n != 3 {
		t.Errorf("%d objects are left, want 3", n)
	}
}

// A model of a plan that is stored while garbage is collected stays.
func TestGarbageOfInitsBesideSubmission(t *testing.T) {
	w, hash := weightsOf(t, 1)
	p := planFrom(t, "late", hash)
	collectBeside(t, func(s storage.Store) {
		storagetest.SaveCheckpoints(t, s, "nobody", nil, 1)
		if err := New(s).StoreInit(t.Context(), hash, 64, 24, &w); err != nil {
			t.Fatal(err)
		}
	}, func(s storage.Store) {
		l := New(s)
		if err := l.StorePlan(t.Context(), p); err != nil {
			t.Fatal(err)
		}
		if there, err := l.HasInit(t.Context(), hash); err != nil {
			t.Fatal(err)
		} else if !there { // as whoever submits does
			if err := l.StoreInit(t.Context(), hash, 64, 24, &w); err != nil {
				t.Fatal(err)
			}
		}
	}, func(n int, s storage.Store, h *hookedStore) {
		if there, err := New(s).HasInit(t.Context(), hash); !there && err == nil && h.op != "delete" {
			t.Errorf("the plan is stored at operation %d, %s, and its model is gone", n, h.op)
		}
	})
}

// A program that knows no models to begin from reads a version that it does not know.
func TestPlanOfInitsHasAVersion(t *testing.T) {
	s, _ := openDir(t)
	_, hash := weightsOf(t, 1)
	p := planFrom(t, "one", hash)
	l := storePlan(t, s, p)
	if h, err := l.Header(t.Context(), p.ID); err != nil || h.Version != 2 || h.Inits[0].Hash != hash {
		t.Fatalf("header %+v, %v", h, err)
	}
	replace(t, s, PlanKey(p.ID), `"version": 2`, `"version": 1`)
	if _, err := l.Header(t.Context(), p.ID); !errors.Is(err, storage.ErrCorrupt) {
		t.Errorf("version 1 with models: %v, want damaged", err)
	}
	replace(t, s, PlanKey(p.ID), `"version": 1`, `"version": 3`)
	if _, err := l.Header(t.Context(), p.ID); !errors.Is(err, storage.ErrNewerVersion) {
		t.Errorf("version 3: %v, want newer", err)
	}
	replace(t, s, PlanKey(p.ID), `"version": 3`, `"version": 2`)
	replace(t, s, PlanKey(p.ID), `"hash": "`+hash[:2], `"hash": "..`)
	if _, err := l.Header(t.Context(), p.ID); !errors.Is(err, storage.ErrCorrupt) {
		t.Errorf("a hash that is none: %v, want damaged", err)
	}
}
