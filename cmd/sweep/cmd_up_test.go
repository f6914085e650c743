package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	metadata "go.temporal.io/api/sdk/v1"

	"github.com/topksweep/sweep/deploy/local"
	"github.com/topksweep/sweep/sweep/plan"
)

// One server for several grids, from other processes: submit, watch, status,
// cancel, results, a further worker, and a stop that saves.
func TestUpAndSubmit(t *testing.T) {
	dir := t.TempDir()
	up, info := startServer(t, dir, "--slots", "1")
	quick := writeGrid(t, changed(t, smallGrid, "steps: 1500", "steps: 50", "name: small", "name: quick"))
	table := mustRun(t, dir, "submit", quick, "--wait")
	if strings.Count(table, "completed") != 4 {
		t.Errorf("submit --wait:\n%s", table)
	}
	if got := mustRun(t, dir, "results", "quick"); got != table {
		t.Errorf("results:\n%s\nsubmit --wait:\n%s", got, table)
	}
	// A second process joins the server: two cannot use one database.
	if got := mustRun(t, dir, "run", quick); got != table {
		t.Errorf("run beside up:\n%s", got)
	}
	worker := startProgram(t, dir, "worker", "--address", info.HostPort, "--slots", "1")

	long := writeGrid(t, changed(t, smallGrid, "steps: 1500", "steps: 1000000", "name: small", "name: long"))
	id := strings.TrimSpace(mustRun(t, dir, "submit", long))
	if second := strings.TrimSpace(mustRun(t, dir, "submit", long)); second != id {
		t.Errorf("submitted twice: %s and %s", id, second)
	}
	waitFor(t, "both workers in training", func() bool { return training(statusOfSweep(t, dir, "long")) == 2 })
	checkWebUI(t, info, id)
	left := startProgram(t, dir, "watch", "long")
	waitFor(t, "progress", func() bool { return left.err.Len() > 0 })
	left.Process.Signal(os.Interrupt)
	again := "is not stopped: this follows it again: sweep watch " + id + "\n"
	if status := left.exitStatus(t); status != exitInterrupted || !strings.HasSuffix(left.err.String(), again) {
		t.Errorf("watch that is interrupted: status %d\n%s", status, left.err.String())
	}
	watch := startProgram(t, dir, "watch", "long")
	mustRun(t, dir, "cancel", id)
	if status := watch.exitStatus(t); status != exitError || !strings.Contains(watch.err.String(), "canceled") {
		t.Errorf("watch: status %d\n%s", status, watch.err.String())
	}
	if s := statusOfSweep(t, dir, "long"); s.State != plan.Canceled || s.Completed != 0 {
		t.Errorf("canceled: %+v", s)
	}
	if list := mustRun(t, dir, "list"); !strings.Contains(list, "canceled") || !strings.Contains(list, "completed") {
		t.Errorf("list:\n%s", list)
	}

	worker.terminate(t)
	up.terminate(t)
	p := startProgram(t, dir, "submit", quick)
	if status := p.exitStatus(t); status != exitError || !strings.Contains(p.err.String(), "sweep up") {
		t.Errorf("submit without a server: status %d\n%s", status, p.err.String())
	}
	if got := mustRun(t, dir, "watch", "quick"); got != table {
		t.Errorf("watch without a server:\n%s", got)
	}
	p = startProgram(t, dir, "watch", id)
	if status := p.exitStatus(t); status != exitError || !strings.Contains(p.err.String(), "sweep retry "+id+" --wait") {
		t.Errorf("watch of an unfinished sweep without a server: status %d\n%s", status, p.err.String())
	}
}

// checkWebUI checks what a person reads in the Web UI of a sweep over k in training.
func checkWebUI(t *testing.T, info local.Info, id string) {
	t.Helper()
	c := dialServer(t, info)
	d, err := c.DescribeWorkflow(t.Context(), id, "")
	if err != nil {
		t.Fatal(err)
	}
	if s, err := d.GetStaticSummary(); err != nil || s != "long: 4 cells" {
		t.Errorf("summary %q, %v", s, err)
	}
	if s, err := d.GetStaticDetails(); err != nil || !strings.Contains(s, "steps: 1000000") {
		t.Errorf("details %q, %v", s, err)
	}
	q, err := c.QueryWorkflow(t.Context(), id, "", "__temporal_workflow_metadata")
	if err != nil {
		t.Fatal(err)
	}
	var now metadata.WorkflowMetadata
	if err := q.Get(&now); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"**0 of 4 cells done**", "- `k="} {
		if !strings.Contains(now.CurrentDetails, want) {
			t.Errorf("no %q in the current details:\n%s", want, now.CurrentDetails)
		}
	}
}

// The Web UI shows a grid, unless that is longer than the server allows.
func TestLongDetails(t *testing.T) {
	for _, n := range []int{10, 4_000, 1 << 20} {
		details := gridDetails("x-1", []byte(strings.Repeat("\"<&>\n", n/5)))
		encoded, err := json.Marshal(details)
		if err != nil || len(encoded) > 20_000 {
			t.Errorf("%d bytes of grid: %d bytes of details, %v", n, len(encoded), err)
		}
		if whole := strings.Contains(details, "yaml\n\"<&>"); whole != (n < 1<<20) {
			t.Errorf("%d bytes of grid: shown is %t", n, whole)
		}
	}
}

// A run that begins while another process starts its server waits until that says
// its address, and joins it.
func TestJoinsWhatStarts(t *testing.T) {
	dir := t.TempDir()
	up := startProgram(t, dir, "up", "--no-ui", "--slots", "1")
	waitForFile(t, filepath.Join(dir, "server.json"))
	p := startProgram(t, dir, "run", writeGrid(t, gridWith()))
	if status := p.exitStatus(t); status != exitOK {
		t.Errorf("status %d\n%s", status, p.err.String())
	}
	joined := fmt.Sprintf("joining the server of process %d", up.Process.Pid)
	if !strings.Contains(p.err.String(), joined) {
		t.Errorf("no %q in:\n%s", joined, p.err.String())
	}
	up.terminate(t)
}

// A run that joined the server of another process goes on when that process ends.
func TestServerOfAnotherEnds(t *testing.T) {
	dir := t.TempDir()
	up, _ := startServer(t, dir, "--slots", "1")
	p := startProgram(t, dir, "run", writeGrid(t, smallGrid), "--no-ui")
	waitFor(t, "a checkpoint", func() bool { return countManifests(t, dir) > 0 })
	up.terminate(t)
	status, out, messages := p.exitStatus(t), p.out.String(), p.err.String()
	if status != exitOK || !strings.Contains(messages, "going on here") || strings.Count(out, "completed") != 4 {
		t.Errorf("status %d\n%s%s", status, out, messages)
	}
}
