package workflows

import (
	"fmt"
	"slices"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"github.com/topksweep/sweep/sweep"
)

// ErrTypeFailed is the type of the error with which a sweep ends when runs
// failed. The sweep is then Failed in Temporal, and submitting the same grid
// again trains only what has no result.
const ErrTypeFailed = "RunsFailed"

// SweepWorkflow trains and evaluates every cell of a stored plan, at most
// MaxConcurrent at a time, and collects the results. A run that fails does not
// touch the others. However the sweep ends, what there is gets collected.
//
// A large grid goes through several histories (continue as new). At the seam the
// runs in flight are told to save their state, and the next history goes on with
// them first: that costs each of them one checkpoint, where waiting for them to
// end would leave slots idle for as long as the longest run takes.
func SweepWorkflow(ctx workflow.Context, in sweep.SweepInput) (sweep.Summary, error) {
	s := newState(in)
	if err := workflow.SetQueryHandler(ctx, sweep.QueryProgress, s.progress); err != nil {
		return s.Summary, err
	}
	err := s.window(ctx)
	if err == nil && !s.ending(ctx) && s.left() {
		in.Resume = s.carried()
		return s.Summary, workflow.NewContinueAsNewError(ctx, SweepWorkflow, in)
	}
	s.tell(ctx)
	done, _ := workflow.NewDisconnectedContext(ctx)
	if e := collect(done, in.Sweep); e != nil && err == nil {
		err = fmt.Errorf("collect: %w", e)
	}
	switch {
	case err != nil:
		return s.Summary, err
	case ctx.Err() != nil:
		return s.Summary, temporal.NewCanceledError()
	case s.Failed > 0:
		return s.Summary, temporal.NewNonRetryableApplicationError(
			fmt.Sprintf("%d of %d runs failed; submit the grid again to train them again", s.Failed, s.Cells), ErrTypeFailed, nil, s.Summary)
	}
	return s.Summary, nil
}

// state is where a sweep stands.
type state struct {
	in sweep.SweepInput
	sweep.Summary
	next    int   // the first cell never started
	again   []int // cells below next that the history before handed back; ascending
	running []int
	labels  map[int]string // of running
	handed  []int          // cells that this history hands back

	chunk int // of cells
	cells []sweep.PreparedCell
}

func newState(in sweep.SweepInput) *state {
	s := &state{in: in, Summary: sweep.Summary{Cells: in.Cells}, labels: map[int]string{}}
	if c := in.Resume; c != nil {
		s.next, s.again = c.Next, slices.Clone(c.Again)
		s.Completed, s.Reused, s.Failed, s.Canceled = c.Completed, c.Reused, c.Failed, c.Canceled
	}
	return s
}

func (s *state) carried() *sweep.Carried {
	return &sweep.Carried{
		Next: s.next, Completed: s.Completed, Reused: s.Reused, Failed: s.Failed, Canceled: s.Canceled,
		Again: slices.Sorted(slices.Values(slices.Concat(s.handed, s.again))),
	}
}

func (s *state) progress() (sweep.Progress, error) {
	return sweep.Progress{Summary: s.Summary, Running: slices.Sorted(slices.Values(s.running))}, nil
}

// left says that there are cells to start.
func (s *state) left() bool { return len(s.handed)+len(s.again) > 0 || s.next < s.in.Cells }

// stopped says that too many runs failed to start more.
func (s *state) stopped() bool { return s.in.FailureLimit > 0 && s.Failed >= s.in.FailureLimit }

// ending says that runs which are handed back now are handed back for good.
func (s *state) ending(ctx workflow.Context) bool { return ctx.Err() != nil || s.stopped() }

// peek returns the next cell to start, and whether it was in training before.
func (s *state) peek() (cell int, again bool) {
	if len(s.again) > 0 {
		return s.again[0], true
	}
	return s.next, false
}

// take marks the cell that peek returned as taken.
func (s *state) take() {
	if len(s.again) > 0 {
		s.again = s.again[1:]
	} else {
		s.next++
	}
}

// prepared returns what is to be known of a cell, a chunk at a time.
func (s *state) prepared(ctx workflow.Context, cell int) (sweep.PreparedCell, error) {
	if chunk := cell / sweep.ChunkSize; s.cells == nil || chunk != s.chunk {
		cells, err := prepare(ctx, sweep.ChunkRef{Sweep: s.in.Sweep, Chunk: chunk})
		if err != nil {
			return sweep.PreparedCell{}, fmt.Errorf("prepare: %w", err)
		}
		s.chunk, s.cells = chunk, cells
	}
	if i := cell % sweep.ChunkSize; i < len(s.cells) {
		return s.cells[i], nil
	}
	return sweep.PreparedCell{}, temporal.NewNonRetryableApplicationError(
		fmt.Sprintf("the stored plan of %s has no cell %d", s.in.Sweep, cell), "BadPlan", nil)
}
