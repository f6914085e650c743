package workflows

import (
	"slices"

	"go.temporal.io/sdk/workflow"

	"github.com/topksweep/sweep/sweep/plan"
	"github.com/topksweep/sweep/sweep/protocol"
)

// state is what the workflow remembers of a sweep.
type state struct {
	in protocol.SweepInput
	protocol.Summary
	trees       treeReader
	frontier    plan.Frontier // the stages of active trees that can start
	active      []*activeTree // started and not done, ascending by number
	inFlight    int           // number of stages
	labels      []string      // of the stages in flight
	longestPath float64       // of all stages so far
	retry       bool          // go through all trees once more
	pass        int           // number of earlier passes through all trees
	aborted     bool          // an error ended the sweep
}

// An activeTree is a tree that is started and not done.
type activeTree struct {
	number    int
	remaining []int         // cells that have neither a result nor a failure, ascending
	running   []runningCell // cells of the stages in flight
}

// A runningCell is a cell of a stage in flight. Heartbeats name the stage by its first cell.
type runningCell struct{ cell, firstCell int }

// newState returns the state at the start of a history: of a new sweep, or of one that continues.
func newState(in protocol.SweepInput) *state {
	s := &state{in: in, Summary: protocol.Summary{Cells: in.Cells}}
	s.trees.sweep = in.Sweep
	if c := in.Resume; c != nil {
		s.Summary, s.retry, s.pass = c.Summary, c.Retry, c.Pass
		s.Cells = in.Cells
		s.trees.next, s.trees.unfinished = c.Next, slices.Clone(c.Unfinished)
	}
	return s
}

// continuation returns what the next history must know. For example, let trees 0 to 9 have one cell each. Trees 0 and 1
// are done, and trees 2 and 3 train when the history is full:
//
//	Next        4                                    the first tree that no history has started
//	Summary     Completed 2
//	Unfinished  tree 2 with cell 2, tree 3 with cell 3
//
// The next history starts with the trees 2 and 3, each at its newest checkpoint, and goes on with tree 4. A result that
// an activity stored after this history ended is found then, and counted.
func (s *state) continuation() *protocol.Continuation {
	c := &protocol.Continuation{Next: s.trees.next, Summary: s.Summary, Retry: s.retry, Pass: s.pass}
	for _, t := range s.active {
		c.Unfinished = append(c.Unfinished, protocol.UnfinishedTree{Tree: t.number, Cells: t.remaining})
	}
	c.Unfinished = append(c.Unfinished, s.trees.unfinished...)
	return c
}

// progress answers the query protocol.QueryProgress.
func (s *state) progress(ending bool) protocol.Progress {
	p := protocol.Progress{Summary: s.Summary, Running: []int{}, FirstCells: []int{}, Ending: ending}
	var all []runningCell
	for _, t := range s.active {
		all = append(all, t.running...)
	}
	slices.SortFunc(all, func(a, b runningCell) int { return a.cell - b.cell })
	for _, r := range all {
		p.Running, p.FirstCells = append(p.Running, r.cell), append(p.FirstCells, r.firstCell)
	}
	return p
}

// hasWork reports whether a run is left to train or evaluate.
func (s *state) hasWork() bool {
	return s.inFlight > 0 || len(s.active) > 0 || s.trees.hasNext(s.in.TreeChunks) || s.retry
}

// limitReached reports whether so many runs failed that the sweep stops: nothing more starts, the stages in flight save
// their state and stop, and recordCanceled notes what they leave unfinished.
func (s *state) limitReached() bool { return s.in.FailureLimit > 0 && s.Failed >= s.in.FailureLimit }

// isEnding reports whether the sweep ends: a stage that is stopped now is not started again.
func (s *state) isEnding(ctx workflow.Context) bool { return ctx.Err() != nil || s.limitReached() }

// startTree adds a tree to the active ones, and its first stages to the frontier. Cells that have a result already are
// counted as completed. cells are those that an earlier history left unfinished, or nil if none has started the tree.
// startTree returns false if no cell is left to train.
func (s *state) startTree(number int, t plan.Tree, cells []int) bool {
	n := &activeTree{number: number}
	var toTrain []plan.TreeCell
	for _, c := range t.Cells {
		switch {
		case cells != nil && !slices.Contains(cells, c.Cell): // an earlier history has counted it
		case c.Done:
			s.Completed++
			if cells == nil && s.pass == 0 {
				s.Reused++
			}
		default:
			toTrain = append(toTrain, c)
			n.remaining = append(n.remaining, c.Cell)
		}
	}
	if len(toTrain) == 0 {
		return false
	}
	slices.Sort(n.remaining)
	i, _ := s.findActive(number)
	s.active = slices.Insert(s.active, i, n)
	s.frontier.Start(number, t, toTrain)
	return true
}

// cellDone removes a cell, which has its result or has failed, from what remains of its tree.
func (s *state) cellDone(t *activeTree, cell int) {
	t.remaining = slices.DeleteFunc(t.remaining, func(c int) bool { return c == cell })
	s.frontier.CellsDone(t.number, 1)
	if len(t.remaining) == 0 {
		s.active = slices.DeleteFunc(s.active, func(o *activeTree) bool { return o == t })
	}
}

// treeByNumber returns the active tree with this number.
func (s *state) treeByNumber(number int) *activeTree {
	i, _ := s.findActive(number)
	return s.active[i]
}

// findActive returns the index in s.active of the tree with this number, or where it is to be inserted.
func (s *state) findActive(number int) (i int, found bool) {
	return slices.BinarySearchFunc(s.active, number, func(t *activeTree, n int) int { return t.number - n })
}
