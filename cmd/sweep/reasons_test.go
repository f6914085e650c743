package main

import (
	"bytes"
	"strings"
	"testing"

	"github.com/topksweep/sweep/sweep/ledger"
	"github.com/topksweep/sweep/sweep/plan"
)

// Where a sweep that failed is shown, the cause stands whole, and so does the whole error of the cell.
func TestReasonsInFull(t *testing.T) {
	chain := strings.Repeat("train stage: read the checkpoint: ", 5) + "step 17: "
	const cause, oneLine = "the gradient norm is NaN\nafter a clip", "the gradient norm is NaN after a clip"
	var out, errOut bytes.Buffer
	env := &environment{out: &out, errOut: &errOut}
	newStatusText(env, nil, "", false).write(&out, sweepState{Runs: []runState{
		{Cell: "00112233445566778899", Status: plan.Failed, Label: "k=1", Error: chain + cause},
		{Cell: "10112233445566778899", Status: plan.Failed, Label: "k=2", Error: "short"},
	}})
	lines := strings.Split(out.String(), "\n")
	if !strings.HasSuffix(lines[1], oneLine) || !strings.Contains(lines[1], "… ") || len(lines[1]) > 180 ||
		!strings.HasSuffix(lines[2], "short") || lines[4] != "00112233445566778899  "+chain+oneLine {
		t.Errorf("status:\n%s", out.String())
	}

	l, header := planWithResults(t, 0)
	cells, err := l.Cells(t.Context(), header, 0)
	if err != nil {
		t.Fatal(err)
	}
	note := ledger.NewResult(header, cells[0], plan.Failed)
	note.Error = chain + cause
	if err := l.StoreFailure(t.Context(), header.ID, note); err != nil {
		t.Fatal(err)
	}
	if err := writeFailures(t.Context(), env, l, header); err != nil {
		t.Fatal(err)
	}
	if want := cells[0].ID + "  " + chain + oneLine + "\n"; errOut.String() != want {
		t.Errorf("watch: %q, want %q", errOut.String(), want)
	}
}
