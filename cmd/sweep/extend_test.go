package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/client"

	"github.com/topksweep/sweep/deploy/local"
)

// tree is a grid whose cells share prefixes.
const tree = `
name: tree
data: {synthetic: {activation_dim: 16, directions: 32, tokens: 20000, active: 4, noise: 0.05}}
parameters: {auxk_alpha: [0, 0.03125], decay_start: [0.5]}
train: {dict_size: 128, k: 4, steps: 300, batch_size: 64, lr: 0.002, dead_feature_threshold: 6000}
`

// A sweep that is extended, when it is done and while it runs, comes to what the
// whole grid comes to cell by cell.
func TestExtend(t *testing.T) {
	whole := t.TempDir()
	union := strings.NewReplacer("decay_start: [0.5]", "decay_start: [0.5, 0.6, 0.7], steps: [300, 400]", "steps: 300, ", "").Replace(tree)
	if got := ok(t, whole, "run", write(t, union+"run: {share_prefixes: false}\n")); strings.Count(got, "completed") != 12 {
		t.Fatalf("the whole grid:\n%s", got)
	}

	dir := t.TempDir()
	up := begin(t, dir, "up", "--no-ui", "--slots", "1")
	until(t, "the server", func() bool {
		info, ok, err := local.Running(dir)
		return err == nil && ok && info.HostPort != ""
	})
	first := ok(t, dir, "submit", write(t, tree), "--wait")
	later := strings.Replace(tree, "[0.5]", "[0.6, 0.7]", 1)
	if got := ok(t, dir, "extend", "tree", write(t, later), "--wait"); strings.Count(got, "completed") != 6 {
		t.Errorf("extended when it was done:\n%s", got)
	}
	longer := write(t, union)
	id := strings.TrimSpace(ok(t, dir, "extend", "tree", longer))
	if again := strings.TrimSpace(ok(t, dir, "extend", "tree", longer)); again != id {
		t.Errorf("extended again: %s, was %s", again, id)
	}
	watch := begin(t, dir, "watch", "tree")
	if status := watch.end(t); status != 0 {
		t.Errorf("watch: status %d\n%s", status, watch.err.String())
	}
	got := ok(t, dir, "results", "tree")
	if strings.Count(got, "completed") != 12 {
		t.Errorf("extended while it ran:\n%s", got)
	}
	for _, line := range strings.Split(first, "\n") { // what was there has not moved
		if f := strings.Fields(line); len(f) > 3 && f[len(f)-1] == "completed" && !strings.Contains(got, f[0]) {
			t.Errorf("%s is gone from:\n%s", f[0], got)
		}
	}
	want := models(t, whole)
	for run, weights := range models(t, dir) {
		if weights != want[run] {
			t.Errorf("the weights of %s differ from those of the run alone", run)
		}
		delete(want, run)
	}
	if len(want) > 0 {
		t.Errorf("%d runs have no weights", len(want))
	}
	// The grid that it began with attaches to the extended sweep.
	if got := ok(t, dir, "submit", write(t, tree), "--wait"); strings.Count(got, "completed") != 12 {
		t.Errorf("submitted again:\n%s", got)
	}
	// Of several at once all count, or say that they do not.
	var several []*process
	for _, seed := range []string{"1", "2", "3"} {
		several = append(several, begin(t, dir, "extend", "tree", write(t, strings.Replace(tree, "steps: 300", "steps: 20, seed: "+seed, 1))))
	}
	added := 0
	for _, p := range several {
		switch status := p.end(t); {
		case status == 0:
			added += 2
		case status != exitError || !strings.Contains(p.err.String(), "another grid"):
			t.Errorf("one of several: status %d\n%s", status, p.err.String())
		}
	}
	if got := ok(t, dir, "extend", "tree", longer, "--wait"); added == 0 || strings.Count(got, "completed") != 12+added {
		t.Errorf("%d cells added at once:\n%s", added, got)
	}
	if p := begin(t, dir, "cancel", "tree"); p.end(t) != exitError || !strings.Contains(p.err.String(), "is not running") {
		t.Errorf("cancel of what is done: %s", p.err.String())
	}
	other := begin(t, dir, "extend", "tree", write(t, strings.Replace(tree, "directions: 32", "directions: 33", 1)))
	if status := other.end(t); status != exitBadInput || !strings.Contains(other.err.String(), "fingerprint") {
		t.Errorf("other data: status %d\n%s", status, other.err.String())
	}
	up.Process.Signal(syscall.SIGTERM)
	if status := up.end(t); status != 0 {
		t.Errorf("up: status %d\n%s", status, up.err.String())
	}
}

// Runs that failed because their data was away are trained when it is back.
func TestRetry(t *testing.T) {
	dir := t.TempDir()
	up := begin(t, dir, "up", "--no-ui", "--slots", "1")
	until(t, "the server", func() bool {
		info, ok, err := local.Running(dir)
		return err == nil && ok && info.HostPort != ""
	})
	state := func(name string) (s sweepState) {
		if err := json.Unmarshal([]byte(ok(t, dir, "status", name, "-o", "json")), &s); err != nil {
			t.Fatal(err)
		}
		return s
	}
	// One slot is taken while the data goes away.
	ok(t, dir, "submit", write(t, strings.NewReplacer("name: tree", "name: long", "steps: 300", "steps: 1000000").Replace(tree)))
	until(t, "the long sweep in training", func() bool {
		for _, r := range state("long").Runs {
			if r.Beat != nil && r.Beat.Step > 0 {
				return true
			}
		}
		return false
	})
	shards, err := os.ReadFile(filepath.Join("..", "..", "trainer", "data", "testdata", "minilm-l3", "activations-00000.safetensors"))
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
	ok(t, dir, "submit", write(t, "name: quick\ndata: {source: "+acts+"}\nparameters: {k: [2, 4]}\ntrain: {dict_size: 64, steps: 20, batch_size: 64}\n"))
	if err := os.Rename(acts, away); err != nil {
		t.Fatal(err)
	}
	ok(t, dir, "cancel", "long")
	until(t, "the failure", func() bool { return state("quick").State == "failed" })
	for _, r := range state("quick").Runs {
		if r.Status != "failed" || !strings.Contains(r.Error, acts) {
			t.Errorf("%+v", r)
		}
	}
	if err := os.Rename(away, acts); err != nil {
		t.Fatal(err)
	}
	if got := ok(t, dir, "retry", "quick", "--wait"); strings.Count(got, "completed") != 2 {
		t.Errorf("retried:\n%s", got)
	}
	p := begin(t, dir, "retry", "quick")
	if status := p.end(t); status != 0 || !strings.Contains(p.err.String(), "all 2 runs have results") {
		t.Errorf("again: status %d\n%s", status, p.err.String())
	}
	up.Process.Signal(syscall.SIGTERM)
	up.end(t)
}

// What is asked of a sweep while it is being canceled is done when it has ended.
func TestAfterCancel(t *testing.T) {
	dir := t.TempDir()
	up := begin(t, dir, "up", "--no-ui", "--slots", "2")
	var address string
	until(t, "the server", func() bool {
		info, ok, err := local.Running(dir)
		address = info.HostPort
		return err == nil && ok && address != ""
	})
	server, err := client.Dial(client.Options{HostPort: address})
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	g := strings.NewReplacer("name: tree", "name: again", "steps: 300", "steps: 1000000").Replace(tree)
	file, wider := write(t, g), write(t, strings.Replace(g, "steps: 1000000", "steps: 1000000, seed: 1", 1))
	id := strings.TrimSpace(ok(t, dir, "submit", file))
	cells := 2
	for _, args := range [][]string{{"submit", file}, {"retry", "again"}, {"extend", "again", wider}} {
		ok(t, dir, "cancel", "again")
		ok(t, dir, args...)
		if args[0] == "extend" {
			cells = 4
		}
		d, err := server.DescribeWorkflowExecution(t.Context(), id, "")
		if err != nil {
			t.Fatal(err)
		}
		if d.WorkflowExecutionInfo.Status != enums.WORKFLOW_EXECUTION_STATUS_RUNNING || d.GetWorkflowExtendedInfo().GetCancelRequested() {
			t.Errorf("after cancel and %s it is not going on: %v", args[0], d)
		}
		if list := ok(t, dir, "list"); !strings.Contains(list, fmt.Sprintf("0/%d ", cells)) {
			t.Errorf("after cancel and %s, not %d cells:\n%s", args[0], cells, list)
		}
	}
	up.Process.Signal(syscall.SIGTERM)
	if status := up.end(t); status != 0 {
		t.Errorf("up: status %d\n%s", status, up.err.String())
	}
}
