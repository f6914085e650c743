package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	metadata "go.temporal.io/api/sdk/v1"
	"go.temporal.io/sdk/client"

	"github.com/topksweep/sweep/deploy/local"
	"github.com/topksweep/sweep/sweep/plan"
)

// One server for several grids, from other processes: submit, watch, status,
// cancel, results, a further worker, and a stop that saves.
func TestUpAndSubmit(t *testing.T) {
	dir := t.TempDir()
	up := begin(t, dir, "up", "--no-ui", "--slots", "1")
	running := func() bool {
		info, ok, err := local.Running(dir)
		return err == nil && ok && info.HostPort != ""
	}
	until(t, "the server", running)
	quick := write(t, strings.Replace(strings.Replace(small, "steps: 1500", "steps: 50", 1), "name: small", "name: quick", 1))
	table := ok(t, dir, "submit", quick, "--wait")
	if strings.Count(table, "completed") != 4 {
		t.Errorf("submit --wait:\n%s", table)
	}
	if got := ok(t, dir, "results", "quick"); got != table {
		t.Errorf("results:\n%s\nsubmit --wait:\n%s", got, table)
	}
	// A second process joins instead of quarreling over the database.
	if got := ok(t, dir, "run", quick); got != table {
		t.Errorf("run beside up:\n%s", got)
	}
	info, _, err := local.Running(dir)
	if err != nil {
		t.Fatal(err)
	}
	worker := begin(t, dir, "worker", "--address", info.HostPort, "--slots", "1")

	long := write(t, strings.Replace(strings.Replace(small, "steps: 1500", "steps: 1000000", 1), "name: small", "name: long", 1))
	id := strings.TrimSpace(ok(t, dir, "submit", long))
	if again := strings.TrimSpace(ok(t, dir, "submit", long)); again != id {
		t.Errorf("submitted twice: %s and %s", id, again)
	}
	state := func() (s sweepState) {
		if err := json.Unmarshal([]byte(ok(t, dir, "status", "long", "-o", "json")), &s); err != nil {
			t.Fatal(err)
		}
		return s
	}
	until(t, "both workers in training", func() bool {
		training := 0
		for _, r := range state().Runs {
			if r.Beat != nil && r.Beat.Step > 0 {
				training++
			}
		}
		return training == 2
	})
	webUI(t, info.HostPort, id)
	watch := begin(t, dir, "watch", "long")
	ok(t, dir, "cancel", id)
	if status := watch.end(t); status != exitError || !strings.Contains(watch.err.String(), "canceled") {
		t.Errorf("watch: status %d\n%s", status, watch.err.String())
	}
	if s := state(); s.State != "canceled" || s.Completed != 0 {
		t.Errorf("canceled: %+v", s)
	}
	if list := ok(t, dir, "list"); !strings.Contains(list, "canceled") || !strings.Contains(list, "completed") {
		t.Errorf("list:\n%s", list)
	}

	for _, p := range []*process{worker, up} {
		p.Process.Signal(syscall.SIGTERM)
		if status := p.end(t); status != 0 {
			t.Errorf("%v told to stop: status %d\n%s", p.Args[1:], status, p.err.String())
		}
	}
	p := begin(t, dir, "submit", quick)
	if status := p.end(t); status != exitError || !strings.Contains(p.err.String(), "sweep up") {
		t.Errorf("submit without a server: status %d\n%s", status, p.err.String())
	}
}

// webUI checks what a person reads in the Web UI of a sweep over k in training.
func webUI(t *testing.T, address, id string) {
	t.Helper()
	c, err := client.Dial(client.Options{HostPort: address})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
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
	if err := q.Get(&now); err != nil || !strings.Contains(now.CurrentDetails, "**0 of 4 runs done**") || !strings.Contains(now.CurrentDetails, "- `k=") {
		t.Errorf("current details %q, %v", now.CurrentDetails, err)
	}
}

// A grid too long for the server is not given to it.
func TestLongDetails(t *testing.T) {
	for _, n := range []int{10, 4_000, 1 << 20} {
		p := &planned{src: []byte(strings.Repeat("\"<&>\n", n/5)), plan: &plan.Plan{Header: plan.Header{ID: "x-1"}}}
		got, err := json.Marshal(gridDetails(p.plan.ID, p.src))
		if err != nil || len(got) > 20_000 {
			t.Errorf("%d bytes of grid: %d bytes of details, %v", n, len(got), err)
		}
		if held := strings.Contains(gridDetails(p.plan.ID, p.src), "yaml\n\"<&>"); held != (n < 1<<20) {
			t.Errorf("%d bytes of grid: held is %t", n, held)
		}
	}
}

// A grid that comes while another process starts its server waits to hear where
// that is, and joins.
func TestJoinsWhatStarts(t *testing.T) {
	dir := t.TempDir()
	up := begin(t, dir, "up", "--no-ui", "--slots", "1")
	until(t, "a server that starts", func() bool { _, err := os.Stat(filepath.Join(dir, "server.json")); return err == nil })
	p := begin(t, dir, "run", write(t, base(nil)))
	if status := p.end(t); status != 0 {
		t.Errorf("status %d\n%s", status, p.err.String())
	}
	if joined := fmt.Sprintf("joining the server of process %d", up.Process.Pid); !strings.Contains(p.err.String(), joined) {
		t.Errorf("no %q in:\n%s", joined, p.err.String())
	}
	up.Process.Signal(syscall.SIGTERM)
	if status := up.end(t); status != 0 {
		t.Errorf("up: status %d\n%s", status, up.err.String())
	}
}

// A sweep that was handed to the server of another process goes on when that ends.
func TestServerOfAnotherEnds(t *testing.T) {
	dir := t.TempDir()
	up := begin(t, dir, "up", "--no-ui", "--slots", "1")
	until(t, "the server", func() bool {
		info, ok, err := local.Running(dir)
		return err == nil && ok && info.HostPort != ""
	})
	p := begin(t, dir, "run", write(t, small), "--no-ui")
	until(t, "a checkpoint", func() bool { return manifests(t, dir) > 0 })
	up.Process.Signal(syscall.SIGTERM)
	if status := up.end(t); status != 0 {
		t.Errorf("up: status %d\n%s", status, up.err.String())
	}
	if status := p.end(t); status != 0 || !strings.Contains(p.err.String(), "going on here") || strings.Count(p.out.String(), "completed") != 4 {
		t.Errorf("status %d\n%s%s", status, p.out.String(), p.err.String())
	}
}
