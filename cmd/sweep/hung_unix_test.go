//go:build unix && !noserver

package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"

	"github.com/topksweep/sweep/sweep/webhook"
)

// A read of the store hangs for ever: a pipe without a writer lies where a run's result would. The run is taken from
// its slot, which is set aside, and ends in the other one. Then the process ends, beside what hangs.
func TestHungReadOfTheStore(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	grid := filepath.Join(dir, "grid.yaml")
	if err := os.WriteFile(grid, []byte(`
name: hung
data: {synthetic: {activation_dim: 32, directions: 64, tokens: 100000, active: 4}}
parameters: {k: [2, 3, 4]}
train: {steps: 3000, batch_size: 256, lr: 0.003, dict_size: 256}
run: {share_prefixes: false}
`), 0o600); err != nil {
		t.Fatal(err)
	}
	state := filepath.Join(dir, "state")
	told := startHook(t)
	p := startProgram(t, state, "run", grid, "--no-ui", "--slots", "2", "--stuck-after", "2s", "--webhook", told.URL)
	begun := regexp.MustCompile(`msg=training .*folder=(\S+)`)
	var run string
	waitFor(t, "a run in training", func() bool {
		b, _ := os.ReadFile(filepath.Join(state, "worker.log"))
		found := begun.FindSubmatch(b)
		if found != nil {
			run = string(found[1])
		}
		return found != nil
	})
	results := filepath.Join(state, "store", "results")
	if err := os.MkdirAll(results, 0o700); err != nil {
		t.Fatal(err)
	}
	pipe := filepath.Join(results, run+".json")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	waitFor(t, "a slot that is set aside", func() bool {
		return strings.Contains(p.err.String(), "a slot is set aside, 1 left: no progress for ")
	})
	if err := os.Remove(pipe); err != nil {
		t.Fatal(err)
	}
	if status := p.exitStatus(t); status != exitOK {
		t.Errorf("exit status %d\n%s", status, p.err.String())
	}
	if m := told.wants(t, webhook.RunHangs, webhook.SweepEnded)[0]; !strings.Contains(m.Reason, "no progress for ") ||
		!strings.Contains(m.Worker, "(cpu, 2 slots)") {
		t.Errorf("told %+v", m)
	}
	if all, err := filepath.Glob(filepath.Join(results, "*.json")); err != nil || len(all) != 3 {
		t.Errorf("%d results of 3, %v", len(all), err)
	}
}
