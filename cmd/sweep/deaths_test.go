//go:build !noserver

package main

import (
	"encoding/json"
	"fmt"
	"maps"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/topksweep/sweep/deploy/local"
)

const deathsGrid = `
name: deaths
data: {synthetic: {activation_dim: 32, directions: 64, tokens: 20000, active: 4, noise: 0.05}, normalize: mean_square}
parameters: {k: [2, 3, 4, 5, 6, 7]}
train: {dict_size: 512, steps: 3000, batch_size: 256, lr: 0.002, dead_feature_threshold: 10000}
run: {checkpoint: {every: 1s}}
`

// One cell of six ends each process that trains it, by SIGKILL. It fails with the reason of each death, after three of
// them alone. The others are completed with the bytes of an undisturbed sweep, and retry trains the one when nobody
// kills it any more.
func TestCellThatKillsItsProcess(t *testing.T) {
	t.Parallel()
	grid := writeGrid(t, deathsGrid)
	undisturbed := t.TempDir()
	want := mustRun(t, undisturbed, "run", grid, "--no-ui", "--slots", "2")
	var plan sweepState
	if err := json.Unmarshal([]byte(mustRun(t, undisturbed, "status", "deaths", "-o", "json")), &plan); err != nil {
		t.Fatal(err)
	}
	victim := plan.Runs[2].Cell

	dir := t.TempDir()
	server, err := local.Start(t.Context(), local.Options{
		Dir: dir, GRPCPort: -1, UIPort: -1, SearchAttributes: searchAttributes(),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := server.Stop(); err != nil {
			t.Error(err)
		}
	})
	start := func(args ...string) *program {
		return startProgram(t, dir, append(args, "--address", server.HostPort)...)
	}
	sweep := start("submit", grid, "--wait")
	failures := filepath.Join(dir, "store", "sweeps", "*", "failures", "*.json")
	trains := regexp.MustCompile(`msg=training .*cell=` + victim)
	var killed []string
	var worker *program
	for {
		worker = start("worker", "--slots", "3")
		failed := false
		waitFor(t, "the training of the cell, or its failure", func() bool {
			notes, _ := filepath.Glob(failures)
			failed = len(notes) > 0
			return failed || trains.Match(worker.err.Bytes())
		})
		if failed {
			break
		}
		killed = append(killed, fmt.Sprintf(" %d@", worker.Process.Pid))
		worker.Process.Kill()
		worker.exitStatus(t)
	}
	if status := sweep.exitStatus(t); status != exitError ||
		!strings.Contains(sweep.err.String(), "1 of 6 runs failed") {
		t.Errorf("status %d\n%s", status, sweep.err.String())
	}
	worker.terminate(t)
	var state sweepState
	text := mustRun(t, dir, "status", "deaths", "-o", "json", "--address", server.HostPort)
	if err := json.Unmarshal([]byte(text), &state); err != nil {
		t.Fatal(err)
	}
	if len(killed) != 1+3 || state.Completed != 5 || state.Failed != 1 {
		t.Errorf("%d processes were killed, and then %d runs are completed and %d failed",
			len(killed), state.Completed, state.Failed)
	}
	reason := state.Runs[2].Error
	for _, by := range killed {
		if strings.Count(reason, by) != 1 {
			t.Errorf("the reason does not name the attempt by%s", by)
		}
	}
	if !strings.HasPrefix(reason, "died: ") || strings.Count(reason, "alone: its process was gone") != 3 {
		t.Error("the reason does not say how the attempts ended")
	}
	t.Log(reason)

	worker = start("worker", "--slots", "3")
	retried := start("retry", "deaths", "--wait")
	if status := retried.exitStatus(t); status != exitOK || retried.out.String() != want {
		t.Errorf("retry: status %d\n%s\nundisturbed:\n%s", status, retried.out.String(), want)
	}
	worker.terminate(t)
	if !maps.Equal(readModels(t, dir), readModels(t, undisturbed)) {
		t.Error("the weights differ from those of the undisturbed sweep")
	}
}
