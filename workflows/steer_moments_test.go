package workflows

import (
	"testing"
	"time"

	"github.com/topksweep/sweep/sweep/plan"
	"github.com/topksweep/sweep/sweep/protocol"
)

// The results are collected when the updates are answered: the note of the last cell is among them.
func TestCollectAfterTheNotes(t *testing.T) {
	s := newSim(t, cellTrees(0, 1))
	s.takes = func(activity string, _, _ int) (time.Duration, error) {
		if activity == protocol.ActivityCollect && s.notes[0] != plan.Canceled {
			t.Error("the results are collected before the cell is noted")
		}
		return time.Minute, nil
	}
	s.at(90*time.Second, protocol.UpdateCancel, selection(0))
	got, err := s.run(s.input(1))
	if err != nil || got.Canceled != 1 || s.collected != 1 {
		t.Errorf("%+v, %v, collected %d times", got, err, s.collected)
	}
}

// Cells are retried while a chunk of the plan is read: they go before its trees, and none is lost.
func TestRetryWhileAChunkIsPrepared(t *testing.T) {
	s := newSim(t, cellTrees(0, 1), cellTrees(1, 3))
	s.takes = func(activity string, cell, n int) (time.Duration, error) {
		if activity == protocol.ActivityPrepare && cell == 1 {
			return 90 * time.Second, nil // it is read ahead
		}
		return failsAt(0)(activity, cell, n)
	}
	s.at(75*time.Second, protocol.UpdateRetry) // the chunk is waited for from 60 to 90 seconds
	wantDone(t, s, s.input(1))
	wantBegan(t, s, "TrainStage 0", "TrainStage 0", "Evaluate 0", "TrainStage 1", "Evaluate 1", "TrainStage 2",
		"Evaluate 2")
}

// A cell that was canceled before its tree began gets its result from another sweep: it counts once.
func TestCanceledCellGetsItsResult(t *testing.T) {
	s := newSim(t, cellTrees(0, 2), cellTrees(2, 4))
	s.at(30*time.Second, protocol.UpdateCancel, selection(2))
	s.doAt(40*time.Second, func(s *sim) { s.results[2] = true; delete(s.notes, 2) })
	got, err := s.run(s.input(1))
	if err != nil {
		t.Error(err)
	}
	s.wantCounts(got)
}

// A retry comes while the results are collected, and its note takes longer than that.
func TestRetryWhileResultsAreCollected(t *testing.T) {
	s := newSim(t, cellTrees(0, 1))
	s.takes = func(activity string, cell, n int) (time.Duration, error) {
		switch {
		case activity == protocol.ActivityCollect && n == 1:
			return 30 * time.Second, nil
		case activity == protocol.ActivityFail && n == 2:
			return time.Minute, nil
		}
		return failsAt(0)(activity, cell, n)
	}
	s.at(70*time.Second, protocol.UpdateRetry)
	wantDone(t, s, s.input(1))
}
