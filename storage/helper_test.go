package storage_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"math"
	"strings"
	"testing"

	"github.com/topksweep/sweep/storage"
	"github.com/topksweep/sweep/storage/storagetest"
)

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
	l, err := r.c.Claim(r.Context(), storage.Holder{})
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
