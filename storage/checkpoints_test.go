package storage_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/topksweep/sweep/storage"
	"github.com/topksweep/sweep/storage/storagetest"
)

func memory(*testing.T) storage.Store { return storagetest.NewMemory() }

func TestMemoryConformance(t *testing.T) { storagetest.Run(t, memory) }

func TestCheckpointsUnderFaults(t *testing.T) { storagetest.RunCheckpoints(t, memory) }

func TestNothingToRestore(t *testing.T) {
	r := newRig(t)
	if _, err := r.restored(); !errors.Is(err, storage.ErrNotFound) {
		t.Errorf("restore: %v, want ErrNotFound", err)
	}
	if _, err := r.newest(); !errors.Is(err, storage.ErrNotFound) {
		t.Errorf("latest: %v, want ErrNotFound", err)
	}
	if _, err := r.c.Prune(t.Context(), 2); err != nil {
		t.Error(err)
	}
}

func TestSaveTwice(t *testing.T) {
	r := newRig(t)
	l := r.claim()
	m := r.save(l, 5, "five")
	before := r.keys()
	second := r.save(l, 5, "five")
	if second.SHA256 != m.SHA256 || second.Step != 5 || !slices.Equal(r.keys(), before) {
		t.Errorf("saving twice: %+v, %q", second, r.keys())
	}
	if _, err := r.trySave(l, 5, "other"); !errors.Is(err, storage.ErrExists) {
		t.Errorf("another state for the same step: %v, want ErrExists", err)
	}
	r.wantRestored("5/1: five")
	// The next attempt's state of the same step lies beside it, and is newer.
	r.save(r.claim(), 5, "five")
	r.wantRestored("5/2: five")
}

func TestPrune(t *testing.T) {
	r := newRig(t)
	first := r.claim()
	for _, step := range []int64{10, 20, 30, 40} {
		r.save(first, step, fmt.Sprint("state ", step))
	}
	data := func(step, attempt int) string {
		return fmt.Sprintf("stages/ab12/data/%012d-%06d-%064d", step, attempt, 7)
	}
	second := r.claim()
	r.save(second, 50, "state 50")
	lost := []string{data(45, 1), data(99, 1), data(45, 2)} // two of a fenced attempt; one below step 50
	kept := []string{data(60, 2), data(10, 3), "stages/ab12/data/unknown"}
	for _, key := range append(slices.Clone(lost), kept...) {
		r.put(key, "data")
	}
	r.pin(second, 20)
	garbage, err := r.c.Garbage(t.Context(), 2)
	if err != nil {
		t.Fatal(err)
	}
	freed, err := r.c.Prune(t.Context(), 2)
	var sizes int64
	for _, o := range garbage {
		sizes += o.Size
	}
	if err != nil || freed != sizes || freed == 0 {
		t.Errorf("freed %d bytes of %d: %v", freed, sizes, err)
	}
	var steps []string
	for _, key := range r.keys() {
		if name, ok := strings.CutPrefix(key, "stages/ab12/manifests/"); ok {
			steps = append(steps, strings.TrimLeft(name[:12], "0"))
		}
		if slices.Contains(lost, key) {
			t.Errorf("%s is still there", key)
		}
	}
	if want := []string{"20", "40", "50"}; !slices.Equal(steps, want) {
		t.Errorf("manifests of steps %v are left, want %v", steps, want)
	}
	for _, key := range kept {
		if !slices.Contains(r.keys(), key) {
			t.Errorf("%s is gone", key)
		}
	}
	for i, o := range garbage {
		if i > 0 && strings.Contains(o.Key, "/manifests/") && strings.Contains(garbage[i-1].Key, "/data/") {
			t.Errorf("%s is to be deleted after data", o.Key)
		}
	}
	r.wantRestored("50/2: state 50")
}

func TestBodyOfWrongSize(t *testing.T) {
	r := newRig(t)
	l := r.claim()
	before := r.keys()
	_, err := l.Save(t.Context(), storage.Checkpoint{
		Step: 1, Format: "test/1", Body: strings.NewReader("short"), Size: 100,
	})
	if !errors.Is(err, io.ErrUnexpectedEOF) || !slices.Equal(r.keys(), before) {
		t.Errorf("save: %v, left %q", err, r.keys())
	}
}

func TestFolders(t *testing.T) {
	r := newRig(t)
	for _, folder := range []string{"b", "a", "b-2"} {
		c, err := storage.NewCheckpoints(r.store, folder, nil)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := c.Claim(t.Context(), storage.Holder{}); err != nil {
			t.Fatal(err)
		}
	}
	r.put("stages/b/data/more", "12345")
	r.put("stages/stray", "in no folder")
	got, err := storage.Folders(t.Context(), r.store)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, s := range got {
		names = append(names, s.Name)
		one, err := storage.ListFolder(t.Context(), r.store, s.Name)
		if err != nil || !slices.Equal(one.Objects, s.Objects) || one.Name != s.Name {
			t.Errorf("%s holds %v, %v, all of it %v", s.Name, one, err, s)
		}
	}
	if want := []string{"a", "b", "b-2"}; !slices.Equal(names, want) || len(got[1].Objects) != 2 {
		t.Errorf("folders %v, want %v", got, want)
	}
	none, err := storage.ListFolder(t.Context(), r.store, "c")
	if err != nil || len(none.Objects) > 0 || none.Bytes() != 0 || !none.Modified().IsZero() {
		t.Errorf("a folder that is not there: %v, %v", none, err)
	}
	gone, err := storage.Remove(t.Context(), r.store, got[1].Objects)
	if err != nil || len(gone) != 2 || !strings.Contains(gone[1].Key, "/claims/") {
		t.Errorf("removed %v, %v, want the claim last", gone, err)
	}
	if one, err := storage.ListFolder(t.Context(), r.store, "b"); err != nil || len(one.Objects) > 0 {
		t.Errorf("removed, and there: %v, %v", one, err)
	}
	for _, bad := range []string{"", "a/b", "..", "a b"} {
		if _, err := storage.NewCheckpoints(r.store, bad, nil); !errors.Is(err, storage.ErrBadKey) {
			t.Errorf("folder %q: %v, want ErrBadKey", bad, err)
		}
	}
	if _, err := storage.NewCheckpoints(struct{ storage.Store }{r.store}, "a", nil); !errors.Is(err, storage.ErrNoPutNew) {
		t.Errorf("store without conditional write: %v, want ErrNoPutNew", err)
	}
}

// careless overwrites where it must not.
type careless struct{ storage.Store }

func (c careless) PutNew(ctx context.Context, key string, data []byte) error {
	return storage.PutBytes(ctx, c.Store, key, data)
}

func TestProbe(t *testing.T) {
	s := storagetest.NewMemory()
	if err := storage.Probe(t.Context(), careless{s}); !errors.Is(err, storage.ErrNoPutNew) {
		t.Errorf("a store that overwrites: %v, want ErrNoPutNew", err)
	}
	if objects, err := s.List(t.Context(), ""); err != nil || len(objects) > 0 {
		t.Errorf("left %v, %v", objects, err)
	}
}

func TestCheckpointsUnderReadFaults(t *testing.T) { storagetest.RunReads(t, memory) }

func TestObjectsUnderReadFaults(t *testing.T) { storagetest.RunObjects(t, storagetest.NewMemory()) }
