package main

import (
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A store is restored to an earlier state than the server knows: who follows the sweep learns that results are lost,
// and retry trains them again to the same bytes. Then the store is all that is left, and the grid is submitted again.
func TestStoreRestored(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	grid := filepath.Join(dir, "grid.yaml")
	if err := os.WriteFile(grid, []byte(gridWith("name: restored")), 0o644); err != nil {
		t.Fatal(err)
	}
	up, _ := startServer(t, dir, "--slots", "1")
	want := mustRun(t, dir, "submit", grid, "--wait")
	models := readModels(t, dir)
	lose := func() {
		t.Helper()
		results, err := filepath.Glob(filepath.Join(dir, "store", "results", "*.json"))
		if err != nil || len(results) != 2 {
			t.Fatalf("%v, %v", results, err)
		}
		for _, path := range []string{
			results[1], filepath.Join(dir, "store", "models", strings.TrimSuffix(filepath.Base(results[1]), ".json")),
		} {
			if err := os.RemoveAll(path); err != nil {
				t.Fatal(err)
			}
		}
	}
	same := func(what, table string) {
		t.Helper()
		if table != want {
			t.Errorf("%s:\n%s\nwant\n%s", what, table, want)
		}
		if got := readModels(t, dir); !maps.Equal(got, models) {
			t.Errorf("%s: %d models, and not those of before", what, len(got))
		}
	}

	lose()
	p := startProgram(t, dir, "watch", "restored")
	const lost = "the store does not have the results of 1 of its 2 runs"
	if status := p.exitStatus(t); status != exitError || !strings.Contains(p.err.String(), lost) ||
		!strings.Contains(p.err.String(), "sweep retry restored-") {
		t.Errorf("watch: status %d\n%s", status, p.err.String())
	}
	if list := mustRun(t, dir, "list"); !strings.Contains(list, "1/2") {
		t.Errorf("a sweep that has lost a result:\n%s", list)
	}
	same("retry", mustRun(t, dir, "retry", "restored", "--wait"))
	if got := mustRun(t, dir, "watch", "restored"); got != want {
		t.Errorf("watch:\n%s", got)
	}

	lose()
	up.terminate(t)
	databases, err := filepath.Glob(filepath.Join(dir, "*.db*"))
	if err != nil || len(databases) == 0 {
		t.Fatalf("%v, %v", databases, err)
	}
	for _, name := range databases {
		if err := os.Remove(name); err != nil {
			t.Fatal(err)
		}
	}
	startServer(t, dir, "--slots", "1")
	same("submit without the database of before", mustRun(t, dir, "submit", grid, "--wait"))
}
