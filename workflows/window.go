package workflows

import (
	"go.temporal.io/sdk/workflow"

	"github.com/topksweep/sweep/sweep/plan"
)

const (
	// maxHistory is the number of events that a history stays below. At 4096 Temporal suggests to continue as new.
	maxHistory = 4096

	// stageEvents is the largest number of events that a stage in flight adds before the workflow looks at the length
	// of the history again: an activity that starts, is canceled and ends, an activity that records the reason, and a
	// workflow task of three events for each of these.
	stageEvents = 12

	// otherEvents is the number of events that the sweep itself needs at the end: for preparing and collecting.
	otherEvents = 32

	// steeredEvents are more of them, in histories of versionSteered: a timer and an activity that looks at the
	// workers, search attributes, and updates that are answered at the end.
	steeredEvents = 96

	// upsertEvents is the number of events that the end of a stage adds besides in these histories: its search attributes.
	upsertEvents = 1

	// maxHistoryBytes is the size that a history has at most when something more is started. A chunk of trees takes some
	// 54 KiB, what is in flight at most some 10 KiB for each of 200 activities, and a continuation up to 500 KiB: so a
	// history stays under 4 MiB.
	maxHistoryBytes = 2 << 20

	// maxSlots limits the stages in flight.
	maxSlots = plan.MaxConcurrent
)

// runStages starts stages until all runs are done, the sweep ends, or the history is
// full. The stages in flight are the window: one for each slot, as long as there are
// stages to start. runStages returns when no stage is in flight. An error ends the
// sweep.
//
// For example, let there be two slots and three trees. The longest paths are 100 in tree A, 80 in B, 30 in C; the trunk
// of A ends at step 50 and two branches follow.
//
//	in flight            frontier                      starts next
//	—                    —                             A, B: the trees with the longest paths
//	A trunk, B           —                             no free slot
//	B                    A branch 1, A branch 2: 50    A branch 1: its path is longer than that of C
//	A branch 1           A branch 2                    A branch 2, after B ended
//	A branch 2           —                             C, after A branch 1 ended
func (s *state) runStages(ctx workflow.Context) error {
	stagesCtx, stopStages := workflow.WithCancel(ctx)
	defer stopStages()
	var failure error
	fail := func(err error) { // the first error counts
		if failure == nil {
			failure = err
			s.draining = true
		}
	}
	started := false // each history starts at least one stage, so that the sweep always advances
	for failure == nil && !s.isEnding() && stagesCtx.Err() == nil {
		if s.upgrade || (started || s.paused) && s.historyFull(stagesCtx) {
			stopStages()
			break
		}
		changes := s.changes
		ready, ok, err := s.nextStage(stagesCtx)
		if err != nil {
			if !isCanceled(stagesCtx, err) {
				fail(err)
			}
			break
		}
		if !ok {
			if !s.hasWork() {
				break
			}
			if len(s.stages) == 0 && s.tooLarge(stagesCtx) {
				break // where cells have their results a history may be full before a stage starts
			}
			if !s.paused && len(s.stages) == 0 && s.startRetry() {
				continue
			}
			if !s.paused && len(s.stages) == 0 && s.changes == changes && s.held == 0 {
				break // the trees that are left hold no cell to train
			}
			s.updateDetails(stagesCtx)
			// The end of a stage frees a slot, and other stages may follow it. An update may change what is to start.
			if workflow.Await(stagesCtx, func() bool { return s.changes > changes }) != nil {
				break
			}
			continue
		}
		started = true
		s.flights++
		if s.isShort(ready) {
			s.startRuns(stagesCtx, s.takeShort(ready))
			continue
		}
		t := s.newStage(stagesCtx, ready)
		workflow.Go(t.ctx, func(ctx workflow.Context) {
			t.ctx = ctx // that of this coroutine, which alone may block on it
			if err := s.runStage(t, stopStages); err != nil {
				fail(err)
			}
			s.flights--
			s.stageEnded(t)
			if s.limitReached() {
				stopStages()
			}
		})
	}
	s.updateDetails(ctx)
	disconnected, _ := workflow.NewDisconnectedContext(ctx)
	if err := workflow.Await(disconnected, func() bool { return len(s.stages) == 0 }); err != nil {
		return err
	}
	s.aborted = failure != nil // from now on: an update would change cells that recordCanceled has counted
	if s.isEnding() || failure != nil {
		if err := s.recordCanceled(disconnected); err != nil {
			fail(err)
		}
	}
	return failure
}

// window returns how many stages may be in flight. Where it is known how many slots the workers have, hardly more than
// twice as many wait in the queue: it is first in, first out, so that a stage with a long way to go would wait there
// behind all others of the sweep.
//
// With max_concurrent: auto there are as many as slots, and a few that wait: a slot that gets free has its next stage
// at once, and an evaluation takes no place from training.
func (s *state) window() int {
	n := max(1, s.in.MaxConcurrent)
	if s.live != nil && s.live.Slots > 0 {
		most := 2*s.live.Slots + 2
		if n = min(n, most); s.in.AutoConcurrent {
			n = s.live.Slots + s.live.Slots/4 + 2
		}
	}
	return min(n, maxSlots)
}

// concurrent returns max_concurrent, for people: with auto the slots that the workers have.
func (s *state) concurrent() int {
	if s.in.AutoConcurrent && s.live != nil && s.live.Slots > 0 {
		return s.live.Slots
	}
	return s.in.MaxConcurrent
}

// nextStage returns the stage to start now. It starts trees, as long as plan.Frontier.ShouldStart prefers a tree to the
// stages that are ready. ok is false if all slots are taken, no stage can start, or the sweep is paused.
func (s *state) nextStage(ctx workflow.Context) (ready plan.ReadyStage, ok bool, err error) {
	for s.flights < s.window() && !s.paused {
		if _, loaded := s.trees.peekLoaded(s.in.TreeChunks); !loaded && s.tooLarge(ctx) {
			ready, ok = s.frontier.Next() // what is left of the trees that have begun
			return ready, ok, nil
		}
		next, found, err := s.trees.peek(ctx, s.in.TreeChunks)
		if err != nil {
			return ready, false, err
		}
		if s.paused || s.flights >= s.window() {
			break // since the chunk was read
		}
		if !found || !next.first && !s.frontier.ShouldStart(next.tree, s.window()) {
			ready, ok = s.frontier.Next()
			return ready, ok, nil
		}
		s.trees.advance()
		if s.startTree(next) { // the path of the new tree is the longest
			ready, ok = s.frontier.Next()
			return ready, ok, nil
		}
		s.changed()
	}
	return ready, false, nil
}

// startRetry starts another pass through all trees, if the update retry asked for one. It trains the cells that have no
// result.
func (s *state) startRetry() bool {
	if !s.retry {
		return false
	}
	s.retry = false
	s.pass++
	for _, t := range s.lost { // such as were canceled since the update
		s.canceled = union(s.canceled, t.Canceled)
	}
	s.Completed, s.Failed, s.Canceled = 0, 0, len(s.canceled)
	s.lost, s.memory.failures = nil, nil
	s.trees.restart()
	return true
}

// historyFull reports whether the history has room only for the events of the stages in flight, and of one more.
func (s *state) historyFull(ctx workflow.Context) bool {
	info := workflow.GetInfo(ctx)
	each, other := stageEvents, otherEvents
	if s.version >= versionSteered {
		each, other = each+upsertEvents, other+steeredEvents
	}
	return info.GetContinueAsNewSuggested() || s.tooLarge(ctx) ||
		info.GetCurrentHistoryLength()+each*(s.flights+1)+other > maxHistory
}

// tooLarge reports whether the history has no room for another chunk of the plan, and for what the activities in flight
// return. Each history reads at least one chunk, so that the sweep always advances.
func (s *state) tooLarge(ctx workflow.Context) bool {
	info := workflow.GetInfo(ctx)
	return s.version >= versionShort && s.trees.reads > 0 &&
		(info.GetContinueAsNewSuggested() || info.GetCurrentHistorySize() > maxHistoryBytes)
}
