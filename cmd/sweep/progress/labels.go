package progress

import (
	"cmp"
	"fmt"
	"strings"

	"github.com/topksweep/sweep/sweep/grid"
	"github.com/topksweep/sweep/sweep/plan"
	"github.com/topksweep/sweep/sweep/protocol"
)

// Labels names the cells of a plan for people, as in "k=32 lr=0.001".
type Labels struct {
	header     *plan.Header
	chunk      func(int) ([]grid.Cell, error)
	valuesOnly bool                // leave out the keys: "32 0.001"
	cells      map[int][]grid.Cell // chunks that were read
}

// NewLabels returns the labels of a plan's cells. They call chunk to read one
// chunk of plan.ChunkSize cells when they need it. A cell that cannot be read is
// named by its number.
func NewLabels(header *plan.Header, chunk func(int) ([]grid.Cell, error)) *Labels {
	return &Labels{header: header, chunk: chunk, cells: map[int][]grid.Cell{}}
}

// Cell names a cell by its number in the plan.
func (l *Labels) Cell(cell int) string {
	number, i := cell/plan.ChunkSize, cell%plan.ChunkSize
	if i >= len(l.cells[number]) { // not read yet, or the sweep has been extended since
		l.cells[number], _ = l.chunk(number)
	}
	if i >= len(l.cells[number]) {
		return fmt.Sprintf("cell %d", cell)
	}
	c := l.cells[number][i]
	if l.valuesOnly {
		return strings.Join(c.Values, " ")
	}
	return l.header.Label(c)
}

// Retry describes an activity that is tried again. Only a run that was seen in
// training is said to have a checkpoint.
func (l *Labels) Retry(r Retry) string {
	line := fmt.Sprintf("%s; attempt %d", r.Cause, r.Attempt)
	if r.Cell < 0 {
		return task(r.Activity) + ": " + line
	}
	if r.Activity == protocol.ActivityTrain {
		line += " goes on from the newest checkpoint"
	} else {
		line = task(r.Activity) + ": " + line
	}
	return l.Cell(r.Cell) + ": " + line
}

// stage names a stage in training.
func (l *Labels) stage(k stageKey) string {
	switch {
	case k.cells == 1:
		return l.Cell(k.cell)
	case l.valuesOnly:
		return fmt.Sprintf("%s ×%d", l.Cell(k.cell), k.cells)
	}
	return fmt.Sprintf("%s, shared by %d", l.Cell(k.cell), k.cells)
}

// A stageKey tells the stages in training apart.
type stageKey struct {
	cell  int // the first of its cells
	cells int
	to    int64 // the step at which it ends
}

func keyOf(b protocol.Heartbeat) stageKey { return stageKey{b.Cell, max(1, b.Cells), b.Steps} }

func (k stageKey) compare(o stageKey) int {
	return cmp.Or(cmp.Compare(k.cell, o.cell), cmp.Compare(k.to, o.to))
}

// task names what an activity does for a sweep.
func task(activity string) string {
	switch activity {
	case protocol.ActivityPrepare:
		return "planning"
	case protocol.ActivityTrain:
		return "a run in training"
	case protocol.ActivityEval:
		return "evaluating"
	case protocol.ActivityFail:
		return "noting a failure"
	case protocol.ActivityCollect:
		return "collecting the results"
	}
	return activity
}
