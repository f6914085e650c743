//go:build unix

package stack_test

import (
	"bytes"
	"encoding/json"
	"io"
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/topksweep/sweep/storage"
	"github.com/topksweep/sweep/storage/dir"
	"github.com/topksweep/sweep/sweep/ledger"
)

// sameOutcome compares the store of a sweep with the folder of an undisturbed one. The
// results must be the same but for the time they took, and the models, and those that
// cells begin from, the same byte for byte. After a garbage collection no checkpoint may be left.
func sameOutcome(t *testing.T, got storage.Store, undisturbed string) {
	t.Helper()
	want, err := dir.Open(undisturbed)
	if err != nil {
		t.Fatal(err)
	}
	for _, prefix := range []string{"results/", "models/", "inits/"} {
		g, w := contents(t, got, prefix), contents(t, want, prefix)
		if !slices.Equal(slices.Sorted(maps.Keys(g)), slices.Sorted(maps.Keys(w))) {
			t.Errorf("%s holds %v, want %v", prefix, slices.Sorted(maps.Keys(g)), slices.Sorted(maps.Keys(w)))
			continue
		}
		for key := range w {
			if !bytes.Equal(withoutTime(t, key, g[key]), withoutTime(t, key, w[key])) {
				t.Errorf("%s differs from the undisturbed sweep's", key)
			}
		}
	}
	// Only forks stay until a garbage collection removes them.
	if _, err := ledger.New(got).CollectGarbage(t.Context(), time.Now(), false); err != nil {
		t.Error(err)
	}
	if left := contents(t, got, "stages/"); len(left) > 0 {
		t.Errorf("left over: %v", slices.Sorted(maps.Keys(left)))
	}
}

// sweepRow matches the row of a model's README that names the sweep.
var sweepRow = regexp.MustCompile(`(?m)^\| sweep \| .*\n`)

// withoutTime returns the stored object b, with the time that the run and its spans took
// set to 0 if it is a result. A model's README names the sweep: one that was extended has another ID than one that was
// submitted whole.
func withoutTime(t *testing.T, key string, b []byte) []byte {
	t.Helper()
	if strings.HasSuffix(key, "/README.md") {
		return sweepRow.ReplaceAll(b, nil)
	}
	if !strings.HasPrefix(key, "results/") && !strings.HasSuffix(key, "/result.json") {
		return b
	}
	var r ledger.Result
	if err := json.Unmarshal(b, &r); err != nil {
		t.Fatalf("%s: %v", key, err)
	}
	r.WallSeconds = 0
	for i := range r.Spans {
		r.Spans[i].Seconds = 0
	}
	b, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// contents returns the objects of a store by key.
func contents(t *testing.T, s storage.Store, prefix string) map[string][]byte {
	t.Helper()
	objects, err := s.List(t.Context(), prefix)
	if err != nil {
		t.Fatal(err)
	}
	all := map[string][]byte{}
	for _, o := range objects {
		r, err := s.Get(t.Context(), o.Key)
		if err != nil {
			t.Fatal(err)
		}
		b, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		r.Close()
		all[o.Key] = b
	}
	return all
}
