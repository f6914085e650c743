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
	for _, folder := range []string{"one", "two"} {
		c, err := storage.NewCheckpoints(store, folder, nil)
		if err != nil {
			t.Fatal(err)
		}
		l, err := c.Claim(t.Context(), storage.Holder{})
		if err == nil {
			body := strings.NewReader(strings.Repeat("x", 3<<10))
			_, err = l.Save(t.Context(), storage.Checkpoint{Step: 1, Format: "test/1", Body: body, Size: 3 << 10})
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
	if out := mustRun(t, dir, "gc"); count() != 6 || !strings.Contains(out, "kept: 2 folders of no plan") {
		t.Errorf("%d objects are left of young folders:\n%s", count(), out)
	}
	out := mustRun(t, dir, "gc", "--grace", "0s", "--dry-run")
	wouldFree := strings.Contains(out, "would be freed") && strings.Contains(out, "KiB") && !strings.Contains(out, "kept")
	if count() != 6 || !wouldFree {
		t.Errorf("dry: %d objects are left:\n%s", count(), out)
	}
	header := filepath.Join(dir, "store", "sweeps", "x-1", "plan.json")
	if err := os.MkdirAll(filepath.Dir(header), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(header, []byte(`{"version": 99, "id": "x-1"}`), 0o600); err != nil {
		t.Fatal(err)
	}
	p := startProgram(t, dir, "gc", "--grace", "0s")
	status, messages := p.exitStatus(t), p.err.String()
	if status != exitError || count() != 7 || !strings.Contains(messages, "sweeps/x-1/plan.json") || p.out.Len() > 0 {
		t.Errorf("with a newer plan: status %d, %d objects\n%s%s", status, count(), messages, p.out.String())
	}
	if err := os.Remove(header); err != nil {
		t.Fatal(err)
	}
	var g ledger.Garbage
	if err := json.Unmarshal([]byte(mustRun(t, dir, "gc", "--grace", "0s", "-o", "json")), &g); err != nil {
		t.Fatal(err)
	}
	if count() != 0 || g.DryRun || len(g.Folders) != 2 {
		t.Fatalf("%d objects are left, after %+v", count(), g)
	}
	if first := g.Folders[0]; first.Folder != "one" || first.Objects != 3 || first.Bytes < 3<<10 {
		t.Errorf("removed %+v", g)
	}
	mustRun(t, dir, "gc", "--grace", "0s") // finds the folders that are empty now
	if _, err := os.Stat(filepath.Join(dir, "store", "stages")); !os.IsNotExist(err) {
		t.Errorf("the empty folders are still there: %v", err)
	}
	for _, bad := range []string{"-o=csv", "--grace=-1s", "all"} {
		if p := startProgram(t, dir, "gc", bad); p.exitStatus(t) != exitBadInput {
			t.Errorf("gc %s: %s", bad, p.err.String())
		}
	}
}

func TestByteSize(t *testing.T) {
	for n, want := range map[int64]string{
		0: "0 B", 1023: "1023 B", 1024: "1.0 KiB", 1<<20 - 1: "1024.0 KiB", 1 << 20: "1.0 MiB", 3 << 29: "1.5 GiB",
		5 << 40: "5.0 TiB", 2 << 50: "2048.0 TiB",
	} {
		if got := byteSize(n); got != want {
			t.Errorf("%d bytes: %q, want %q", n, got, want)
		}
	}
}
