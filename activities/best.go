package activities

import (
	"cmp"
	"slices"

	"github.com/topksweep/sweep/sweep/plan"
)

// Prepare's answers stay in a history for good, and the history of a sweep of 250,000 cells with results must not have
// more than 50 MB: a chunk takes 54 KiB of it without metrics. The metrics of a cell take at most about 180 bytes. So a
// chunk of a large sweep has those of 24 cells, which are 4 kB. They are for people, who look at the best cells first.
// A small sweep has those of all its cells, which take 18 kB of a history.
const (
	mostBriefs = 24  // cells of a chunk whose metrics Prepare gives
	smallSweep = 100 // a sweep of so many cells or fewer has the metrics of all
)

// briefsFor returns for how many cells of a chunk Prepare gives metrics, in a sweep of so many cells.
func briefsFor(cells int) int {
	if cells <= smallSweep {
		return smallSweep
	}
	return mostBriefs
}

// bestCells are cells with their metrics.
type bestCells []seenCell

type seenCell struct {
	cell *plan.TreeCell
	plan.Brief
}

// add adds a cell.
func (b *bestCells) add(c *plan.TreeCell, metrics plan.Brief) { *b = append(*b, seenCell{c, metrics}) }

// keep gives the n cells with the least nmse their metrics. Cells without an nmse come last, and of equal ones the
// first in the plan comes first.
func (b bestCells) keep(n int) {
	slices.SortFunc(b, func(x, y seenCell) int {
		return cmp.Or(compareNMSE(x.NMSE, y.NMSE), cmp.Compare(x.cell.Cell, y.cell.Cell))
	})
	for _, c := range b[:min(n, len(b))] {
		c.cell.Brief = &c.Brief
	}
}

// compareNMSE orders nmse ascending; nil, which is none, comes last.
func compareNMSE(x, y *float64) int {
	switch {
	case x == nil && y == nil:
		return 0
	case x == nil:
		return 1
	case y == nil:
		return -1
	}
	return cmp.Compare(*x, *y)
}
