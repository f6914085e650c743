package workflows

import (
	"fmt"
	"slices"

	"go.temporal.io/sdk/workflow"

	"github.com/topksweep/sweep/sweep/plan"
	"github.com/topksweep/sweep/sweep/protocol"
)

const (
	// maxHistory is the number of events that a history stays below: at that
	// many Temporal suggests to continue as new.
	maxHistory = 4096

	// stageEvents is how many events a stage in flight may still come to before
	// the window looks at the length again and, if it must, hands it back: an
	// activity that starts, is told to stop and ends, one that records why, and
	// a workflow task of three events for each of these.
	stageEvents = 12

	// otherEvents are those of the sweep itself: preparing and collecting.
	otherEvents = 32

	// maxWindow bounds the stages in flight. More would leave too little of a
	// history for work between its seams.
	maxWindow = 200
)

// window starts stages, at most MaxConcurrent at a time, until all runs are
// done, the sweep ends, or the history is full. It returns when nothing is in
// flight; the error is one that ends the sweep.
func (s *state) window(ctx workflow.Context) error {
	window, cancel := workflow.WithCancel(ctx)
	defer cancel()
	slots := min(max(1, s.in.MaxConcurrent), maxWindow)
	var failure error
	began := false // so that every history gets something done
	for failure == nil && !s.ending(window) {
		if began && s.full(window) {
			cancel()
			break
		}
		it, ok, err := s.pick(window, slots)
		if err != nil {
			if !canceled(window, err) {
				failure = err
			}
			break
		}
		if !ok {
			if s.inFlight > 0 {
				// A stage that ends makes room, and others may follow it.
				before, chunks := s.inFlight, s.in.TreeChunks
				if workflow.Await(window, func() bool { return s.inFlight < before || s.in.TreeChunks > chunks }) != nil {
					break
				}
				continue
			}
			if s.again() {
				continue
			}
			break
		}
		began = true
		s.inFlight++
		workflow.Go(window, func(ctx workflow.Context) {
			if err := s.stage(ctx, cancel, it); err != nil && failure == nil {
				failure = err
			}
			s.inFlight--
			if s.stopped() {
				cancel()
			}
		})
	}
	join, _ := workflow.NewDisconnectedContext(ctx)
	if err := workflow.Await(join, func() bool { return s.inFlight == 0 }); err != nil {
		return err
	}
	if s.ending(ctx) || failure != nil {
		if err := s.recordCanceled(join); err != nil && failure == nil {
			failure = err
		}
	}
	return failure
}

// pick returns the stage to start now; ok is false if all slots are taken or
// none can start.
func (s *state) pick(ctx workflow.Context, slots int) (it plan.ReadyStage, ok bool, err error) {
	for s.inFlight < slots {
		number, t, again, there, err := s.trees.peek(ctx, s.in.TreeChunks)
		if err != nil {
			return it, false, err
		}
		if !there || !s.frontier.ShouldStart(t, slots) {
			it, ok = s.frontier.Next()
			return it, ok, nil
		}
		s.trees.take()
		if s.begin(number, t, again) { // its path is the longest
			it, ok = s.frontier.Next()
			return it, ok, nil
		}
	}
	return it, false, nil
}

// again begins another pass over all trees, if one was asked for: only what has
// no result is trained in it.
func (s *state) again() bool {
	if !s.retry {
		return false
	}
	s.retry = false
	s.pass++
	s.Completed, s.Failed, s.Canceled = 0, 0, 0
	s.trees.next = 0
	s.trees.forget()
	return true
}

// full says that the history has room for no more than handing back what runs.
func (s *state) full(ctx workflow.Context) bool {
	info := workflow.GetInfo(ctx)
	return info.GetContinueAsNewSuggested() ||
		info.GetCurrentHistoryLength()+stageEvents*(s.inFlight+1)+otherEvents > maxHistory
}

// stage trains one stage and, where runs end in it, evaluates them. A stage that
// was told to stop is handed back. handBack tells all stages to stop. The error
// is one that ends the sweep.
func (s *state) stage(ctx workflow.Context, handBack func(), it plan.ReadyStage) error {
	t := s.tree(it.Tree)
	for _, c := range it.Stage.Cells {
		t.running = append(t.running, running{c.Cell, it.Stage.Cells[0].Cell})
	}
	name := label(it.Stage)
	s.labels = append(s.labels, name)
	s.tell(ctx)
	stopRunning := func(cell int) {
		t.running = slices.DeleteFunc(t.running, func(r running) bool { return r.cell == cell })
	}
	defer func() {
		for _, c := range it.Stage.Cells {
			stopRunning(c.Cell)
		}
		i := slices.Index(s.labels, name)
		s.labels = slices.Delete(s.labels, i, i+1)
		s.tell(ctx)
	}()
	reached, err := s.train(ctx, it)
	if err == nil && !it.Stage.CompletesRuns(reached) {
		if ctx.Err() == nil { // else nothing of it is begun
			s.frontier.StageEnded(it, reached)
		}
		return nil
	}
	if err != nil {
		return s.failed(ctx, t, it.Stage.Cells, it.Stage, err)
	}
	for _, c := range it.Stage.Cells {
		if ctx.Err() == nil && s.full(ctx) {
			handBack()
		}
		if ctx.Err() != nil {
			return nil
		}
		if err := s.evaluate(ctx, it, c); err != nil {
			if err := s.failed(ctx, t, []plan.TreeCell{c}, it.Stage, err); err != nil {
				return err
			}
			continue
		}
		s.Completed++
		stopRunning(c.Cell)
		s.settle(t, c.Cell)
	}
	return nil
}

func (s *state) train(ctx workflow.Context, it plan.ReadyStage) (reached int, err error) {
	first := it.Stage.Cells[0]
	ref := protocol.StageRef{
		CellRef: protocol.CellRef{Sweep: s.in.Sweep, Cell: first.Cell},
		Level:   it.Stage.Level, From: it.Stage.From, To: it.Stage.To, Cells: len(it.Stage.Cells),
	}
	trained, err := train(ctx, s.in.TrainQueue, s.priority(it), ref, label(it.Stage))
	s.Steps += int64(trained.Steps)
	return trained.Reached, err
}

// priority is a stage's key in the task queue, from 2, which goes first, to 5: a
// queue holds more stages than there are slots, and what has the longest way to
// go must not wait in it.
func (s *state) priority(it plan.ReadyStage) int {
	s.longest = max(s.longest, it.Left)
	return 2 + min(3, int(4*(1-it.Left/s.longest)))
}

// label names a stage for people.
func label(st plan.Stage) string {
	first := st.Cells[0].Label
	if n := len(st.Cells); n > 1 {
		return fmt.Sprintf("%s to step %d, shared by %d runs: %s, …", st.Level, st.To, n, first)
	}
	return first
}

// maxTrainings is how often a run is trained whose last checkpoint gets lost.
const maxTrainings = 3

// evaluate measures a run, and trains it again if its last checkpoint is lost.
func (s *state) evaluate(ctx workflow.Context, it plan.ReadyStage, c plan.TreeCell) error {
	ref := protocol.CellRef{Sweep: s.in.Sweep, Cell: c.Cell}
	for n := 1; ; n++ {
		err := evaluate(ctx, s.in.TrainQueue, ref, c.Label)
		if !lost(err) || n == maxTrainings {
			return err
		}
		if _, err := s.train(ctx, it); err != nil {
			return err
		}
	}
}

// failed notes why cells of a stage have no result, unless they were told to
// stop.
func (s *state) failed(ctx workflow.Context, t *tree, cells []plan.TreeCell, st plan.Stage, err error) error {
	if canceled(ctx, err) {
		return nil
	}
	note := protocol.FailInput{Sweep: s.in.Sweep, Status: plan.Failed, Error: reason(err)}
	if len(cells) > 1 {
		note.Error = fmt.Sprintf("%s (in the steps up to %d, which %d runs share)", note.Error, st.To, len(cells))
	}
	for _, c := range cells {
		note.Cells = append(note.Cells, c.Cell)
		s.Failed++
		s.settle(t, c.Cell)
	}
	done, _ := workflow.NewDisconnectedContext(ctx)
	return record(done, note, cells[0].Label)
}

// recordCanceled records the runs that were begun as canceled.
func (s *state) recordCanceled(ctx workflow.Context) error {
	note := protocol.FailInput{Sweep: s.in.Sweep, Status: plan.Canceled, Error: "canceled"}
	for _, t := range s.continuation().Unfinished {
		note.Cells = append(note.Cells, t.Cells...)
	}
	if len(note.Cells) == 0 {
		return nil
	}
	s.Canceled += len(note.Cells)
	return record(ctx, note, fmt.Sprintf("%d canceled runs", len(note.Cells)))
}

func record(ctx workflow.Context, note protocol.FailInput, label string) error {
	if err := recordFailure(ctx, note, label); err != nil {
		return fmt.Errorf("record failure: %w", err)
	}
	return nil
}
