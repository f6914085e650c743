package workflows

import (
	"errors"
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
// touch the others.
func SweepWorkflow(ctx workflow.Context, in sweep.SweepInput) (sweep.Summary, error) {
	s := &state{in: in}
	if in.Resume != nil {
		s.next = in.Resume.Next
		s.Completed, s.Reused, s.Failed, s.Canceled = in.Resume.Completed, in.Resume.Reused, in.Resume.Failed, in.Resume.Canceled
	}
	s.Cells = in.Cells
	if err := workflow.SetQueryHandler(ctx, sweep.QueryProgress, s.progress); err != nil {
		return s.Summary, err
	}
	if err := s.window(ctx); err != nil {
		return s.Summary, err
	}
	if s.next < in.Cells && ctx.Err() == nil && !s.stopped() {
		in.Resume = &sweep.Carried{Next: s.next, Completed: s.Completed, Reused: s.Reused, Failed: s.Failed, Canceled: s.Canceled}
		return s.Summary, workflow.NewContinueAsNewError(ctx, SweepWorkflow, in)
	}
	// What there is gets collected, also when the sweep was canceled.
	done, _ := workflow.NewDisconnectedContext(ctx)
	if err := collect(done, in.Sweep); err != nil {
		return s.Summary, fmt.Errorf("collect: %w", err)
	}
	switch {
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
	next    int   // the first cell not started
	running []int // ascending

	chunk int // of prepared
	cells []sweep.PreparedCell
}

func (s *state) progress() (sweep.Progress, error) {
	return sweep.Progress{Summary: s.Summary, Running: slices.Clone(s.running)}, nil
}

// stopped says that too many runs failed to start more.
func (s *state) stopped() bool { return s.in.FailureLimit > 0 && s.Failed >= s.in.FailureLimit }

// window starts cells in order, at most MaxConcurrent at a time, and returns
// when those started are done: all of them, or as many as one history should
// hold.
func (s *state) window(ctx workflow.Context) error {
	ctx, cancel := workflow.WithCancel(ctx)
	defer cancel()
	slots := workflow.NewSemaphore(ctx, int64(max(1, s.in.MaxConcurrent)))
	runs := workflow.NewWaitGroup(ctx)
	var failure error
	for s.next < s.in.Cells && failure == nil && !s.stopped() && !workflow.GetInfo(ctx).GetContinueAsNewSuggested() {
		cell := s.next
		prepared, err := s.prepared(ctx, cell)
		if err != nil {
			failure = err
			break
		}
		if prepared.Done {
			s.next++
			s.Completed++
			s.Reused++
			continue
		}
		if err := slots.Acquire(ctx, 1); err != nil {
			break // canceled
		}
		if s.stopped() || failure != nil {
			break
		}
		s.next++
		s.running = append(s.running, cell)
		runs.Add(1)
		workflow.Go(ctx, func(ctx workflow.Context) {
			defer runs.Done()
			defer slots.Release(1)
			err := s.run(ctx, cell, prepared.Label)
			s.running = slices.DeleteFunc(s.running, func(c int) bool { return c == cell })
			if err != nil && failure == nil {
				failure = err
			}
			if s.stopped() {
				cancel()
			}
		})
	}
	join, _ := workflow.NewDisconnectedContext(ctx)
	runs.Wait(join)
	if ctx.Err() != nil || temporal.IsCanceledError(failure) {
		return nil // SweepWorkflow looks at its own context
	}
	return failure
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
	return sweep.PreparedCell{}, fmt.Errorf("the stored plan of %s has no cell %d", s.in.Sweep, cell)
}

// run trains and evaluates one cell and counts what came of it. Its error is one
// that ends the sweep.
func (s *state) run(ctx workflow.Context, cell int, label string) error {
	ref := sweep.CellRef{Sweep: s.in.Sweep, Cell: cell}
	err := train(ctx, s.in.TrainQueue, ref, label)
	if err == nil {
		err = evaluate(ctx, s.in.TrainQueue, ref, label)
	}
	if err == nil {
		s.Completed++
		return nil
	}
	note := sweep.FailInput{CellRef: ref, Status: sweep.Failed, Error: reason(err)}
	if temporal.IsCanceledError(err) {
		s.Canceled++
		note.Status, note.Error = sweep.Canceled, "canceled"
	} else {
		s.Failed++
	}
	done, _ := workflow.NewDisconnectedContext(ctx)
	if err := recordFailure(done, note, label); err != nil {
		return fmt.Errorf("record failure: %w", err)
	}
	return nil
}

// reason is the innermost message that an activity gave, without Temporal's
// wrapping.
func reason(err error) string {
	var app *temporal.ApplicationError
	if errors.As(err, &app) {
		return app.Message()
	}
	var timeout *temporal.TimeoutError
	if errors.As(err, &timeout) {
		return timeout.Error()
	}
	return err.Error()
}
