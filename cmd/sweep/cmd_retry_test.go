package main

import (
	"encoding/json"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/topksweep/sweep/sweep/plan"
	"github.com/topksweep/sweep/sweep/protocol"
)

// A sweep that does not run is started for the chosen cells alone: the others count as they are.
func TestResumeWith(t *testing.T) {
	l, p := storeGrid(t, t.TempDir(), eightCells("eight"), 3)
	results, err := l.Results(t.Context(), &p.Header)
	if err != nil {
		t.Fatal(err)
	}
	c, err := resumeWith(t.Context(), l, &p.Header, results, []int{4, 6})
	if err != nil {
		t.Fatal(err)
	}
	want := protocol.Summary{Cells: 8, Completed: 3, Reused: 3, Failed: 1, Canceled: 2}
	if c.Summary != want || c.Next != p.TreeChunks*plan.ChunkSize {
		t.Errorf("%+v, next %d", c.Summary, c.Next)
	}
	last := -1
	note := func(tree int, cells []int) []int { // checks that a tree has the cells
		for _, cell := range cells {
			has := func(tc plan.TreeCell) bool { return tc.Cell == cell }
			if !slices.ContainsFunc(p.Trees[tree].Cells, has) {
				t.Errorf("tree %d does not have cell %d", tree, cell)
			}
		}
		if tree <= last {
			t.Errorf("tree %d comes after %d", tree, last)
		}
		return cells
	}
	var train, failed, canceled []int
	for _, u := range c.Unfinished {
		train = append(train, note(u.Tree, u.Cells)...)
		last = u.Tree
	}
	last = -1
	for _, u := range c.Lost {
		failed = append(failed, note(u.Tree, u.Failed)...)
		canceled = append(canceled, note(u.Tree, u.Canceled)...)
		last = u.Tree
	}
	slices.Sort(train)
	slices.Sort(canceled)
	if !slices.Equal(train, []int{4, 6}) || !slices.Equal(failed, []int{3}) || !slices.Equal(canceled, []int{5, 7}) {
		t.Errorf("train %v, failed %v, canceled %v", train, failed, canceled)
	}
	label := p.Label(p.Cells[3])
	fails := []protocol.Failure{{Cell: 3, Label: label, Status: plan.Failed, Error: "the loss is NaN"}}
	if !reflect.DeepEqual(c.Failures, fails) {
		t.Errorf("failures %+v", c.Failures)
	}
	if len(c.Seen) != 3 || c.Seen[0].Cell != 2 || c.Seen[0].Label != p.Label(p.Cells[2]) {
		t.Errorf("best cells %+v", c.Seen)
	}
}

// Real workers train the chosen cells of a sweep that does not run, and no others.
func TestRetrySelected(t *testing.T) {
	dir := t.TempDir()
	_, p := storeGrid(t, dir, gridWith("name: chosen", "parameters: {k: [2, 4], seed: [0, 1]}"), 0)
	up, _ := startServer(t, dir, "--slots", "1")
	if got := mustRun(t, dir, "retry", "chosen", "--where", "k=4,seed=1", "--wait"); strings.Count(got, "completed") != 1 {
		t.Errorf("one of four cells:\n%s", got)
	}
	s := statusOfSweep(t, dir, "chosen")
	if s.Completed != 1 || s.Runs[3].Status != plan.Completed {
		t.Errorf("%+v", s)
	}
	retry := startProgram(t, dir, "retry", "chosen", "--cell", p.Cells[0].ID, "-o", "json")
	var did protocol.Steered
	if status := retry.exitStatus(t); status != exitOK {
		t.Fatalf("status %d\n%s", status, retry.err.String())
	}
	err := json.Unmarshal(retry.out.Bytes(), &did)
	if err != nil || !slices.Equal(did.Cells, []int{0}) || did.Canceled != 2 {
		t.Errorf("%+v, %v", did, err)
	}
	if got := mustRun(t, dir, "retry", "chosen", "--wait"); strings.Count(got, "completed") != 4 {
		t.Errorf("the others:\n%s", got)
	}
	up.terminate(t)
}
