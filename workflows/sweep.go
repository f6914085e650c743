package workflows

import (
	"errors"
	"fmt"
	"slices"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"github.com/topksweep/sweep/sweep/plan"
	"github.com/topksweep/sweep/sweep/protocol"
)

// SweepWorkflow trains and evaluates every cell of a stored plan, stage by
// stage, at most MaxConcurrent stages at a time, and collects the results. A run
// that fails does not touch the others, and a trunk that fails only those that
// pass through it. However the sweep ends, what there is gets collected.
//
// A large grid goes through several histories (continue as new). At the seam the
// stages in flight are told to save their state, and the next history walks the
// trees that are begun again from their roots: a stage whose checkpoint is there
// ends at once. That costs each stage in flight one checkpoint, where waiting
// for them to end would leave slots idle for as long as the longest takes.
func SweepWorkflow(ctx workflow.Context, in protocol.SweepInput) (protocol.Summary, error) {
	s := newState(in)
	progress := func() (protocol.Progress, error) { return s.progress(s.over || s.ending(ctx)) }
	if err := workflow.SetQueryHandler(ctx, protocol.QueryProgress, progress); err != nil {
		return s.Summary, err
	}
	if err := s.handleUpdates(ctx); err != nil {
		return s.Summary, err
	}
	err := s.window(ctx)
	s.over = err != nil
	if (err != nil || s.ending(ctx) || !s.more()) && !withoutPlan(err) {
		s.tell(ctx)
		done, _ := workflow.NewDisconnectedContext(ctx)
		if e := collect(done, in.Sweep); e != nil && err == nil {
			err = fmt.Errorf("collect: %w", e)
		}
	}
	switch {
	case err != nil:
		return s.Summary, err
	case !s.ending(ctx) && s.more(): // perhaps it was extended just now
		in := s.in
		in.Resume = s.continuation()
		return s.Summary, workflow.NewContinueAsNewError(ctx, SweepWorkflow, in)
	case ctx.Err() != nil:
		return s.Summary, temporal.NewCanceledError()
	case s.Failed > 0:
		return s.Summary, temporal.NewNonRetryableApplicationError(
			fmt.Sprintf("%d of %d runs failed; sweep retry trains them again", s.Failed, s.Cells), protocol.ErrTypeFailed, nil, s.Summary)
	}
	return s.Summary, nil
}

// handleUpdates lets a running sweep grow, and try failed runs again. Both only
// note what is to be done; the window does it.
func (s *state) handleUpdates(ctx workflow.Context) error {
	err := workflow.SetUpdateHandlerWithOptions(ctx, protocol.UpdateExtend, func(_ workflow.Context, to plan.Size) (protocol.Summary, error) {
		s.in.Size, s.Cells = to, to.Cells
		return s.Summary, nil
	}, workflow.UpdateHandlerOptions{Validator: func(workflow.Context, plan.Size) error { return s.goingOn(ctx) }})
	if err != nil {
		return err
	}
	return workflow.SetUpdateHandlerWithOptions(ctx, protocol.UpdateRetry, func(workflow.Context) (protocol.Summary, error) {
		s.retry = true
		return s.Summary, nil
	}, workflow.UpdateHandlerOptions{Validator: func(workflow.Context) error { return s.goingOn(ctx) }})
}

// goingOn refuses what a sweep that is ending would not do any more.
func (s *state) goingOn(ctx workflow.Context) error {
	if s.over || s.ending(ctx) {
		return errors.New("the sweep is ending: try again when it has")
	}
	return nil
}

// state is where a sweep stands.
type state struct {
	in protocol.SweepInput
	protocol.Summary
	trees    trees
	frontier plan.Frontier
	begun    []*tree  // and not done, ascending
	inFlight int      // stages
	labels   []string // of stages in flight
	longest  float64  // path of the stages so far
	retry    bool     // go over all trees once more
	pass     int      // how often all trees were gone over before
	over     bool     // the window has ended with an error
}

// A tree is one that is begun.
type tree struct {
	number  int
	left    []int     // cells that need something yet, ascending
	running []running // cells of stages in flight
}

// running is a cell of a stage in flight, and the cell by which that is known.
type running struct{ cell, lead int }

func newState(in protocol.SweepInput) *state {
	s := &state{in: in, Summary: protocol.Summary{Cells: in.Cells}}
	s.trees.id = in.Sweep
	if c := in.Resume; c != nil {
		s.Summary, s.retry, s.pass = c.Summary, c.Retry, c.Pass
		s.Cells = in.Cells
		s.trees.next, s.trees.again = c.Next, slices.Clone(c.Unfinished)
	}
	return s
}

func (s *state) continuation() *protocol.Continuation {
	c := &protocol.Continuation{Next: s.trees.next, Summary: s.Summary, Retry: s.retry, Pass: s.pass}
	for _, t := range s.begun {
		c.Unfinished = append(c.Unfinished, protocol.UnfinishedTree{Tree: t.number, Cells: t.left})
	}
	c.Unfinished = append(c.Unfinished, s.trees.again...)
	return c
}

func (s *state) progress(ending bool) (protocol.Progress, error) {
	p := protocol.Progress{Summary: s.Summary, Running: []int{}, FirstCells: []int{}, Ending: ending}
	var all []running
	for _, t := range s.begun {
		all = append(all, t.running...)
	}
	slices.SortFunc(all, func(a, b running) int { return a.cell - b.cell })
	for _, r := range all {
		p.Running, p.FirstCells = append(p.Running, r.cell), append(p.FirstCells, r.lead)
	}
	return p, nil
}

// more says that there is something to do.
func (s *state) more() bool {
	return s.inFlight > 0 || len(s.begun) > 0 || s.trees.left(s.in.TreeChunks) || s.retry
}

// stopped says that too many runs failed to start more.
func (s *state) stopped() bool { return s.in.FailureLimit > 0 && s.Failed >= s.in.FailureLimit }

// ending says that stages which are handed back now are handed back for good.
func (s *state) ending(ctx workflow.Context) bool { return ctx.Err() != nil || s.stopped() }

// settle takes a cell of a tree off what is left.
func (s *state) settle(t *tree, cell int) {
	t.left = slices.DeleteFunc(t.left, func(c int) bool { return c == cell })
	s.frontier.CellsDone(t.number, 1)
	if len(t.left) == 0 {
		s.begun = slices.DeleteFunc(s.begun, func(o *tree) bool { return o == t })
	}
}

func (s *state) tree(number int) *tree {
	i, _ := slices.BinarySearchFunc(s.begun, number, func(t *tree, n int) int { return t.number - n })
	return s.begun[i]
}

// begin adds a tree to those in work. What has its result already is counted;
// again says which cells were left when the tree was begun before, nil if it was
// not. It reports whether any cell is to be trained.
func (s *state) begin(number int, t plan.Tree, again []int) bool {
	n := &tree{number: number}
	var cells []plan.TreeCell
	for _, c := range t.Cells {
		switch {
		case again != nil && !slices.Contains(again, c.Cell):
		case c.Done:
			s.Completed++
			if again == nil && s.pass == 0 {
				s.Reused++
			}
		default:
			cells = append(cells, c)
			n.left = append(n.left, c.Cell)
		}
	}
	if len(cells) == 0 {
		return false
	}
	slices.Sort(n.left)
	i, _ := slices.BinarySearchFunc(s.begun, number, func(t *tree, n int) int { return t.number - n })
	s.begun = slices.Insert(s.begun, i, n)
	s.frontier.Start(number, t, cells)
	return true
}
