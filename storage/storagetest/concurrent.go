package storagetest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/topksweep/sweep/storage"
)

// Parallel runs n tasks on some goroutines and fails the test with their errors.
func Parallel(t *testing.T, goroutines, n int, task func(i int) error) {
	t.Helper()
	var (
		next atomic.Int64
		wg   sync.WaitGroup
	)
	for range goroutines {
		wg.Go(func() {
			for i := int(next.Add(1)) - 1; i < n; i = int(next.Add(1)) - 1 {
				if err := task(i); err != nil {
					t.Errorf("task %d: %v", i, err)
				}
			}
		})
	}
	wg.Wait()
}

func testPutNew(t *testing.T, s storage.Store) {
	ctx := t.Context()
	if err := storage.PutNew(ctx, s, "new/one", []byte("first")); err != nil {
		t.Fatal(err)
	}
	for _, data := range []string{"second", "first"} {
		err := storage.PutNew(ctx, s, "new/one", []byte(data))
		if !errors.Is(err, storage.ErrExists) {
			t.Errorf("putnew of what is there: %v, want ErrExists", err)
		}
	}
	wantObject(t, s, "new/one", []byte("first"))

	put(t, s, "new/two", nil) // an empty object is something, too
	if err := storage.PutNew(ctx, s, "new/two", []byte("x")); !errors.Is(err, storage.ErrExists) {
		t.Errorf("putnew over an empty object: %v, want ErrExists", err)
	}
	if err := s.Delete(ctx, "new/one"); err != nil {
		t.Fatal(err)
	}
	if err := storage.PutNew(ctx, s, "new/one", []byte("third")); err != nil {
		t.Errorf("putnew of what was deleted: %v", err)
	}
	wantObject(t, s, "new/one", []byte("third"))
}

// testPutNewRaces has 16 writers race for each key.
func testPutNewRaces(t *testing.T, s storage.Store) {
	const writers, keys = 16, 20
	var winners [keys]atomic.Int64
	for key := range keys {
		Parallel(t, writers, writers, func(i int) error {
			err := storage.PutNew(t.Context(), s, fmt.Sprintf("race/%d", key), noise(uint64(i), 1000+i))
			if err == nil && winners[key].Swap(int64(i)+1) != 0 {
				return fmt.Errorf("second winner of key %d", key)
			}
			if errors.Is(err, storage.ErrExists) {
				return nil
			}
			return err
		})
		winner := winners[key].Load() - 1
		if winner < 0 {
			t.Fatalf("nobody won key %d", key)
		}
		wantObject(t, s, fmt.Sprintf("race/%d", key), noise(uint64(winner), 1000+int(winner)))
	}
}

// testConcurrentWriters has writers that replace one object all the time, while
// others read and list it: every reader gets one writer's whole object.
func testConcurrentWriters(t *testing.T, s storage.Store) {
	const writers, readers, rounds = 4, 4, 25
	size := func(w int) int { return 200_000 + 10_000*w }
	put(t, s, "contended", noise(0, size(0)))
	Parallel(t, writers+readers, writers+readers, func(w int) error {
		for range rounds {
			if w < writers {
				if err := storage.PutBytes(t.Context(), s, "contended", noise(uint64(w), size(w))); err != nil {
					return err
				}
				continue
			}
			b, err := get(t.Context(), s, "contended")
			if err != nil {
				return err
			}
			who := (len(b) - size(0)) / 10_000
			if who < 0 || who >= writers || !bytes.Equal(b, noise(uint64(who), size(who))) {
				return fmt.Errorf("read %d bytes that nobody wrote", len(b))
			}
			objects, err := s.List(t.Context(), "contended")
			if err != nil || len(objects) != 1 || objects[0].Size < int64(size(0)) {
				return fmt.Errorf("list: %v, %v", objects, err)
			}
		}
		return nil
	})
	wantKeys(t, s, "", "contended")
}

func testCanceled(t *testing.T, s storage.Store) {
	put(t, s, "kept", []byte("old"))
	cause := errors.New("worker stops")
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(cause)
	_, getErr := s.Get(ctx, "kept")
	_, listErr := s.List(ctx, "")
	for op, err := range map[string]error{
		"put":    storage.PutBytes(ctx, s, "kept", []byte("new")),
		"putnew": storage.PutNew(ctx, s, "other", []byte("new")),
		"get":    getErr,
		"list":   listErr,
		"delete": s.Delete(ctx, "kept"),
	} {
		if !errors.Is(err, cause) && !errors.Is(err, context.Canceled) {
			t.Errorf("%s: %v, want the context's error", op, err)
		}
	}
	wantObject(t, s, "kept", []byte("old"))

	// In the middle of a body.
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	body := &stoppingBody{noise(1, 30<<20), stop}
	if err := s.Put(ctx, "kept", body, int64(len(body.data))); !errors.Is(err, context.Canceled) {
		t.Errorf("put: %v, want context.Canceled", err)
	}
	// In the middle of a read.
	put(t, s, "long", body.data)
	ctx, stop = context.WithCancel(t.Context())
	defer stop()
	r, err := s.Get(ctx, "long")
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if _, err := io.ReadFull(r, make([]byte, 100)); err != nil {
		t.Fatal(err)
	}
	stop()
	if n, err := io.Copy(io.Discard, r); err == nil {
		t.Errorf("read %d bytes to the end after cancellation", n)
	}
	wantKeys(t, s, "", "kept", "long")
	wantObject(t, s, "kept", []byte("old"))
}

// A stoppingBody cancels the write that reads it.
type stoppingBody struct {
	data []byte
	stop context.CancelFunc
}

func (b *stoppingBody) ReadAt(p []byte, off int64) (int, error) {
	b.stop()
	return bytes.NewReader(b.data).ReadAt(p, off)
}

func testBadBodies(t *testing.T, s storage.Store) {
	const size = 20 << 20 // two parts, where there are parts
	good := noise(3, size)
	bodies := map[string]io.ReaderAt{
		"shorter than its size": bytes.NewReader(good[:size-1]),
		"empty":                 bytes.NewReader(nil),
		"fails in the middle":   brokenBody{bytes.NewReader(good), size / 2},
		"fails at the end":      brokenBody{bytes.NewReader(good), size - 1},
		"fails at once":         brokenBody{bytes.NewReader(good), 0},
	}
	put(t, s, "bodies/old", []byte("old"))
	for name, body := range bodies {
		for _, key := range []string{"bodies/old", "bodies/new"} {
			if err := s.Put(t.Context(), key, body, size); err == nil {
				t.Errorf("put of a body that is %s: no error", name)
			}
		}
		wantKeys(t, s, "", "bodies/old")
		wantObject(t, s, "bodies/old", []byte("old"))
	}
	// A body may be longer than what is to be put.
	if err := s.Put(t.Context(), "bodies/old", bytes.NewReader(good), 1000); err != nil {
		t.Fatal(err)
	}
	wantObject(t, s, "bodies/old", good[:1000])
}
