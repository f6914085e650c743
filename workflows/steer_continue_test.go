package workflows

import (
	"reflect"
	"testing"
	"time"

	"github.com/topksweep/sweep/sweep/plan"
	"github.com/topksweep/sweep/sweep/protocol"
)

// full lets the next look at the length of the history find it full.
func full(s *sim) { s.env.SetContinueAsNewSuggested(true) }

// What people asked for goes on in the next history.
func TestContinueSteered(t *testing.T) {
	s := newSim(t, append(fourCellTree(), cellTrees(4, 9)...), []plan.Tree{oneCellTree("new", 9, 50)})
	s.takes = failsAt(4)
	s.at(10*time.Second, protocol.UpdateSet, protocol.Settings{MaxConcurrent: 2})
	s.at(15*time.Second, protocol.UpdatePriority, protocol.PriorityLow)
	s.at(100*time.Second, protocol.UpdateCancel, selection(1, 8))
	s.at(110*time.Second, protocol.UpdateExtend, protocol.Extension{Size: s.size(2), Grid: "k: [9]"})
	s.at(115*time.Second, protocol.UpdatePause)
	s.doAt(120*time.Second, full)
	s.at(121*time.Second, protocol.UpdateResume) // wakes the loop, and the history is full
	in := s.input(3)
	in.Size, in.Owner, in.Store = s.size(1), "ann", "s3://bucket"
	got, err := s.run(in)
	if endedWith(err) != protocol.ErrTypeFailed {
		t.Errorf("ended with %v", err)
	}
	s.wantCounts(got)
	wantSummary(t, got, protocol.Summary{Cells: 10, Completed: 7, Failed: 1, Canceled: 2, Steps: got.Steps})
	if len(s.inputs) != 2 {
		t.Fatalf("%d histories", len(s.inputs))
	}
	next := s.inputs[1]
	c := next.Resume
	next.Resume = nil
	in.Size, in.MaxConcurrent, in.Priority = s.size(2), 2, protocol.PriorityLow
	if !reflect.DeepEqual(next, in) {
		t.Errorf("continues with %+v\nwant %+v", next, in)
	}
	want := protocol.Continuation{
		Next: 4, Summary: protocol.Summary{Cells: 10, Failed: 1, Canceled: 2, Steps: c.Summary.Steps},
		Unfinished: []protocol.UnfinishedTree{
			{Tree: 0, Cells: []int{0, 2, 3}}, {Tree: 2, Cells: []int{5}}, {Tree: 3, Cells: []int{6}},
		},
		Canceled: []int{8},
		Lost:     []protocol.LostTree{{Tree: 0, Canceled: []int{1}}, {Tree: 1, Failed: []int{4}}},
		Failures: []protocol.Failure{
			{Cell: 4, Label: "k=4", Status: plan.Failed, Error: "step 3: the loss is NaN"},
		},
		Extensions: []string{"k: [9]"},
		Told:       time.Date(2030, 1, 1, 0, 1, 0, 0, time.UTC),
	}
	if !reflect.DeepEqual(*c, want) {
		t.Errorf("continues with %+v\nwant            %+v", *c, want)
	}
}

// A sweep stays paused when it continues as new, also when its history is full of updates alone.
func TestContinuePaused(t *testing.T) {
	s := newSim(t, cellTrees(0, 3))
	s.at(80*time.Second, protocol.UpdatePause)
	s.doAt(90*time.Second, full)
	s.at(100*time.Second, protocol.UpdateSet, protocol.Settings{MaxConcurrent: 2})
	s.doAt(110*time.Second, full)
	s.at(120*time.Second, protocol.UpdateSet, protocol.Settings{MaxConcurrent: 1})
	s.at(time.Hour, protocol.UpdateResume)
	wantDone(t, s, s.input(1))
	if len(s.inputs) != 3 {
		t.Fatalf("%d histories", len(s.inputs))
	}
	for _, in := range s.inputs[1:] {
		c := in.Resume
		if !c.Paused || c.Next != 2 || !reflect.DeepEqual(c.Unfinished, unfinishedCells(1)) || c.Summary.Completed != 1 ||
			len(c.Seen) != 1 || c.Seen[0].Cell != 0 {
			t.Errorf("continues with %+v", *c)
		}
	}
	wantBegan(t, s, "TrainStage 0", "Evaluate 0", "TrainStage 1", "TrainStage 1", "Evaluate 1", "TrainStage 2",
		"Evaluate 2")
}

// Cells that wait to be trained again when a history is full are trained in the next one. One that is canceled there
// before its tree starts again stays canceled.
func TestContinueWithRetriedCells(t *testing.T) {
	s := newSim(t, cellTrees(0, 5))
	s.takes = failsAt(0, 1)
	s.at(125*time.Second, protocol.UpdatePause)
	s.at(130*time.Second, protocol.UpdateRetry)
	s.doAt(131*time.Second, full)
	s.at(132*time.Second, protocol.UpdateSet, protocol.Settings{MaxConcurrent: 1})
	s.at(140*time.Second, protocol.UpdateCancel, selection(1))
	s.at(150*time.Second, protocol.UpdateResume)
	got, err := s.run(s.input(1))
	if err != nil {
		t.Error(err)
	}
	s.wantCounts(got)
	wantSummary(t, got, protocol.Summary{Cells: 5, Completed: 4, Canceled: 1, Steps: got.Steps})
	if c := s.inputs[1].Resume; !reflect.DeepEqual(c.Unfinished, unfinishedCells(2, 0, 1)) || len(c.Lost) > 0 {
		t.Errorf("continues with %+v", c)
	}
	if s.calls["TrainStage1"] != 1 {
		t.Errorf("cell 1 was trained %d times", s.calls["TrainStage1"])
	}
}

// An update comes while the results are collected. It is answered, and what it asks for is done.
func TestUpdateWhileResultsAreCollected(t *testing.T) {
	setup := func() *sim {
		s := newSim(t, cellTrees(0, 3), []plan.Tree{oneCellTree("new", 3, 50)})
		s.takes = func(activity string, cell, n int) (time.Duration, error) {
			if activity == protocol.ActivityCollect {
				return time.Hour, nil
			}
			return failsAt(1)(activity, cell, n)
		}
		return s
	}
	s := setup()
	in := s.input(1)
	in.Size = s.size(1)
	s.at(30*time.Minute, protocol.UpdateRetry)
	got, err := s.run(in)
	if err != nil {
		t.Error(err)
	}
	wantSummary(t, got, protocol.Summary{Cells: 3, Completed: 3, Steps: got.Steps})
	s.wantAnswer(protocol.UpdateRetry, "1 cell to be trained again, before all others", plan.Training, 0, 1)
	if len(s.inputs) != 2 || s.collected != 2 {
		t.Errorf("%d histories, collected %d times", len(s.inputs), s.collected)
	}

	s = setup()
	s.at(30*time.Minute, protocol.UpdateExtend, protocol.Extension{Size: s.size(2)})
	got, err = s.run(in)
	if endedWith(err) != protocol.ErrTypeFailed {
		t.Error(err)
	}
	wantSummary(t, got, protocol.Summary{Cells: 4, Completed: 3, Failed: 1, Steps: got.Steps})
	s.wantAnswer(protocol.UpdateExtend, "added 1 cell: 4 in all", plan.Training, 0)

	// Cancelling a cell that has failed, and one that has its result, changes nothing.
	s = setup()
	s.at(30*time.Minute, protocol.UpdateCancel, selection(0, 1))
	got, err = s.run(in)
	if endedWith(err) != protocol.ErrTypeFailed || len(s.inputs) != 1 {
		t.Errorf("%v, %d histories", err, len(s.inputs))
	}
	s.wantCounts(got)
	s.wantAnswer(protocol.UpdateCancel, "canceled 0 cells; 2 others have results or were given up before",
		plan.Training, 0)
}

// A paused sweep can be extended. What was added is trained after resume.
func TestExtendWhilePaused(t *testing.T) {
	s := newSim(t, cellTrees(0, 2), []plan.Tree{oneCellTree("new", 2, 50)})
	s.at(30*time.Second, protocol.UpdatePause)
	s.at(time.Minute, protocol.UpdateExtend, protocol.Extension{Size: s.size(2), Grid: "k: [9]"})
	s.doAt(2*time.Minute, func(s *sim) {
		if len(s.flights) > 0 {
			t.Error("a paused sweep goes on")
		}
	})
	s.at(3*time.Minute, protocol.UpdateResume)
	in := s.input(2)
	in.Size = s.size(1)
	wantDone(t, s, in)
	s.wantAnswer(protocol.UpdateExtend, "added 1 cell: 3 in all", plan.Paused, 0)
}

// A history that an old program began cannot stop one stage alone. It continues as new, and does what was asked.
func TestSteerAnOldHistory(t *testing.T) {
	for update, args := range map[string][]any{
		protocol.UpdatePause:    nil,
		protocol.UpdateSet:      {protocol.Settings{MaxConcurrent: 1}},
		protocol.UpdateCancel:   {selection(0, 3)},
		protocol.UpdatePriority: {protocol.PriorityHigh},
		protocol.UpdateRetry:    {selection(0)},
	} {
		t.Run(update, func(t *testing.T) {
			s := newSim(t, cellTrees(0, 5))
			s.plain = 1
			s.at(30*time.Second, update, args...)
			s.at(100*time.Second, protocol.UpdateResume)
			s.at(101*time.Second, protocol.UpdateRetry)
			wantDone(t, s, s.input(2))
			histories := 1
			if update != protocol.UpdatePriority && update != protocol.UpdateRetry {
				histories = 2 // stages were stopped
			}
			if a := s.answers[0]; a.update != update || a.err != nil || len(s.inputs) != histories {
				t.Errorf("%d histories, answered with %+v", len(s.inputs), a)
			}
		})
	}
}

// Retrying all cells in a history of before waits until all others are done, as it did. A cell that is canceled after
// that stays canceled.
func TestRetryInAnOldHistory(t *testing.T) {
	s := newSim(t, cellTrees(0, 4))
	s.plain = 1
	s.takes = failsAt(0)
	s.at(70*time.Second, protocol.UpdateRetry)
	s.at(75*time.Second, protocol.UpdateCancel, selection(3))
	got, err := s.run(s.input(1))
	if err != nil {
		t.Error(err)
	}
	s.wantAnswer(protocol.UpdateRetry, "failed and canceled cells are trained again after all others",
		plan.Training, 0)
	wantSummary(t, got, protocol.Summary{Cells: 4, Completed: 3, Canceled: 1, Steps: got.Steps})
	if got := s.began[len(s.began)-2]; got != "TrainStage 0" || s.calls["TrainStage3"] > 0 {
		t.Errorf("began %q", s.began)
	}
}

// Which cells an older version gave up is not known. Retrying goes through all trees again for them.
func TestRetryForgottenCells(t *testing.T) {
	s := newSim(t, cellTrees(0, 4))
	s.results[0], s.results[1], s.notes[2] = true, true, plan.Failed
	in := s.input(1)
	in.Resume = &protocol.Continuation{Next: 3, Summary: protocol.Summary{Cells: 4, Completed: 2, Failed: 1}}
	s.at(30*time.Second, protocol.UpdateRetry)
	wantDone(t, s, in)
	s.wantAnswer(protocol.UpdateRetry, "cells that an older version of sweep gave up are trained again after all others",
		plan.Training, 0)
	wantBegan(t, s, "TrainStage 3", "Evaluate 3", "TrainStage 2", "Evaluate 2")
}

// Of two extensions, the one that added less may come last.
func TestExtensionsOutOfOrder(t *testing.T) {
	s := newSim(t, cellTrees(0, 1), cellTrees(1, 2), cellTrees(2, 3))
	in := s.input(1)
	in.Size = s.size(1)
	s.at(10*time.Second, protocol.UpdateExtend, protocol.Extension{Size: s.size(3)})
	s.at(20*time.Second, protocol.UpdateExtend, protocol.Extension{Size: s.size(2)})
	wantDone(t, s, in)
	if a := s.answers[1]; a.Did != "added 0 cells: 3 in all" || a.err != nil {
		t.Errorf("%+v", a)
	}
}
