package dir_test

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/topksweep/sweep/storage"
	"github.com/topksweep/sweep/storage/storagetest"
)

// Folders go with their last object, up to those right below the root. What is not of the store keeps them.
func TestEmptiedFoldersGo(t *testing.T) {
	root := t.TempDir()
	s := openAt(t, root)
	keys := []string{
		"stages/a/data/1", "stages/a/claims/1", "stages/b/data/1", "stages/kept/data/1", "results/1.json", "top",
	}
	for _, key := range keys {
		if err := storage.PutBytes(t.Context(), s, key, []byte("x")); err != nil {
			t.Fatal(err)
		}
	}
	elsewhere := t.TempDir()
	if err := errors.Join(
		os.WriteFile(filepath.Join(root, "stages", "kept", "notes of a person"), nil, 0o666),
		os.Symlink(elsewhere, filepath.Join(root, "stages", "link")),
		storage.PutBytes(t.Context(), s, "stages/link/data/1", []byte("x")),
	); err != nil {
		t.Fatal(err)
	}
	check := func(there map[string]bool) {
		t.Helper()
		for path, want := range there {
			if _, err := os.Lstat(filepath.Join(root, path)); errors.Is(err, fs.ErrNotExist) == want || err != nil && want {
				t.Errorf("%s: %v, want it there: %v", path, err, want)
			}
		}
	}
	remove := func(keys ...string) {
		t.Helper()
		for _, key := range keys {
			if err := s.Delete(t.Context(), key); err != nil {
				t.Fatal(err)
			}
		}
	}
	remove("stages/a/data/1", "stages/a/nosuch/1", "nosuch/a/1")
	check(map[string]bool{"stages/a/data": false, "stages/a/claims/1": true, "stages/b/data/1": true})
	remove(append(keys, "stages/link/data/1")...)
	check(map[string]bool{
		"stages/a": false, "stages/b": false, "stages": true, "results": true, "top": false, "+tmp": true,
		"stages/kept/data": false, "stages/kept/notes of a person": true, "stages/link": true, "stages/link/data": false,
	})
	if _, err := os.Stat(elsewhere); err != nil {
		t.Error(err)
	}
	// What a deletion left that was killed goes with the next one.
	if err := os.MkdirAll(filepath.Join(root, "stages", "half", "data"), 0o777); err != nil {
		t.Fatal(err)
	}
	remove("stages/half/data/1")
	check(map[string]bool{"stages/half": false})
}

// A deletion takes no folder away from a writer: whoever has written an object finds it, and nobody gets an error.
func TestEmptiedFoldersRace(t *testing.T) {
	s := open(t)
	const rounds = 100
	storagetest.Parallel(t, 6, 6, func(i int) error {
		for range rounds {
			own := fmt.Sprintf("stages/x/%d/%d", i%2, i)
			if err := storage.PutNew(t.Context(), s, own, []byte("own")); err != nil {
				return err
			}
			if b, err := storage.ReadAll(t.Context(), s, own, 10); err != nil || string(b) != "own" {
				return fmt.Errorf("read %q, %w", b, err)
			}
			if err := s.Delete(t.Context(), own); err != nil {
				return err
			}
			// One key of all: others may remove it at once.
			err := storage.PutBytes(t.Context(), s, "stages/x/all", []byte("all"))
			if e := storage.PutNew(t.Context(), s, "stages/x/new", nil); !errors.Is(e, storage.ErrExists) {
				err = errors.Join(err, e)
			}
			_, listed := s.List(t.Context(), "stages/")
			err = errors.Join(err, listed, s.Delete(t.Context(), "stages/x/all"), s.Delete(t.Context(), "stages/x/new"))
			if err != nil {
				return err
			}
		}
		return nil
	})
	if objects, err := s.List(t.Context(), ""); err != nil || len(objects) > 0 {
		t.Errorf("left %v, %v", objects, err)
	}
}
