package workflows

import (
	"slices"
	"time"

	"go.temporal.io/sdk/workflow"

	"github.com/topksweep/sweep/sweep/plan"
	"github.com/topksweep/sweep/sweep/protocol"
)

// state is what the workflow remembers of a sweep.
type state struct {
	root workflow.Context // of the whole sweep: it ends when the sweep is canceled
	in   protocol.SweepInput
	protocol.Summary
	version  workflow.Version
	ids      *activityIDs
	trees    treeReader
	frontier plan.Frontier // the stages of active trees that can start
	active   []*activeTree // started and not done, ascending by number
	stages   []*stage      // in flight, in the order in which they started
	flights  int           // activities that train them: one for several short runs
	pace     pace
	retry    bool // go through all trees once more
	pass     int  // number of earlier passes through all trees

	paused   bool
	canceled []int               // cells that were canceled before their tree began, ascending
	lost     []protocol.LostTree // ascending by number
	memory   memory
	news     news

	cellsLock workflow.Mutex // held while an update cancels or retries cells
	noting    []int          // cells whose failure is being stored
	held      int            // families that frontier.Hold keeps back

	changes   int  // counts what may let a stage start, or let the sweep end
	upgrade   bool // continue as new, because this history cannot do what an update asked for
	draining  bool // an error ends the sweep: nothing more starts, and what is in flight goes on to its end
	aborted   bool // an error ended the sweep
	ended     bool // nothing more is done in this history
	continued bool // another history goes on from this one

	live    *protocol.Live // what the server told last; nil if it was not asked
	liveAt  time.Time
	shown   []any // values of the search attributes as they are on the server
	shownAt time.Time
}

// An activeTree is a tree that is started and not done.
type activeTree struct {
	number    int
	family    string
	remaining []int         // cells that have neither a result nor a failure, ascending
	running   []runningCell // cells of the stages in flight
}

// A runningCell is a cell of a stage in flight. Heartbeats name the stage by its first cell.
type runningCell struct{ cell, firstCell int }

// newState returns the state at the start of a history: of a new sweep, or of one that continues.
func newState(ctx workflow.Context, in protocol.SweepInput) *state {
	s := &state{root: ctx, in: in, Summary: protocol.Summary{Cells: in.Cells}, version: versionOf(ctx)}
	s.cellsLock = workflow.NewMutex(ctx)
	s.ids = newActivityIDs(s.version, in.Encrypted)
	s.trees.sweep, s.trees.ids, s.trees.readsAhead = in.Sweep, s.ids, s.version >= versionShort
	if c := in.Resume; c != nil {
		s.Summary, s.retry, s.pass = c.Summary, c.Retry, c.Pass
		s.Cells = in.Cells
		s.trees.next, s.trees.unfinished = c.Next, slices.Clone(c.Unfinished)
		s.paused, s.canceled, s.lost = c.Paused, slices.Clone(c.Canceled), cloneLost(c.Lost)
		s.memory = memory{slices.Clone(c.Seen), slices.Clone(c.Failures), slices.Clone(c.Extensions)}
		s.news = news{c.Told, c.Untold}
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
	// Cells that are retried may belong to a tree that is active too.
	for _, u := range slices.Concat(s.trees.first, s.trees.unfinished) {
		i := slices.IndexFunc(c.Unfinished, func(o protocol.UnfinishedTree) bool { return o.Tree == u.Tree })
		if i < 0 {
			c.Unfinished = append(c.Unfinished, u)
			continue
		}
		c.Unfinished[i].Cells = slices.Sorted(slices.Values(slices.Concat(c.Unfinished[i].Cells, u.Cells)))
	}
	c.Paused, c.Canceled, c.Lost = s.paused, s.canceled, s.lost
	c.Seen, c.Failures, c.Extensions = s.memory.seen, s.memory.failures, s.memory.extensions
	c.Told, c.Untold = s.news.told, s.news.untold
	return c
}

// hasWork reports whether a run is left to train or evaluate.
func (s *state) hasWork() bool {
	return len(s.stages) > 0 || len(s.active) > 0 || s.trees.hasNext(s.in.TreeChunks) || s.retry
}

// limitReached reports whether so many runs failed that the sweep stops: nothing more starts, the stages in flight save
// their state and stop, and recordCanceled notes what they leave unfinished.
func (s *state) limitReached() bool { return s.in.FailureLimit > 0 && s.Failed >= s.in.FailureLimit }

// isEnding reports whether the sweep ends: a stage that is stopped now is not started again.
func (s *state) isEnding() bool { return s.root.Err() != nil || s.limitReached() }

// changed lets the loop of runStages look again at what can start.
func (s *state) changed() { s.changes++ }

// startTree adds a tree to the active ones, and its first stages to the frontier. Cells that have a result already are
// counted as completed, and cells that were canceled are left out. It returns false if no cell is left to train.
func (s *state) startTree(next nextTree) bool {
	var toTrain []plan.TreeCell
	for _, c := range next.tree.Cells {
		switch {
		case next.cells != nil && !slices.Contains(next.cells, c.Cell): // an earlier history has counted it
		case c.Done:
			s.Completed++
			if next.cells == nil && s.pass == 0 {
				s.Reused++
			}
			if s.uncancel(c.Cell) { // it was counted as canceled, and has got its result since
				s.Canceled--
			}
			if c.Brief != nil {
				s.memory.remember(protocol.SeenCell{Cell: c.Cell, Label: c.Label, Brief: *c.Brief})
			}
		case s.uncancel(c.Cell):
			s.lostTree(next.number).Canceled = inserted(s.lostTree(next.number).Canceled, c.Cell)
		default:
			toTrain = append(toTrain, c)
		}
	}
	if len(toTrain) == 0 {
		return false
	}
	i, found := s.findActive(next.number)
	if !found {
		s.active = slices.Insert(s.active, i, &activeTree{number: next.number, family: next.tree.Family})
	}
	for _, c := range toTrain {
		s.active[i].remaining = inserted(s.active[i].remaining, c.Cell)
	}
	if next.first {
		s.frontier.StartFirst(next.number, next.tree, toTrain)
	} else {
		s.frontier.Start(next.number, next.tree, toTrain)
	}
	return true
}

// cellDone removes a cell, which has its result or is lost, from what remains of its tree.
func (s *state) cellDone(t *activeTree, cell int) {
	t.remaining = slices.DeleteFunc(t.remaining, func(c int) bool { return c == cell })
	s.frontier.CellsDone(t.number, 1)
	if len(t.remaining) == 0 {
		s.active = slices.DeleteFunc(s.active, func(o *activeTree) bool { return o == t })
	}
}

// findActive returns the index in s.active of the tree with this number, or where it is to be inserted.
func (s *state) findActive(number int) (i int, found bool) {
	return slices.BinarySearchFunc(s.active, number, func(t *activeTree, n int) int { return t.number - n })
}

// inserted returns ascending numbers with n among them.
func inserted(ascending []int, n int) []int {
	i, found := slices.BinarySearch(ascending, n)
	if found {
		return ascending
	}
	return slices.Insert(ascending, i, n)
}

// without returns ascending numbers without n, and whether n was among them.
func without(ascending []int, n int) ([]int, bool) {
	i, found := slices.BinarySearch(ascending, n)
	if !found {
		return ascending, false
	}
	return slices.Delete(ascending, i, i+1), true
}

// common returns the numbers that are in both; all ascending.
func common(a, b []int) (both []int) {
	for _, n := range a {
		if _, found := slices.BinarySearch(b, n); found {
			both = append(both, n)
		}
	}
	return both
}

// except returns the numbers of a that are not in b; all ascending.
func except(a, b []int) (rest []int) {
	for _, n := range a {
		if _, found := slices.BinarySearch(b, n); !found {
			rest = append(rest, n)
		}
	}
	return rest
}

// union returns the numbers that are in either; all ascending.
func union(a, b []int) []int {
	return slices.Compact(slices.Sorted(slices.Values(slices.Concat(a, b))))
}
