package main

import (
	"fmt"
	"strings"
	"testing"

	"github.com/topksweep/sweep/cmd/sweep/progress"
	"github.com/topksweep/sweep/sweep/ledger"
	"github.com/topksweep/sweep/sweep/plan"
	"github.com/topksweep/sweep/sweep/report"
)

// The table of many runs shows the best ones and says what shows the others. Tables of fewer runs, and files for
// programs, have all.
func TestBestOf(t *testing.T) {
	header := &plan.Header{ID: "many-1234"}
	for _, c := range []struct {
		runs   int
		format string
		want   int
	}{
		{progress.ManyRuns, "table", bestShown}, {progress.ManyRuns - 1, "table", progress.ManyRuns - 1},
		{progress.ManyRuns, "csv", progress.ManyRuns},
	} {
		rows := report.Rows{Plan: header}
		for i := range c.runs {
			r := ledger.Result{Cell: fmt.Sprint(i), Status: plan.Completed}
			r.Metrics.NMSE = new(1 - float64(i)/1000) // the last one is the best
			rows.Results = append(rows.Results, r)
		}
		o := outputOptions{}
		o.format.name = c.format
		more, err := bestOf(&environment{}, header, o, &rows)
		if err != nil || len(rows.Results) != c.want || (more != "") != (c.want == bestShown) {
			t.Fatalf("%d runs as %s: %d rows, %q, %v", c.runs, c.format, len(rows.Results), more, err)
		}
		if more == "" {
			continue
		}
		if rows.Results[0].Cell != fmt.Sprint(c.runs-1) {
			t.Errorf("the first row is %s", rows.Results[0].Cell)
		}
		if !strings.Contains(more, "the best 20 runs") || !strings.Contains(more, "other 180 too: sweep results many-1234") {
			t.Errorf("%q", more)
		}
	}
}
