package main

import (
	"bytes"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/topksweep/sweep/sweep/ledger"
)

// forkedGrid leaves forks: its cells share the steps before decay_start.
const forkedGrid = `
name: forked
data: {synthetic: {activation_dim: 8, directions: 16, tokens: 2000, active: 2}}
parameters: {decay_start: [0.5, 0.8]}
train: {k: 2, dict_size: 16, steps: 20, batch_size: 8}
`

// folders counts the checkpoint folders with checkpoints in the store under dir.
func folders(t *testing.T, dir string) int {
	t.Helper()
	found, err := filepath.Glob(filepath.Join(dir, "store", "stages", "*", "manifests", "*"))
	if err != nil {
		t.Fatal(err)
	}
	return len(found)
}

// age makes all checkpoints under dir look as old as d.
func age(t *testing.T, dir string, d time.Duration) {
	t.Helper()
	at := time.Now().Add(-d)
	files, err := filepath.Glob(filepath.Join(dir, "store", "stages", "*", "*", "*"))
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	for _, f := range files {
		if err := os.Chtimes(f, at, at); err != nil {
			t.Fatal(err)
		}
	}
}

// The forks of a finished sweep stay for a week, and then the next program removes them by itself.
func TestKeepCheckpoints(t *testing.T) {
	t.Parallel()
	dir, grid := t.TempDir(), writeGrid(t, forkedGrid)
	mustRun(t, dir, "run", "--no-ui", grid)
	forks := folders(t, dir)
	if forks == 0 {
		t.Fatal("the sweep has left no fork")
	}
	age(t, dir, 6*24*time.Hour)
	mustRun(t, dir, "run", "--no-ui", grid)
	age(t, dir, 8*24*time.Hour)
	mustRun(t, dir, "run", "--no-ui", "--keep-checkpoints", neverRemoved, grid)
	if got := folders(t, dir); got != forks {
		t.Errorf("%d forks are left of %d that are to stay", got, forks)
	}
	up, _ := startServer(t, dir)
	waitFor(t, "the removal", func() bool { return folders(t, dir) == 0 })
	up.terminate(t)
	log, err := os.ReadFile(filepath.Join(dir, workerLog))
	if err != nil || !strings.Contains(string(log), `msg="removed the checkpoints of finished runs" folder=`) {
		t.Errorf("the log, %v:\n%s", err, log)
	}
	for _, bad := range []string{"-1s", "never", "7", ""} {
		if p := startProgram(t, dir, "up", "--keep-checkpoints="+bad); p.exitStatus(t) != exitBadInput {
			t.Errorf("--keep-checkpoints=%s: %s", bad, p.err.String())
		}
	}
}

// A keeper looks once a day, and for room while the disk of the store is nearly full.
func TestKeeperLooks(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	mustRun(t, dir, "run", "--no-ui", writeGrid(t, forkedGrid))
	store, err := openStore(t.Context(), filepath.Join(dir, "store"))
	if err != nil {
		t.Fatal(err)
	}
	low, log := false, &bytes.Buffer{}
	k := &keeper{
		ledger: ledger.New(store), keep: keepFlag{time: 7 * 24 * time.Hour},
		low: func() bool { return low && folders(t, dir) > 0 }, log: slog.New(slog.NewTextHandler(log, nil)),
	}
	forks, now := folders(t, dir), time.Now()
	tick := func(after time.Duration, want int) {
		t.Helper()
		now = now.Add(after)
		k.tick(t.Context(), now)
		if got := folders(t, dir); got != want {
			t.Errorf("after %v: %d forks, want %d\n%s", after, got, want, log)
		}
	}
	tick(0, forks)
	age(t, dir, 8*24*time.Hour)
	tick(23*time.Hour, forks) // looked at today
	tick(time.Hour, 0)

	other := strings.NewReplacer("forked", "other", "steps: 20", "steps: 30").Replace(forkedGrid)
	mustRun(t, dir, "run", "--no-ui", writeGrid(t, other))
	forks = folders(t, dir)
	tick(time.Minute, forks) // they are young, and there is room
	low = true
	tick(time.Minute, 0)
	if forks == 0 || strings.Count(log.String(), "nearly full") != 1 {
		t.Errorf("of %d forks:\n%s", forks, log)
	}
}
