// Package storagetest has the tests that every store must pass: the conformance
// suite (Run) and the checkpoint protocol under failures (RunCheckpoints). Faulty is
// a store that fails on purpose.
//
// Stores import it in their tests only. Its tests never sleep and do not depend on
// the machine's speed.
package storagetest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/topksweep/sweep/storage"
)

// Run runs the conformance suite. open returns an empty store that works until the
// end of the test that it is given.
func Run(t *testing.T, open func(*testing.T) storage.Store) {
	tests := []struct {
		name string
		run  func(*testing.T, storage.Store)
	}{
		{"round trip", testRoundTrip},
		{"large object", testLarge},
		{"not found", testNotFound},
		{"delete", testDelete},
		{"list", testList},
		{"list many", testListMany},
		{"keys", testKeys},
		{"put new", testPutNew},
		{"put new races", testPutNewRaces},
		{"concurrent writers", testConcurrentWriters},
		{"canceled", testCanceled},
		{"bad bodies", testBadBodies},
		{"replaced while read", testReplacedWhileRead},
		{"json", testJSON},
		{"bounded memory", testMemory},
		{"probe", testProbe},
		{"claims", testClaims},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) { test.run(t, open(t)) })
	}
}

func testRoundTrip(t *testing.T, s storage.Store) {
	for _, size := range []int{0, 1, 100, 65_536, 1_000_003} {
		key := fmt.Sprintf("round/trip-%d.bin", size)
		put(t, s, key, noise(uint64(size), size))
		wantObject(t, s, key, noise(uint64(size), size))
	}
	// Put replaces, with shorter and with longer objects.
	for i, size := range []int{5000, 10, 9000, 0} {
		put(t, s, "round/again", noise(uint64(i), size))
		wantObject(t, s, "round/again", noise(uint64(i), size))
	}
}

// testLarge is large enough for every store that splits objects to do so.
func testLarge(t *testing.T, s storage.Store) {
	const size = 40<<20 + 12_345
	body := noise(7, size)
	put(t, s, "large/object", body)
	wantObject(t, s, "large/object", body)
	objects := list(t, s, "large/")
	if len(objects) != 1 || objects[0].Size != size {
		t.Errorf("list large/: %v, want one object of %d bytes", objects, size)
	}
	// A reader that is closed halfway must do no harm.
	r, err := s.Get(t.Context(), "large/object")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(r, make([]byte, 1000)); err != nil {
		t.Error(err)
	}
	if err := r.Close(); err != nil {
		t.Errorf("close halfway: %v", err)
	}
}

func testNotFound(t *testing.T, s storage.Store) {
	put(t, s, "a/file", []byte("x"))
	for _, key := range []string{"nothing", "a", "a/other", "a/file/below", "b/c/d"} {
		r, err := s.Get(t.Context(), key)
		if r != nil || !errors.Is(err, storage.ErrNotFound) {
			t.Errorf("get %s: %v, want ErrNotFound", key, err)
			continue
		}
		if want := "get " + key + ": "; !strings.HasPrefix(err.Error(), want) {
			t.Errorf("error %q does not begin with %q", err, want)
		}
	}
	if objects := list(t, s, "nothing/here"); len(objects) != 0 {
		t.Errorf("list of nothing: %v", objects)
	}
}

func testDelete(t *testing.T, s storage.Store) {
	put(t, s, "d/one", []byte("1"))
	put(t, s, "d/two", []byte("2"))
	for range 2 {
		if err := s.Delete(t.Context(), "d/one"); err != nil {
			t.Fatal(err)
		}
		wantKeys(t, s, "", "d/two")
	}
	for _, key := range []string{"d", "d/two/below", "e/f"} { // these hold nothing: no error, and nothing else is lost
		if err := s.Delete(t.Context(), key); err != nil {
			t.Error(err)
		}
	}
	wantKeys(t, s, "", "d/two")
	put(t, s, "d/one", []byte("again"))
	wantObject(t, s, "d/one", []byte("again"))
}

func testList(t *testing.T, s storage.Store) {
	keys := []string{"B", "a-b/x", "a.b", "a/0", "a/b/c", "a/b0", "a0/x", "b/..x", "b/.x", "c"}
	for _, i := range rand.New(rand.NewPCG(1, 2)).Perm(len(keys)) {
		put(t, s, keys[i], []byte(keys[i]))
	}
	for _, prefix := range []string{
		"", "a", "a/", "a/b", "a/b/", "a/b/c", "a/b/c/", "a-", "b/.", "b/..", "c", "cc", "x/y", "B",
	} {
		var want []string
		for _, k := range keys {
			if strings.HasPrefix(k, prefix) {
				want = append(want, k)
			}
		}
		wantKeys(t, s, prefix, want...)
	}
	for _, o := range list(t, s, "") {
		if o.Size != int64(len(o.Key)) || o.Modified.IsZero() {
			t.Errorf("listed as %+v", o)
		}
	}
}

// testListMany needs more than one page of S3's listing, which has 1,000.
func testListMany(t *testing.T, s storage.Store) {
	var want []string
	for i := range 1_100 {
		want = append(want, fmt.Sprintf("many/%05d.json", i))
	}
	Parallel(t, 16, len(want), func(i int) error {
		return storage.PutBytes(t.Context(), s, want[i], []byte("{}"))
	})
	wantKeys(t, s, "many/", want...)
}

func testKeys(t *testing.T, s storage.Store) {
	bad := []string{"", "/", "/a", "a/", "a//b", ".", "..", "a/../b", "a/./b", "../a", "a b", "a\\b", "a\x00b",
		"+tmp/x", "ä", "a:b", "a%2fb", "a?b", "a#b", "a*", "a\nb",
		strings.Repeat("a", 201), strings.Repeat("ab/", 300) + "c"}
	for _, key := range bad {
		_, err := s.Get(t.Context(), key)
		for op, err := range map[string]error{
			"put":    storage.PutBytes(t.Context(), s, key, []byte("x")),
			"putnew": storage.PutNew(t.Context(), s, key, []byte("x")),
			"get":    err,
			"delete": s.Delete(t.Context(), key),
		} {
			if !errors.Is(err, storage.ErrBadKey) {
				t.Errorf("%s %q: %v, want ErrBadKey", op, key, err)
			}
		}
	}
	for _, prefix := range []string{"/", "a//", "../", "a/../", "+", "a b"} {
		if _, err := s.List(t.Context(), prefix); !errors.Is(err, storage.ErrBadKey) {
			t.Errorf("list %q: %v, want ErrBadKey", prefix, err)
		}
	}
	wantKeys(t, s, "")
	long := strings.Repeat("a", 200)
	for _, key := range []string{"...", ".a", "-", "_", "a..b", "A/a/A", "stages/x.y-z_0/data/1", long} {
		put(t, s, key, []byte(key))
		wantObject(t, s, key, []byte(key))
	}
}

func testReplacedWhileRead(t *testing.T, s storage.Store) {
	old, new := noise(1, 3_000_000), noise(2, 2_000_000)
	put(t, s, "replaced", old)
	r, err := s.Get(t.Context(), "replaced")
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	head := make([]byte, 10)
	if _, err := io.ReadFull(r, head); err != nil {
		t.Fatal(err)
	}
	put(t, s, "replaced", new)
	rest, err := io.ReadAll(r)
	// A store may return an error here, but must not go on with the other object.
	if err == nil && !bytes.Equal(append(head, rest...), old) {
		t.Error("read a mixture of two objects without an error")
	}
	wantObject(t, s, "replaced", new)
}

func testJSON(t *testing.T, s storage.Store) {
	type result struct {
		Cell string  `json:"cell"`
		Loss float64 `json:"loss"`
	}
	ctx, key := t.Context(), "results/ab12.json"
	var got result
	for _, want := range []result{{"ab12", 0.1}, {"ab12", 0.2}} {
		if err := storage.PutJSON(ctx, s, key, want); err != nil {
			t.Fatal(err)
		}
		if err := storage.GetJSON(ctx, s, key, &got); err != nil || got != want {
			t.Errorf("get: %v, %v, want %v", got, err, want)
		}
	}
	put(t, s, key, []byte(`{"cell": "ab`))
	if err := storage.GetJSON(ctx, s, key, &got); !errors.Is(err, storage.ErrCorrupt) {
		t.Errorf("get of half an object: %v, want ErrCorrupt", err)
	}
	if err := storage.GetJSON(ctx, s, "results/none.json", &got); !errors.Is(err, storage.ErrNotFound) {
		t.Errorf("get of none: %v, want ErrNotFound", err)
	}
}

func testProbe(t *testing.T, s storage.Store) {
	if err := storage.Probe(t.Context(), s); err != nil {
		t.Error(err)
	}
	wantKeys(t, s, "")
}

// testClaims looks at what one attempt writes of itself, as another process does.
func testClaims(t *testing.T, s storage.Store) {
	ctx := t.Context()
	open := func() *storage.Checkpoints {
		c, err := storage.NewCheckpoints(s, "claims", nil)
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	h := storage.Holder{By: "4711@gpu-7 (cuda, 8 slots)", Activity: "sweep/run/stage", Alone: true}
	l, err := open().ClaimAfter(ctx, 0, h)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := open().ClaimAfter(ctx, 0, storage.Holder{By: "another"}); !errors.Is(err, storage.ErrExists) {
		t.Errorf("a second claim after none: %v, want ErrExists", err)
	}
	for i := range int64(3) {
		a, err := open().NewestClaim(ctx)
		if err != nil || a == nil || a.Number != 1 || a.Holder != h || a.Renewals != i {
			t.Errorf("after %d renewals: %+v, %v", i, a, err)
		}
		if err := l.Renew(ctx); err != nil {
			t.Fatal(err)
		}
	}
	if err := l.End(ctx, storage.End{Fault: "unknown", Why: "why"}); err != nil {
		t.Fatal(err)
	}
	all, err := open().Attempts(ctx)
	if err != nil || len(all) != 1 || all[0].Ended == nil || *all[0].Ended != (storage.End{Fault: "unknown", Why: "why"}) {
		t.Errorf("attempts %+v, %v", all, err)
	}
	wantKeys(t, s, "stages/claims/", "stages/claims/claims/000001.json", "stages/claims/renewals/000001.json")
}

// testMemory stores more bytes than the store may allocate.
func testMemory(t *testing.T, s storage.Store) {
	if _, ok := s.(*Memory); ok {
		t.Skip("keeps all in memory")
	}
	const size = 96 << 20
	c, err := storage.NewCheckpoints(s, "memory", nil)
	if err != nil {
		t.Fatal(err)
	}
	claim, err := c.Claim(t.Context(), storage.Holder{})
	if err != nil {
		t.Fatal(err)
	}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	cp := storage.Checkpoint{Step: 1, Format: "test/1", Body: counting{}, Size: size}
	if _, err := claim.Save(t.Context(), cp); err != nil {
		t.Fatal(err)
	}
	if _, err := c.RestoreAtMost(t.Context(), math.MaxInt64, ignore); err != nil {
		t.Fatal(err)
	}
	runtime.ReadMemStats(&after)
	if n := after.TotalAlloc - before.TotalAlloc; n > size/3 {
		t.Errorf("saving and restoring %d MiB allocated %d MiB", size>>20, n>>20)
	}
}

// counting is a body without end.
type counting struct{}

func (counting) ReadAt(p []byte, off int64) (int, error) {
	for i := range p {
		p[i] = byte((off + int64(i)) >> 10)
	}
	return len(p), nil
}

func put(t *testing.T, s storage.Store, key string, body []byte) {
	t.Helper()
	if err := storage.PutBytes(t.Context(), s, key, body); err != nil {
		t.Fatal(err)
	}
}

func get(ctx context.Context, s storage.Store, key string) ([]byte, error) {
	return storage.ReadAll(ctx, s, key, 1<<30)
}

func list(t *testing.T, s storage.Store, prefix string) []storage.Object {
	t.Helper()
	objects, err := s.List(t.Context(), prefix)
	if err != nil {
		t.Fatal(err)
	}
	return objects
}

func wantObject(t *testing.T, s storage.Store, key string, want []byte) {
	t.Helper()
	got, err := get(t.Context(), s, key)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Fatalf("get %s: %d bytes, not the %d that were put", key, len(got), len(want))
	}
}

func wantKeys(t *testing.T, s storage.Store, prefix string, want ...string) {
	t.Helper()
	var got []string
	for _, o := range list(t, s, prefix) {
		got = append(got, o.Key)
	}
	if !slices.Equal(got, want) {
		t.Errorf("list %q: %q, want %q", prefix, got, want)
	}
}

// noise returns n random bytes, others for each seed.
func noise(seed uint64, n int) []byte {
	b := make([]byte, n+8)
	r := rand.NewPCG(seed, 1)
	for i := 0; i < n; i += 8 {
		v := r.Uint64()
		for j := range 8 {
			b[i+j] = byte(v >> (8 * j))
		}
	}
	return b[:n]
}
