package workflows

import (
	"fmt"
	"slices"

	"go.temporal.io/sdk/workflow"

	"github.com/topksweep/sweep/sweep"
)

const (
	// maxHistory is the number of events that a history stays below: at that
	// many Temporal suggests to continue as new.
	maxHistory = 4096
	// runEvents is how many events a run in flight may still come to before the
	// window looks at the length again and, if it must, hands the run back: an
	// activity that starts, is told to stop and ends, one that records why, and
	// a workflow task of three events for each of these.
	runEvents = 12
	// otherEvents are those of the sweep itself: preparing and collecting.
	otherEvents = 32
	// maxWindow bounds the runs in flight. More would leave too little of a
	// history for work between its seams.
	maxWindow = 200
)

// window starts cells in order, at most MaxConcurrent at a time, until all are
// done, the sweep ends, or the history is full. It returns when nothing is in
// flight; the error is one that ends the sweep.
func (s *state) window(ctx workflow.Context) error {
	window, cancel := workflow.WithCancel(ctx)
	defer cancel()
	slots := workflow.NewSemaphore(window, int64(min(max(1, s.in.MaxConcurrent), maxWindow)))
	runs := workflow.NewWaitGroup(window)
	var failure error
	began := false // so that every history gets something done
	for s.left() && failure == nil && !s.ending(window) {
		if began && s.full(window) {
			cancel()
			break
		}
		cell, again := s.peek()
		prepared, err := s.prepared(window, cell)
		if err != nil {
			if !canceled(window, err) {
				failure = err
			}
			break
		}
		began = true
		if prepared.Done {
			s.take()
			s.Completed++
			if !again {
				s.Reused++
			}
			continue
		}
		if slots.Acquire(window, 1) != nil || failure != nil || s.ending(window) {
			break
		}
		if len(s.running) > 0 && s.full(window) {
			cancel()
			break
		}
		s.take()
		s.running, s.labels[cell] = append(s.running, cell), prepared.Label
		s.tell(window)
		runs.Add(1)
		workflow.Go(window, func(ctx workflow.Context) {
			defer runs.Done()
			defer slots.Release(1)
			if err := s.run(ctx, cancel, cell, prepared.Label); err != nil && failure == nil {
				failure = err
			}
			if s.stopped() {
				cancel()
			}
		})
	}
	join, _ := workflow.NewDisconnectedContext(ctx)
	runs.Wait(join)
	if s.ending(ctx) || failure != nil {
		if err := s.recordCanceled(join); err != nil && failure == nil {
			failure = err
		}
	}
	return failure
}

// full says that the history has room for no more than handing back what runs.
func (s *state) full(ctx workflow.Context) bool {
	info := workflow.GetInfo(ctx)
	return info.GetContinueAsNewSuggested() ||
		info.GetCurrentHistoryLength()+runEvents*(len(s.running)+1)+otherEvents > maxHistory
}

// run trains and evaluates one cell and counts what came of it. A run that was
// told to stop is handed back. handBack tells all runs to stop. The error is one
// that ends the sweep.
func (s *state) run(ctx workflow.Context, handBack func(), cell int, label string) error {
	ref := sweep.CellRef{Sweep: s.in.Sweep, Cell: cell}
	err := s.trainAndEvaluate(ctx, handBack, ref, label)
	s.running = slices.DeleteFunc(s.running, func(c int) bool { return c == cell })
	delete(s.labels, cell)
	defer s.tell(ctx)
	switch {
	case err == nil:
		s.Completed++
		return nil
	case canceled(ctx, err):
		s.handed = append(s.handed, cell)
		return nil
	}
	s.Failed++
	done, _ := workflow.NewDisconnectedContext(ctx)
	return record(done, sweep.FailInput{CellRef: ref, Status: sweep.Failed, Error: reason(err)}, label)
}

// maxTrainings is how often a run is trained whose last checkpoint gets lost.
const maxTrainings = 3

func (s *state) trainAndEvaluate(ctx workflow.Context, handBack func(), ref sweep.CellRef, label string) error {
	for n := 1; ; n++ {
		if err := train(ctx, s.in.TrainQueue, ref, label); err != nil {
			return err
		}
		if ctx.Err() == nil && s.full(ctx) {
			handBack()
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		err := evaluate(ctx, s.in.TrainQueue, ref, label)
		if !lost(err) || n == maxTrainings {
			return err
		}
	}
}

// recordCanceled records the runs that were in training as canceled, all at
// once.
func (s *state) recordCanceled(ctx workflow.Context) (failure error) {
	runs := workflow.NewWaitGroup(ctx)
	for _, cell := range s.carried().Again {
		s.Canceled++
		runs.Add(1)
		workflow.Go(ctx, func(ctx workflow.Context) {
			defer runs.Done()
			note := sweep.FailInput{CellRef: sweep.CellRef{Sweep: s.in.Sweep, Cell: cell}, Status: sweep.Canceled, Error: "canceled"}
			if err := record(ctx, note, fmt.Sprintf("cell %d", cell)); err != nil && failure == nil {
				failure = err
			}
		})
	}
	runs.Wait(ctx)
	return failure
}

func record(ctx workflow.Context, note sweep.FailInput, label string) error {
	if err := recordFailure(ctx, note, label); err != nil {
		return fmt.Errorf("record failure: %w", err)
	}
	return nil
}
