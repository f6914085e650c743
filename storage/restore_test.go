package storage_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/topksweep/sweep/storage"
	"github.com/topksweep/sweep/storage/storagetest"
)

func TestFallBack(t *testing.T) {
	spoil := map[string]func(*rig, *storage.Manifest){
		"data gone":      func(r *rig, m *storage.Manifest) { r.store.Delete(r.Context(), m.Key) },
		"data short":     func(r *rig, m *storage.Manifest) { r.put(m.Key, "twent") },
		"data long":      func(r *rig, m *storage.Manifest) { r.put(m.Key, "twenty!") },
		"data flipped":   func(r *rig, m *storage.Manifest) { r.put(m.Key, "twanty") },
		"data empty":     func(r *rig, m *storage.Manifest) { r.put(m.Key, "") },
		"manifest empty": func(r *rig, m *storage.Manifest) { r.put(manifest(20, 1), "") },
		"manifest torn":  func(r *rig, m *storage.Manifest) { r.put(manifest(20, 1), r.get(manifest(20, 1))[:100]) },
		"manifest of another step": func(r *rig, m *storage.Manifest) {
			r.put(manifest(20, 1), r.get(manifest(10, 1)))
		},
		"manifest of another folder": func(r *rig, m *storage.Manifest) {
			r.put(manifest(20, 1), strings.ReplaceAll(r.get(manifest(20, 1)), "ab12", "other"))
		},
		"manifest huge": func(r *rig, m *storage.Manifest) {
			r.put(manifest(20, 1), r.get(manifest(20, 1))+strings.Repeat(" ", 2<<20))
		},
		"manifest of version 0": func(r *rig, m *storage.Manifest) {
			r.put(manifest(20, 1), strings.Replace(r.get(manifest(20, 1)), `"version": 1`, `"version": 0`, 1))
		},
	}
	for name, spoil := range spoil {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			l := r.claim()
			r.save(l, 10, "ten")
			spoil(r, r.save(l, 20, "twenty"))
			r.put("stages/ab12/manifests/README.txt", "not a manifest")
			r.wantRestored("10/1: ten")
			if m, err := r.newest(); err != nil || m.Step != 10 {
				t.Errorf("latest: %v, %v, want step 10", m, err)
			}
			if log := r.log.String(); !strings.Contains(log, "checkpoint skipped") || !strings.Contains(log, "step=20") {
				t.Errorf("not reported: %q", log)
			}
			// One that does not verify does not take a kept one's place.
			if name != "data flipped" { // a listing does not show it
				if _, err := r.c.Prune(t.Context(), 1); err != nil {
					t.Fatal(err)
				}
				r.wantRestored("10/1: ten")
			}
		})
	}
}

func TestNewerVersionIsRefused(t *testing.T) {
	r := newRig(t)
	l := r.claim()
	r.save(l, 10, "ten")
	r.put(manifest(20, 1), `{"version": 2, "step": "no longer a number"}`)
	_, err := r.restored()
	if !errors.Is(err, storage.ErrNewerVersion) {
		t.Fatalf("restore: %v, want ErrNewerVersion", err)
	}
	for _, word := range []string{manifest(20, 1), "newer version of sweep", "manifest version 2, of at most 1"} {
		if !strings.Contains(err.Error(), word) {
			t.Errorf("%q lacks %q", err, word)
		}
	}
	if _, err := r.c.Prune(t.Context(), 1); !errors.Is(err, storage.ErrNewerVersion) {
		t.Errorf("prune: %v, want ErrNewerVersion", err)
	}
	if _, err := r.newest(); !errors.Is(err, storage.ErrNewerVersion) {
		t.Errorf("latest: %v, want ErrNewerVersion", err)
	}
}

func TestLoadErrors(t *testing.T) {
	r := newRig(t)
	l := r.claim()
	r.save(l, 10, "ten")
	bad := r.save(l, 20, strings.Repeat("twenty", 1000))
	// If the data is right, the error of load counts, whatever it wraps.
	for _, cause := range []error{errors.New("format test/1 is unknown"), storage.ErrCorrupt, storage.ErrNotFound} {
		calls := 0
		load := func(*storage.Manifest, io.Reader) error { calls++; return cause }
		_, err := r.c.RestoreAtMost(t.Context(), math.MaxInt64, load)
		if err != cause || calls != 1 {
			t.Errorf("restore: %v after %d calls, want %v after 1", err, calls, cause)
		}
	}
	// If the data is wrong, the result of load does not count: it may not have read all.
	// It is wrong if two reads say so.
	r.put(bad.Key, strings.Repeat("twenTy", 1000))
	for _, result := range []error{nil, errors.New("nonsense")} {
		var steps []int64
		m, err := r.c.RestoreAtMost(t.Context(), math.MaxInt64, func(m *storage.Manifest, _ io.Reader) error {
			steps = append(steps, m.Step)
			if m.Step == 20 {
				return result
			}
			return nil
		})
		if err != nil || m.Step != 10 || !slices.Equal(steps, []int64{20, 20, 10}) {
			t.Errorf("restore: %v, %v after loading %v, want step 10 after 20, 20 and 10", m, err, steps)
		}
	}
}

func TestRestoreStep(t *testing.T) {
	r := newRig(t)
	l := r.claim()
	for _, step := range []int64{10, 20, 30} {
		r.save(l, step, fmt.Sprint("state ", step))
	}
	if m, err := r.c.RestoreStep(t.Context(), 20, ignore); err != nil || m.Step != 20 {
		t.Errorf("step 20: %v, %v", m, err)
	}
	if _, err := r.c.RestoreStep(t.Context(), 25, ignore); !errors.Is(err, storage.ErrNotFound) {
		t.Errorf("step 25: %v, want ErrNotFound", err)
	}
}

// A remembering store gives what it has read first until it is told to read anew.
type remembering struct {
	storage.Store
	memory map[string][]byte
}

func (r *remembering) Get(ctx context.Context, key string) (io.ReadCloser, error) {
	b, ok := r.memory[key]
	if !ok {
		body, err := r.Store.Get(ctx, key)
		if err != nil {
			return nil, err
		}
		defer body.Close()
		if b, err = io.ReadAll(body); err != nil {
			return nil, err
		}
		r.memory[key] = b
	}
	return io.NopCloser(bytes.NewReader(b)), nil
}

func (r *remembering) PutNew(ctx context.Context, key string, data []byte) error {
	return storage.PutNew(ctx, r.Store, key, data)
}

func (r *remembering) Fresh(_ context.Context, key string) { delete(r.memory, key) }

// A page that is wrong in memory does not prove that the object is: the second read is one
// of the disk.
func TestSecondReadIsFresh(t *testing.T) {
	for _, kind := range []string{"manifests", "data"} {
		r := newRig(t)
		l := r.claim()
		r.save(l, 10, "ten")
		r.save(l, 20, "twenty")
		flipped := storagetest.NewFaulty(r.store, storagetest.FlippedRead, 1)
		if kind == "data" {
			flipped = storagetest.NewFaulty(r.store, storagetest.FlippedRead, 2)
		}
		c, err := storage.NewCheckpoints(&remembering{flipped, map[string][]byte{}}, "ab12", nil)
		if err != nil {
			t.Fatal(err)
		}
		if m, err := c.RestoreAtMost(t.Context(), math.MaxInt64, ignore); err != nil || m.Step != 20 || !flipped.Fired() {
			t.Errorf("%s: restored %v, %v, want step 20", kind, m, err)
		}
	}
}
