package main

import (
	"bytes"
	"strings"
	"testing"

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
}
