package main

import (
	"context"
	"fmt"

	"github.com/topksweep/sweep/sweep/grid"
	"github.com/topksweep/sweep/sweep/plan"
)

// comparedCells is the number of cells up to which another sweep is read to be compared.
const comparedCells = 20_000

// differences says in what an earlier version of the grid differs: which of its values were struck, and how many of its
// runs the sweep of the command has too. completed are the runs that have results.
func (h here) differences(ctx context.Context, earlier *plan.Header, completed map[string]bool) []string {
	if h.header.CellCount > comparedCells {
		return nil
	}
	old, err := cellsOf(ctx, h.ledger, earlier)
	if err != nil {
		return nil
	}
	now, err := cellsOf(ctx, h.ledger, h.header)
	if err != nil {
		return nil
	}
	isNow := map[string]bool{}
	for _, c := range now {
		isNow[h.header.RunID(c.ID)] = true
	}
	var left []grid.Cell // of old: without result, and not trained now
	shared := 0
	for _, c := range old {
		run := earlier.RunID(c.ID)
		switch {
		case isNow[run]:
			shared++
		case !completed[run]:
			left = append(left, c)
		}
	}
	now = earlier.Restate(earlier.NamedHere(h.header, now), h.header.Axes)
	out := struck(earlier.Axes, old, left, now)
	switch {
	case shared == 1:
		out = append(out, "1 of its runs is in this grid too")
	case shared > 1:
		out = append(out, fmt.Sprintf("%d of its runs are in this grid too", shared))
	}
	return out
}

// struck says which values of old cells no cell has now, and how many of the runs that are left have them. Values of a
// cell are those of the axes.
func struck(axes []string, old, left, now []grid.Cell) (out []string) {
	for axis, name := range axes {
		isNow, without := countValues(now, axis), countValues(left, axis)
		for _, c := range old {
			if axis >= len(c.Values) {
				continue
			}
			value := c.Values[axis]
			n := without[value]
			if n == 0 || isNow[value] > 0 {
				continue
			}
			delete(without, value) // which is said once
			runs := fmt.Sprintf("its %d runs are", n)
			if n == 1 {
				runs = "its run is"
			}
			out = append(out, fmt.Sprintf("%s=%s is not in this grid any more: %s not trained", name, value, runs))
		}
	}
	return out
}

// countValues counts the cells that have each value of an axis.
func countValues(cells []grid.Cell, axis int) map[string]int {
	n := map[string]int{}
	for _, c := range cells {
		if axis < len(c.Values) {
			n[c.Values[axis]]++
		}
	}
	return n
}
