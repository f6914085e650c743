package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.temporal.io/api/enums/v1"

	"github.com/topksweep/sweep/sweep/plan"
)

// A sweep that is extended, when it is done and while it runs, comes to what the
// whole grid comes to cell by cell.
func TestExtend(t *testing.T) {
	t.Parallel()
	whole := t.TempDir()
	union := changed(t, treeGrid, "steps: 300, ", "", "[0.5]", "[0.5, 0.6, 0.7], steps: [300, 400]")
	alone := writeGrid(t, union+"run: {share_prefixes: false}\n")
	if got := mustRun(t, whole, "run", alone); strings.Count(got, "completed") != 12 {
		t.Fatalf("the whole grid:\n%s", got)
	}

	dir := t.TempDir()
	up, _ := startServer(t, dir, "--slots", "1")
	first := mustRun(t, dir, "submit", writeGrid(t, treeGrid), "--wait")
	later := writeGrid(t, changed(t, treeGrid, "[0.5]", "[0.6, 0.7]"))
	if got := mustRun(t, dir, "extend", "tree", later, "--wait"); strings.Count(got, "completed") != 6 {
		t.Errorf("extended when it was done:\n%s", got)
	}
	longer := writeGrid(t, union)
	id := strings.TrimSpace(mustRun(t, dir, "extend", "tree", longer))
	if second := strings.TrimSpace(mustRun(t, dir, "extend", "tree", longer)); second != id {
		t.Errorf("extended again: %s, was %s", second, id)
	}
	watch := startProgram(t, dir, "watch", "tree")
	if status := watch.exitStatus(t); status != exitOK {
		t.Errorf("watch: status %d\n%s", status, watch.err.String())
	}
	got := mustRun(t, dir, "results", "tree")
	if strings.Count(got, "completed") != 12 {
		t.Errorf("extended while it ran:\n%s", got)
	}
	for _, line := range strings.Split(first, "\n") { // the IDs of the first cells are the same
		if f := strings.Fields(line); len(f) > 3 && f[len(f)-1] == "completed" && !strings.Contains(got, f[0]) {
			t.Errorf("%s is gone from:\n%s", f[0], got)
		}
	}
	want := readModels(t, whole)
	for run, weights := range readModels(t, dir) {
		if weights != want[run] {
			t.Errorf("the weights of %s differ from those of the run alone", run)
		}
		delete(want, run)
	}
	if len(want) > 0 {
		t.Errorf("%d runs have no weights", len(want))
	}
	// Submitting the first grid attaches to the extended sweep.
	if got := mustRun(t, dir, "submit", writeGrid(t, treeGrid), "--wait"); strings.Count(got, "completed") != 12 {
		t.Errorf("submitted again:\n%s", got)
	}
	// Several extensions at the same time are all done.
	var several []*program
	for _, seed := range []string{"1", "2", "3"} {
		g := writeGrid(t, changed(t, treeGrid, "steps: 300", "steps: 20, seed: "+seed))
		several = append(several, startProgram(t, dir, "extend", "tree", g))
	}
	added := 0
	for _, p := range several {
		if status := p.exitStatus(t); status != exitOK {
			t.Errorf("one of several: status %d\n%s", status, p.err.String())
		}
		added += 2
	}
	got = mustRun(t, dir, "extend", "tree", longer, "--wait")
	if strings.Count(got, "completed") != 12+added {
		t.Errorf("%d cells added at the same time:\n%s", added, got)
	}
	cancel := startProgram(t, dir, "cancel", "tree")
	if status := cancel.exitStatus(t); status != exitError || !strings.Contains(cancel.err.String(), "is not running") {
		t.Errorf("cancel of a sweep that is done: status %d\n%s", status, cancel.err.String())
	}
	otherData := writeGrid(t, changed(t, treeGrid, "directions: 32", "directions: 33"))
	other := startProgram(t, dir, "extend", "tree", otherData)
	if status := other.exitStatus(t); status != exitBadInput || !strings.Contains(other.err.String(), "fingerprint") {
		t.Errorf("other data: status %d\n%s", status, other.err.String())
	}
	up.terminate(t)
}

// Runs whose data is away wait for it, and say so. Those that were given up then are trained when it is back.
func TestRetry(t *testing.T) {
	dir := t.TempDir()
	up, _ := startServer(t, dir, "--slots", "1")
	// A long sweep keeps the one slot busy while the data goes away.
	long := writeGrid(t, changed(t, treeGrid, "name: tree", "name: long", "steps: 300", "steps: 1000000"))
	mustRun(t, dir, "submit", long)
	waitFor(t, "the long sweep in training", func() bool { return training(statusOfSweep(t, dir, "long")) > 0 })
	shards, err := os.ReadFile("../../trainer/data/testdata/minilm-l3/activations-00000.safetensors")
	if err != nil {
		t.Fatal(err)
	}
	acts, away := filepath.Join(t.TempDir(), "acts"), filepath.Join(t.TempDir(), "away")
	if err := os.Mkdir(acts, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(acts, "a.safetensors"), shards, 0o644); err != nil {
		t.Fatal(err)
	}
	quick := gridWith("name: quick", "data: {source: "+acts+"}", "train: {dict_size: 64, steps: 20, batch_size: 64}")
	mustRun(t, dir, "submit", writeGrid(t, quick))
	if err := os.Rename(acts, away); err != nil {
		t.Fatal(err)
	}
	mustRun(t, dir, "cancel", "long")
	waitFor(t, "both runs to be refused", func() bool {
		refused := 0
		for _, r := range statusOfSweep(t, dir, "quick").Runs {
			if strings.Contains(r.Error, "refused by every live worker (1)") && strings.Contains(r.Error, acts) {
				refused++
			}
		}
		return refused == 2
	})
	mustRun(t, dir, "cancel", "quick")
	waitFor(t, "the end", func() bool { return statusOfSweep(t, dir, "quick").State == plan.Canceled })
	if err := os.Rename(away, acts); err != nil {
		t.Fatal(err)
	}
	if got := mustRun(t, dir, "retry", "quick", "--wait"); strings.Count(got, "completed") != 2 {
		t.Errorf("retried:\n%s", got)
	}
	p := startProgram(t, dir, "retry", "quick")
	if status := p.exitStatus(t); status != exitOK || !strings.Contains(p.err.String(), "all 2 runs have results") {
		t.Errorf("again: status %d\n%s", status, p.err.String())
	}
	up.terminate(t)
}

// A request to a sweep that is being canceled is done when the sweep has ended.
func TestAfterCancel(t *testing.T) {
	dir := t.TempDir()
	up, info := startServer(t, dir, "--slots", "2")
	server := dialServer(t, info)
	g := changed(t, treeGrid, "name: tree", "name: again", "steps: 300", "steps: 1000000")
	file, wider := writeGrid(t, g), writeGrid(t, changed(t, g, "steps: 1000000", "steps: 1000000, seed: 1"))
	id := strings.TrimSpace(mustRun(t, dir, "submit", file))
	cells := 2
	for _, args := range [][]string{{"submit", file}, {"retry", "again"}, {"extend", "again", wider}} {
		mustRun(t, dir, "cancel", "again")
		mustRun(t, dir, args...)
		if args[0] == "extend" {
			cells = 4
		}
		d, err := server.DescribeWorkflowExecution(t.Context(), id, "")
		if err != nil {
			t.Fatal(err)
		}
		running := d.WorkflowExecutionInfo.Status == enums.WORKFLOW_EXECUTION_STATUS_RUNNING
		if !running || d.GetWorkflowExtendedInfo().GetCancelRequested() {
			t.Errorf("after cancel and %s it is not going on: %v", args[0], d)
		}
		if list := mustRun(t, dir, "list"); !strings.Contains(list, fmt.Sprintf("0/%d ", cells)) {
			t.Errorf("after cancel and %s, not %d cells:\n%s", args[0], cells, list)
		}
	}
	up.terminate(t)
}
