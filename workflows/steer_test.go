package workflows

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/topksweep/sweep/sweep/plan"
	"github.com/topksweep/sweep/sweep/protocol"
)

// In these tests a stage takes a minute, an evaluation 10 seconds, and what is stopped 2 seconds to save its state,
// unless a test says otherwise.

func completed(cells int) protocol.Summary { return protocol.Summary{Cells: cells, Completed: cells} }

// wantDone runs a sweep, all of whose cells are to complete.
func wantDone(t *testing.T, s *sim, in protocol.SweepInput) {
	t.Helper()
	got, err := s.run(in)
	if err != nil {
		t.Error(err)
	}
	got.Steps = 0
	wantSummary(t, got, completed(s.size(len(s.chunks)).Cells))
	s.wantCounts(got)
}

// Pausing stops what trains and what is evaluated. Resuming goes on with the same stages.
func TestPauseAndResume(t *testing.T) {
	s := newSim(t, cellTrees(0, 3))
	s.takes = func(activity string, cell, n int) (time.Duration, error) {
		switch {
		case activity == protocol.ActivityTrain && cell == 0:
			return time.Second, nil
		case activity == protocol.ActivityEval || activity == protocol.ActivityTrain:
			return time.Minute, nil
		}
		return 0, nil
	}
	s.at(30*time.Second, protocol.UpdatePause)
	s.at(40*time.Second, protocol.UpdatePause)
	s.at(time.Hour, protocol.UpdateResume)
	var paused protocol.Progress
	s.doAt(time.Minute, func(s *sim) { paused = progressOf(t, s.env) })
	wantDone(t, s, s.input(2))
	s.wantAnswer(protocol.UpdatePause, "paused: 2 stages stopped; what they had trained is saved", plan.Paused, 2)
	if a := s.answers[0]; a.at != 32*time.Second {
		t.Errorf("answered after %s", a.at)
	}
	if a := s.answers[1]; a.Did != "the sweep was paused before" || a.State != plan.Paused || a.err != nil {
		t.Errorf("pausing twice: %+v", a)
	}
	s.wantAnswer(protocol.UpdateResume, "resumed", plan.Training, 0)
	wantBegan(t, s, "TrainStage 0", "TrainStage 1", "Evaluate 0",
		"TrainStage 0", "TrainStage 1", "Evaluate 0", "Evaluate 1", "TrainStage 2", "Evaluate 2")
	if paused.State != plan.Paused || len(paused.Running) > 0 || paused.Ending {
		t.Errorf("progress of a paused sweep: %+v", paused)
	}
}

// A sweep can be paused and resumed at any moment.
func TestPauseAtAnyMoment(t *testing.T) {
	for name, c := range map[string]struct {
		at      time.Duration
		stopped int
		did     string
	}{
		"while a chunk is prepared":       {5 * time.Second, 0, "paused: nothing was in training"},
		"in training":                     {time.Minute, 1, "paused: 1 stage stopped; what it had trained is saved"},
		"in evaluation":                   {75 * time.Second, 1, "paused: 1 stage stopped; what it had trained is saved"},
		"while the results are collected": {150 * time.Second, 0, "paused: nothing was in training"},
	} {
		for _, late := range []bool{false, true} {
			t.Run(name, func(t *testing.T) {
				s := newSim(t, cellTrees(0, 2))
				s.late = late
				s.takes = func(activity string, _, _ int) (time.Duration, error) {
					return map[string]time.Duration{
						protocol.ActivityTrain: time.Minute, protocol.ActivityLook: 0,
					}[activity] + map[bool]time.Duration{true: 10 * time.Second}[activity != protocol.ActivityTrain &&
						activity != protocol.ActivityLook], nil
				}
				s.at(c.at, protocol.UpdatePause)
				s.at(5*time.Minute, protocol.UpdateResume)
				wantDone(t, s, s.input(1))
				s.wantAnswer(protocol.UpdatePause, c.did, plan.Paused, c.stopped)
				for cell := range 2 {
					if n := s.calls["Evaluate"+string(rune('0'+cell))]; n < 1 || n > 2 || late && n > 1 {
						t.Errorf("cell %d was evaluated %d times", cell, n)
					}
				}
			})
		}
	}
}

func TestResumeWithoutPause(t *testing.T) {
	s := newSim(t, cellTrees(0, 1))
	s.at(time.Second, protocol.UpdateResume)
	wantDone(t, s, s.input(1))
	s.wantAnswer(protocol.UpdateResume, "the sweep was not paused", plan.Training, 0)
}

func TestSet(t *testing.T) {
	s := newSim(t, cellTrees(0, 8))
	s.at(30*time.Second, protocol.UpdateSet, protocol.Settings{MaxConcurrent: 1})
	s.doAt(40*time.Second, func(s *sim) {
		if p := progressOf(t, s.env); !slices.Equal(p.Running, []int{0}) || p.MaxConcurrent != 1 {
			t.Errorf("progress: %+v, want cell 0 alone, which began first", p)
		}
	})
	s.at(200*time.Second, protocol.UpdateSet, protocol.Settings{MaxConcurrent: 4})
	s.doAt(201*time.Second, func(s *sim) {
		if len(s.flights) != 4 {
			t.Errorf("%d stages are in flight after max_concurrent was set to 4", len(s.flights))
		}
	})
	wantDone(t, s, s.input(3))
	s.wantAnswer(protocol.UpdateSet,
		"max_concurrent was 3 and is 1: 2 stages stopped; what they had trained is saved", plan.Training, 2)
	if a := s.answers[1]; a.Did != "max_concurrent was 1 and is 4" || a.Stopped != 0 || a.err != nil {
		t.Errorf("%+v", a)
	}
}

// A lower max_concurrent holds too for a stage whose chunk of the plan was being read.
func TestSetWhileAChunkIsPrepared(t *testing.T) {
	s := newSim(t, cellTrees(0, plan.ChunkSize), cellTrees(plan.ChunkSize, plan.ChunkSize+1))
	s.takes = func(activity string, cell, _ int) (time.Duration, error) {
		switch {
		case activity == protocol.ActivityPrepare && cell == 1:
			return time.Minute, nil
		case activity == protocol.ActivityTrain && cell == plan.ChunkSize-1:
			return time.Hour, nil
		}
		return 0, nil
	}
	s.at(30*time.Second, protocol.UpdateSet, protocol.Settings{MaxConcurrent: 1})
	wantDone(t, s, s.input(2))
	s.wantAnswer(protocol.UpdateSet, "max_concurrent was 2 and is 1", plan.Training, 0)
}

// What an update cannot do is refused before it is written to the history.
func TestUpdatesThatAreRefused(t *testing.T) {
	cells := func(cells ...int) protocol.Selection { return protocol.Selection{Cells: cells} }
	for _, c := range []struct {
		update, want string
		arg          any
	}{
		{protocol.UpdateSet, "max_concurrent 0: want", protocol.Settings{}},
		{protocol.UpdateSet, "max_concurrent -1: want", protocol.Settings{MaxConcurrent: -1}},
		{protocol.UpdateSet, "want one of them", protocol.Settings{MaxConcurrent: 4, AutoConcurrent: true}},
		{protocol.UpdateSet, "max_concurrent 200001: want", protocol.Settings{MaxConcurrent: 200_001}},
		{protocol.UpdateSet, "201 is more than 200, the most", protocol.Settings{MaxConcurrent: 201}},
		{protocol.UpdateCancel, "no cells", cells()},
		{protocol.UpdateCancel, "there is no cell 3: the sweep has the cells 0 to 2", cells(0, 3)},
		{protocol.UpdateCancel, "there is no cell -1", cells(-1)},
		{protocol.UpdateCancel, "at a time", cells(make([]int, protocol.MaxSelection+1)...)},
		{protocol.UpdateRetry, "there is no cell 3", cells(3)},
		{protocol.UpdatePriority, `priority "urgent": want`, protocol.Priority("urgent")},
		{protocol.UpdatePriority, `priority "": want`, protocol.Priority("")},
		{protocol.UpdateExtend, "no cells: use", protocol.Extension{}},
		{protocol.UpdateExtend, "no cells: use", protocol.Extension{Size: plan.Size{Cells: 4}}},
	} {
		s := newSim(t, cellTrees(0, 3))
		s.at(time.Second, c.update, c.arg)
		wantDone(t, s, s.input(2))
		if a := s.answerTo(c.update); !a.rejected || !strings.Contains(a.err.Error(), c.want) {
			t.Errorf("%s %+v: answered with %+v, want %q", c.update, c.arg, a, c.want)
		}
	}
}

// A sweep that is ending refuses updates: it would not act on them.
func TestUpdateOfAnEndingSweep(t *testing.T) {
	for _, update := range []string{protocol.UpdatePause, protocol.UpdateResume, protocol.UpdateRetry} {
		s := newSim(t, cellTrees(0, 3))
		s.saving = time.Minute
		s.doAt(30*time.Second, func(s *sim) { s.env.CancelWorkflow() })
		s.at(40*time.Second, update)
		if _, err := s.run(s.input(2)); endedWith(err) != "canceled" {
			t.Errorf("ended with %v", err)
		}
		if a := s.answerTo(update); !a.rejected || !strings.Contains(a.err.Error(), "the sweep is ending") {
			t.Errorf("%s was answered with %+v", update, a)
		}
	}
}

// A paused sweep can be canceled as a whole. Cells that were canceled one by one are counted once.
func TestCancelWhilePaused(t *testing.T) {
	s := newSim(t, cellTrees(0, 5))
	s.at(30*time.Second, protocol.UpdatePause)
	s.at(40*time.Second, protocol.UpdateCancel, protocol.Selection{Cells: []int{0, 4}})
	s.at(50*time.Second, protocol.UpdateRetry, protocol.Selection{Cells: []int{0}})
	s.at(55*time.Second, protocol.UpdateCancel, protocol.Selection{Cells: []int{0}})
	s.doAt(time.Minute, func(s *sim) { s.env.CancelWorkflow() })
	_, err := s.run(s.input(3))
	if endedWith(err) != "canceled" || s.collected != 1 {
		t.Errorf("ended with %v, collected %d times", err, s.collected)
	}
	got := progressOf(t, s.env)
	wantSummary(t, got.Summary, protocol.Summary{Cells: 5, Canceled: 4})
	s.wantCounts(got.Summary)
	if got.State != plan.Canceled {
		t.Errorf("the state is %s", got.State)
	}
}

// Stages that wait in the queue leave it when the priority changes, and start again with the new one.
func TestPriority(t *testing.T) {
	s := newSim(t, cellTrees(0, 4))
	s.live = func(s *sim) (live protocol.Live) {
		for _, f := range s.flights {
			l := protocol.LiveStage{ID: f.id, Cell: f.cell, State: plan.Waiting}
			if f.cell == 0 {
				l.State = plan.Training
			}
			live.Stages = append(live.Stages, l)
		}
		return live
	}
	s.at(30*time.Second, protocol.UpdatePriority, protocol.PriorityLow)
	s.at(40*time.Second, protocol.UpdatePriority, protocol.PriorityLow)
	wantDone(t, s, s.input(3))
	s.wantAnswer(protocol.UpdatePriority, "priority was normal and is low; 2 waiting stages moved in the queue",
		plan.Training, 0)
	for id, want := range map[string]int{
		"cell 0 (k=0) steps 0-100": keyNormal, "cell 1 (k=1) steps 0-100": keyNormal,
		"cell 1 (k=1) steps 0-100, no. 2": keyLow, "cell 2 (k=2) steps 0-100, no. 2": keyLow,
		"cell 3 (k=3) steps 0-100": keyLow, "evaluate cell 3 (k=3)": keyShort,
	} {
		if got := s.priority[id]; got.PriorityKey != want || got.FairnessKey != testSweep || got.FairnessWeight != 1 {
			t.Errorf("%s has %+v, want key %d", id, got, want)
		}
	}
	if a := s.answers[1]; a.Did != "priority was low and is low" || a.err != nil {
		t.Errorf("%+v", a)
	}
}

// All stages that wait move in the queue, also those that the details do not show.
func TestPriorityOfManyStages(t *testing.T) {
	const cells = 2 * protocol.MaxLive
	s := newSim(t, cellTrees(0, cells))
	s.live = func(s *sim) (live protocol.Live) {
		for _, f := range s.flights {
			live.Stages = append(live.Stages, protocol.LiveStage{ID: f.id, Cell: f.cell, State: plan.Waiting})
		}
		return live
	}
	s.at(30*time.Second, protocol.UpdatePriority, protocol.PriorityLow)
	wantDone(t, s, s.input(cells))
	s.wantAnswer(protocol.UpdatePriority, "priority was normal and is low; 32 waiting stages moved in the queue",
		plan.Training, 0)
}

// Without an answer of the server the new priority holds for the stages that start from now on.
func TestPriorityWithoutLook(t *testing.T) {
	s := newSim(t, cellTrees(0, 2))
	s.takes = func(activity string, _, _ int) (time.Duration, error) {
		if activity == protocol.ActivityLook {
			return time.Second, errFinal
		}
		return time.Minute, nil
	}
	s.at(90*time.Second, protocol.UpdatePriority, protocol.PriorityHigh)
	wantDone(t, s, s.input(1))
	s.wantAnswer(protocol.UpdatePriority,
		"priority was normal and is high for the stages that start from now on", plan.Training, 0)
	if got := s.priority["cell 1 (k=1) steps 0-100"].PriorityKey; got != keyHigh {
		t.Errorf("the second stage has key %d", got)
	}
}

// The sweeps of an owner share one turn, and no more stages wait than the workers can soon take.
func TestLookBoundsTheStages(t *testing.T) {
	s := newSim(t, cellTrees(0, 30))
	s.live = func(*sim) protocol.Live { return protocol.Live{Slots: 2, OwnersSweeps: 4} }
	most := 0
	for i := range 40 {
		s.doAt(time.Duration(i)*20*time.Second+time.Second, func(s *sim) { most = max(most, len(s.flights)) })
	}
	wantDone(t, s, s.input(20))
	if most != 6 {
		t.Errorf("at most %d stages were in flight, want 2·2+2", most)
	}
	if w := s.priority["cell 3 (k=3) steps 0-100"].FairnessWeight; w != 0.25 {
		t.Errorf("the weight is %g, want 1/4", w)
	}
}

// With max_concurrent: auto a sweep fills the slots that the workers have, and a few stages wait. While the slots are
// not known, the number of the input counts. What is set holds from then on.
func TestAutoConcurrent(t *testing.T) {
	s := newSim(t, cellTrees(0, 200))
	slots := 0
	s.live = func(*sim) protocol.Live { return protocol.Live{Slots: slots} }
	flights := func(at time.Duration, want, concurrent int, auto bool) {
		s.doAt(at, func(s *sim) {
			p := progressOf(t, s.env)
			if len(s.flights) != want || p.MaxConcurrent != concurrent || p.Auto != auto {
				t.Errorf("at %v: %d stages are in flight, want %d; max_concurrent %d, auto %t", at, len(s.flights), want,
					p.MaxConcurrent, p.Auto)
			}
		})
	}
	flights(5*time.Second, 3, 3, true)
	s.doAt(6*time.Second, func(*sim) { slots = 16 })
	flights(60*time.Second, 16+4+2, 16, true)
	s.at(61*time.Second, protocol.UpdateSet, protocol.Settings{MaxConcurrent: 2})
	flights(90*time.Second, 2, 2, false)
	s.at(91*time.Second, protocol.UpdateSet, protocol.Settings{AutoConcurrent: true})
	flights(120*time.Second, 16+4+2, 16, true)
	in := s.input(3)
	in.AutoConcurrent = true
	wantDone(t, s, in)
	s.wantAnswer(protocol.UpdateSet,
		"max_concurrent was auto and is 2: 20 stages stopped; what they had trained is saved", plan.Training, 20)
	if a := s.answers[1]; a.Did != "max_concurrent was 2 and is auto" || a.Stopped != 0 || a.err != nil {
		t.Errorf("%+v", a)
	}
}

// A stage may end just when it is told to stop. What follows it is not lost: the same history goes on with it.
func TestPauseWhenAStageEnds(t *testing.T) {
	s := newSim(t, fourCellTree())
	s.late = true
	s.at(30*time.Second, protocol.UpdatePause)
	s.at(time.Hour, protocol.UpdateResume)
	got, err := s.run(s.input(1))
	if err != nil || got.Completed != 4 || len(s.inputs) != 1 {
		t.Errorf("%+v, %v, %d histories", got, err, len(s.inputs))
	}
}

// Every stage in flight begins again with the new setting, which the continuation of the sweep keeps.
func TestSetMixClasses(t *testing.T) {
	s := newSim(t, cellTrees(0, 4))
	mix := true
	s.at(30*time.Second, protocol.UpdateSet, protocol.Settings{MixClasses: &mix})
	s.doAt(60*time.Second, func(s *sim) {
		if p := progressOf(t, s.env); !p.MixClasses || p.MaxConcurrent != 2 || len(s.flights) != 2 {
			t.Errorf("progress: %+v, %d stages in flight", p, len(s.flights))
		}
	})
	wantDone(t, s, s.input(2))
	s.wantAnswer(protocol.UpdateSet,
		"mix_classes was false and is true: 2 stages stopped; what they had trained is saved", plan.Training, 2)
}
