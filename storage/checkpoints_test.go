package storage_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/topksweep/sweep/storage"
	"github.com/topksweep/sweep/storage/storagetest"
)

func memory(*testing.T) storage.Store { return storagetest.NewMemory() }

func TestMemoryConformance(t *testing.T) { storagetest.Run(t, memory) }

func TestCheckpointsUnderFaults(t *testing.T) { storagetest.RunCheckpoints(t, memory) }

// A rig is one checkpoint folder in a store, with what was logged about it.
type rig struct {
	*testing.T
	store storage.Store
	c     *storage.Checkpoints
	log   *bytes.Buffer
}

func newRig(t *testing.T) *rig {
	t.Helper()
	r := &rig{T: t, store: storagetest.NewMemory(), log: new(bytes.Buffer)}
	c, err := storage.NewCheckpoints(r.store, "ab12", slog.New(slog.NewTextHandler(r.log, nil)))
	if err != nil {
		t.Fatal(err)
	}
	r.c = c
	return r
}

func (r *rig) claim() *storage.Claim {
	r.Helper()
	l, err := r.c.Claim(r.Context())
	if err != nil {
		r.Fatal(err)
	}
	return l
}

func (r *rig) trySave(l *storage.Claim, step int64, body string) (*storage.Manifest, error) {
	return l.Save(r.Context(), storage.Checkpoint{
		Step: step, Format: "test/1", Body: strings.NewReader(body), Size: int64(len(body)),
	})
}

func (r *rig) save(l *storage.Claim, step int64, body string) *storage.Manifest {
	r.Helper()
	m, err := r.trySave(l, step, body)
	if err != nil {
		r.Fatal(err)
	}
	return m
}

// restored returns "step: body", or the error.
func (r *rig) restored() (string, error) {
	var body []byte
	m, err := r.c.RestoreAtMost(r.Context(), math.MaxInt64, func(_ *storage.Manifest, rd io.Reader) (err error) {
		body, err = io.ReadAll(rd)
		return err
	})
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("%d/%d: %s", m.Step, m.Attempt, body), nil
}

func ignore(*storage.Manifest, io.Reader) error { return nil }

// newest returns the manifest of the newest checkpoint that verifies.
func (r *rig) newest() (*storage.Manifest, error) {
	return r.c.RestoreAtMost(r.Context(), math.MaxInt64, ignore)
}

func (r *rig) wantRestored(want string) {
	r.Helper()
	if got, err := r.restored(); err != nil || got != want {
		r.Errorf("restored %q (%v), want %q", got, err, want)
	}
}

func (r *rig) put(key, body string) {
	r.Helper()
	if err := storage.PutBytes(r.Context(), r.store, key, []byte(body)); err != nil {
		r.Fatal(err)
	}
}

func (r *rig) get(key string) string {
	r.Helper()
	b, err := storage.ReadAll(r.Context(), r.store, key, 1<<20)
	if err != nil {
		r.Fatal(err)
	}
	return string(b)
}

func (r *rig) keys() (keys []string) {
	r.Helper()
	objects, err := r.store.List(r.Context(), "")
	if err != nil {
		r.Fatal(err)
	}
	for _, o := range objects {
		keys = append(keys, o.Key)
	}
	return keys
}

func manifest(step, attempt int) string {
	return fmt.Sprintf("stages/ab12/manifests/%012d-%06d.json", step, attempt)
}

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
		zombie, err := c.Claim(t.Context())
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

// hooked calls hook before its left-th operation.
type hooked struct {
	storage.Store
	left int
	hook func()
}

func (h *hooked) count() {
	if h.left--; h.left == 0 {
		h.hook()
	}
}

func (h *hooked) Put(ctx context.Context, key string, body io.ReaderAt, size int64) error {
	h.count()
	return h.Store.Put(ctx, key, body, size)
}

func (h *hooked) PutNew(ctx context.Context, key string, data []byte) error {
	h.count()
	return storage.PutNew(ctx, h.Store, key, data)
}

func (h *hooked) Get(ctx context.Context, key string) (io.ReadCloser, error) {
	h.count()
	return h.Store.Get(ctx, key)
}

func (h *hooked) List(ctx context.Context, prefix string) ([]storage.Object, error) {
	h.count()
	return h.Store.List(ctx, prefix)
}

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

func TestClaimsRace(t *testing.T) {
	r := newRig(t)
	const claims = 16
	attempts := make([]int, claims)
	storagetest.Parallel(t, claims, claims, func(i int) error {
		l, err := r.c.Claim(t.Context())
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
		if _, err := c.Claim(t.Context()); err != nil {
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
