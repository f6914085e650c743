package storage_test

import (
	"errors"
	"slices"
	"testing"

	"github.com/topksweep/sweep/storage"
	"github.com/topksweep/sweep/storage/storagetest"
)

func TestZombieIsFencedOff(t *testing.T) {
	r := newRig(t)
	zombie := r.claim()
	r.save(zombie, 10, "ten")
	heir := r.claim()
	if zombie.Attempt() != 1 || heir.Attempt() != 2 {
		t.Errorf("attempts %d and %d, want 1 and 2", zombie.Attempt(), heir.Attempt())
	}
	r.wantRestored("10/1: ten")
	before := r.keys()
	for _, step := range []int64{10, 11, 20} {
		if _, err := r.trySave(zombie, step, "zombie"); !errors.Is(err, storage.ErrFenced) {
			t.Errorf("save by a zombie: %v, want ErrFenced", err)
		}
	}
	if err := zombie.Check(t.Context()); !errors.Is(err, storage.ErrFenced) {
		t.Errorf("check by a zombie: %v, want ErrFenced", err)
	}
	if !slices.Equal(r.keys(), before) {
		t.Errorf("a zombie left %q", r.keys())
	}
	r.save(heir, 20, "twenty")
	r.wantRestored("20/2: twenty")
}

// Another attempt may claim the folder and prune it in the middle of a Save, before
// any of its operations.
func TestOvertakenInSave(t *testing.T) {
	for n := 1; ; n++ {
		r := newRig(t)
		r.save(r.claim(), 10, "ten")
		hook := &hooked{Store: r.store, hook: func() {
			r.claim()
			if _, err := r.c.Prune(t.Context(), 1); err != nil {
				t.Error(err)
			}
		}}
		c, err := storage.NewCheckpoints(hook, "ab12", nil)
		if err != nil {
			t.Fatal(err)
		}
		zombie, err := c.Claim(t.Context(), storage.Holder{})
		if err != nil {
			t.Fatal(err)
		}
		hook.left = n
		_, err = r.trySave(zombie, 20, "twenty")
		if hook.left > 0 { // the Save has fewer operations
			if err != nil || n < 8 {
				t.Errorf("save of %d operations: %v", n-1, err)
			}
			return
		}
		// Before the data was there, it is fenced off; after it, too, or else
		// the data has gone under its hands.
		if err != nil && !errors.Is(err, storage.ErrFenced) && !errors.Is(err, storage.ErrNotFound) {
			t.Errorf("overtaken before operation %d: %v", n, err)
		}
		got, restoreErr := r.restored()
		if restoreErr != nil || got != "20/2: twenty" && (got != "10/1: ten" || err == nil) {
			t.Errorf("overtaken before operation %d: saved with %v, restored %q, %v", n, err, got, restoreErr)
		}
	}
}

func TestClaimsRace(t *testing.T) {
	r := newRig(t)
	const claims = 16
	attempts := make([]int, claims)
	storagetest.Parallel(t, claims, claims, func(i int) error {
		l, err := r.c.Claim(t.Context(), storage.Holder{})
		if err == nil {
			attempts[i] = l.Attempt()
		}
		return err
	})
	slices.Sort(attempts)
	if len(slices.Compact(slices.Clone(attempts))) != claims || attempts[0] != 1 || attempts[claims-1] != claims {
		t.Errorf("attempts %v, want 1 to %d", attempts, claims)
	}
}
