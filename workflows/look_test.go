package workflows

import (
	"slices"
	"testing"
	"time"

	"go.temporal.io/sdk/temporal"

	"github.com/topksweep/sweep/sweep/plan"
	"github.com/topksweep/sweep/sweep/protocol"
)

// livesOf tells the stages in flight as a server does: some cells are paused by themselves, the others train.
func livesOf(paused ...int) func(*sim) protocol.Live {
	return func(s *sim) (live protocol.Live) {
		for _, f := range s.flights {
			l := protocol.LiveStage{ID: f.id, Cell: f.cell, State: plan.Training}
			if slices.Contains(paused, f.cell) {
				l.State = plan.Paused
			} else {
				live.Training++
			}
			live.Stages = append(live.Stages, l)
		}
		return live
	}
}

// wantLive checks at a time what the progress tells of the stages in flight: the cells, and how many train.
func wantLive(s *sim, at time.Duration, training int, cells ...int) {
	s.doAt(at, func(s *sim) {
		live := progressOf(s.t, s.env).Live
		if live == nil {
			s.t.Errorf("after %s: nothing is told of the stages", at)
			return
		}
		var got []int
		for _, l := range live.Stages {
			got = append(got, l.Cell)
		}
		if live.Training != training || !slices.Equal(got, cells) {
			s.t.Errorf("after %s: %d in training, cells %v; want %d, %v", at, live.Training, got, training, cells)
		}
	})
}

// A stage that was paused by itself counted as none in training. So none is taken off when it is in flight no more.
func TestLiveWithoutAPausedStage(t *testing.T) {
	s := newSim(t, cellTrees(0, 2))
	s.live = livesOf(1)
	s.at(31*time.Second, protocol.UpdateCancel, selection(1)) // between two looks
	wantLive(s, 30500*time.Millisecond, 1, 0, 1)
	wantLive(s, 35*time.Second, 1, 0)
	if _, err := s.run(s.input(2)); err != nil {
		t.Error(err)
	}
}

// A stage that trains again, because its last checkpoint is lost, is in flight.
func TestLiveWhileACheckpointIsTrainedAgain(t *testing.T) {
	s := newSim(t, cellTrees(0, 1))
	s.live = livesOf()
	lost := temporal.NewNonRetryableApplicationError("lost", protocol.ErrTypeLost, nil)
	s.takes = func(activity string, _, n int) (time.Duration, error) {
		switch activity {
		case protocol.ActivityTrain:
			return time.Minute, nil
		case protocol.ActivityEval:
			return 15 * time.Second, errIf(n == 1, lost)
		}
		return 0, nil
	}
	wantLive(s, 71*time.Second, 1, 0)  // in evaluation
	wantLive(s, 105*time.Second, 1, 0) // in training again, from 75 to 135 seconds
	wantDone(t, s, s.input(1))
}

// A cell of a shared stage is canceled, and retried on a branch of its own. The end of the shared stage, which trains
// for it no more, does not end that.
func TestRunningAfterTheSharedStage(t *testing.T) {
	s := newSim(t, fourCellTree())
	s.at(30*time.Second, protocol.UpdateCancel, selection(0))
	s.at(35*time.Second, protocol.UpdateRetry, selection(0))
	for _, at := range []time.Duration{45 * time.Second, 65 * time.Second} { // the shared stage ends after 60 seconds
		s.doAt(at, func(s *sim) {
			p := progressOf(s.t, s.env)
			if i := slices.Index(p.Running, 0); i < 0 || p.FirstCells[i] != 0 {
				t.Errorf("after %s: %v are running, first cells %v; want 0 among them", at, p.Running, p.FirstCells)
			}
		})
	}
	wantDone(t, s, s.input(5))
}
