package main

import (
	"fmt"

	"github.com/topksweep/sweep/cmd/sweep/progress"
	"github.com/topksweep/sweep/sweep/plan"
	"github.com/topksweep/sweep/sweep/report"
)

// bestShown is how many runs of a sweep with many (progress.ManyRuns) the table shows that run, watch and --wait print.
const bestShown = 20

// bestOf leaves the first runs of a table for people that has many, by the order that the user chose or else those with
// the least nmse. It returns a line that says how many it left out and what shows them, "" for none.
func bestOf(env *environment, header *plan.Header, o outputOptions, rows *report.Rows) (more string, err error) {
	left := len(rows.Results) - bestShown
	if o.format.name != "table" || len(rows.Results) < progress.ManyRuns {
		return "", nil
	}
	first := "first"
	if o.sort == "" {
		first = "best"
		if err := rows.Sort("nmse"); err != nil {
			return "", err
		}
	}
	rows.Results, rows.Some = rows.Results[:bestShown], true
	return fmt.Sprintf("the %s %d runs; this shows the other %d too: %s\n", first, bestShown, left,
		env.command("results", header.ID)), nil
}
