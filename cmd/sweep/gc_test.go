package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/topksweep/sweep/storage"
	"github.com/topksweep/sweep/sweep/ledger"
)

func TestGC(t *testing.T) {
	dir := t.TempDir()
	store, err := openStore(t.Context(), filepath.Join(dir, "store"))
	if err != nil {
		t.Fatal(err)
	}
	for _, stage := range []string{"one", "two"} {
		c, err := storage.NewCheckpoints(store, stage, nil)
		if err != nil {
			t.Fatal(err)
		}
		l, err := c.Claim(t.Context())
		if err == nil {
			_, err = l.Save(t.Context(), storage.Checkpoint{Step: 1, Format: "test/1", Body: strings.NewReader(strings.Repeat("x", 3<<10)), Size: 3 << 10})
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	count := func() int {
		t.Helper()
		objects, err := store.List(t.Context(), "")
		if err != nil {
			t.Fatal(err)
		}
		return len(objects)
	}
	if out := ok(t, dir, "gc"); count() != 6 || !strings.Contains(out, "kept: 2 stages of no plan") {
		t.Errorf("%d objects are left of young stages:\n%s", count(), out)
	}
	out := ok(t, dir, "gc", "--grace", "0s", "--dry-run")
	if count() != 6 || !strings.Contains(out, "would be freed") || !strings.Contains(out, "KiB") || strings.Contains(out, "kept") {
		t.Errorf("dry: %d objects are left:\n%s", count(), out)
	}
	header := filepath.Join(dir, "store", "sweeps", "x-1", "plan.json")
	if err := os.MkdirAll(filepath.Dir(header), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(header, []byte(`{"version": 99, "id": "x-1"}`), 0o600); err != nil {
		t.Fatal(err)
	}
	p := begin(t, dir, "gc", "--grace", "0s")
	if status := p.end(t); status != exitError || count() != 7 || !strings.Contains(p.err.String(), "sweeps/x-1/plan.json") || p.out.Len() > 0 {
		t.Errorf("with a newer plan: status %d, %d objects\n%s%s", status, count(), p.err.String(), p.out.String())
	}
	if err := os.Remove(header); err != nil {
		t.Fatal(err)
	}
	var g ledger.Garbage
	if err := json.Unmarshal([]byte(ok(t, dir, "gc", "--grace", "0s", "-o", "json")), &g); err != nil {
		t.Fatal(err)
	}
	if count() != 0 || g.DryRun || len(g.Folders) != 2 || g.Folders[0].Folder != "one" || g.Folders[0].Objects != 3 || g.Folders[0].Bytes < 3<<10 {
		t.Errorf("%d objects are left, after %+v", count(), g)
	}
	ok(t, dir, "gc", "--grace", "0s") // finds the folders that are empty now
	if _, err := os.Stat(filepath.Join(dir, "store", "stages")); !os.IsNotExist(err) {
		t.Errorf("the empty folders are still there: %v", err)
	}
	for _, bad := range []string{"-o=csv", "--grace=-1s", "all"} {
		if p := begin(t, dir, "gc", bad); p.end(t) != exitBadInput {
			t.Errorf("gc %s: %s", bad, p.err.String())
		}
	}
}
