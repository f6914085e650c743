package workflows

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"go.temporal.io/sdk/temporal"

	"github.com/topksweep/sweep/sweep/plan"
	"github.com/topksweep/sweep/sweep/protocol"
)

func selection(cells ...int) protocol.Selection { return protocol.Selection{Cells: cells} }

// twoTrees returns a tree of the cells 0 to 3, which share a trunk of 31 steps, and a tree of cell 4.
func twoTrees() []plan.Tree { return append(fourCellTree(), oneCellTree("g", 4, 50)) }

// What is canceled is trained no more. What trains for other cells too goes on.
func TestCancelCells(t *testing.T) {
	for name, c := range map[string]struct {
		slots, dead int
		at          time.Duration
		cells       []int
		did         string
		stopped     int
		canceled    []int
		trained     []string // spans
	}{
		"in training alone": {
			2, 0, 30 * time.Second, []int{4}, "canceled 1 cell; 1 stage stopped; what it had trained is saved", 1, []int{4},
			[]string{"0 schedule trunk → 100", "0 trunk → 31", "1 schedule trunk → 100"},
		},
		"in a shared trunk": {
			2, 20, 30 * time.Second, []int{1, 3}, "canceled 2 cells", 0, []int{1, 3},
			[]string{"0 branch → 100", "0 trunk → 20", "2 branch → 100", "4 branch → 100"},
		},
		"the first cell of a trunk": {
			2, 0, 30 * time.Second, []int{0}, "canceled 1 cell", 0, []int{0},
			[]string{"0 trunk → 31", "1 schedule trunk → 100", "2 branch → 100", "4 branch → 100"},
		},
		"all cells of a trunk": {
			2, 0, 30 * time.Second, []int{3, 2, 1, 0, 0}, "canceled 4 cells; 1 stage stopped; what it had trained is saved", 1,
			cellRange(0, 4), []string{"4 branch → 100"},
		},
		"whose tree has not begun": {
			1, 0, 30 * time.Second, []int{4}, "canceled 1 cell", 0, []int{4},
			[]string{"0 schedule trunk → 100", "0 trunk → 31", "1 schedule trunk → 100"},
		},
		"all": {
			2, 0, 30 * time.Second, cellRange(0, 5), "canceled 5 cells; 2 stages stopped; what they had trained is saved", 2,
			cellRange(0, 5), nil,
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := newSim(t, twoTrees())
			s.dead = c.dead
			s.at(c.at, protocol.UpdateCancel, protocol.Selection{Cells: c.cells})
			got, err := s.run(s.input(c.slots))
			if err != nil {
				t.Error(err)
			}
			s.wantCounts(got)
			if got.Completed != 5-len(c.canceled) || !slices.Equal(s.cellsWith(plan.Canceled), c.canceled) {
				t.Errorf("%+v, canceled %v", got, s.cellsWith(plan.Canceled))
			}
			s.wantAnswer(protocol.UpdateCancel, c.did, plan.Training, c.stopped, c.canceled...)
			slices.Sort(s.spans)
			if !slices.Equal(s.spans, c.trained) {
				t.Errorf("trained %q\nwant    %q", s.spans, c.trained)
			}
			if s.collected != 1 {
				t.Errorf("collected %d times", s.collected)
			}
		})
	}
}

// The evaluation of a canceled cell stops. If its result is stored anyway, the cell is completed, and counted once.
func TestCancelInEvaluation(t *testing.T) {
	for _, late := range []bool{false, true} {
		s := newSim(t, fourCellTree()) // the cells 0 and 2 are one run without a dead latent
		s.late = late
		s.at(125*time.Second, protocol.UpdateCancel, selection(0))
		got, err := s.run(s.input(1))
		if err != nil {
			t.Error(err)
		}
		s.wantCounts(got)
		want := protocol.Summary{Cells: 4, Completed: 3, Canceled: 1, Steps: got.Steps}
		did, cells := "canceled 1 cell", []int{0}
		if late {
			want.Completed, want.Canceled = 4, 0
			did, cells = "canceled 0 cells; 1 other has a result or was given up before", nil
		}
		wantSummary(t, got, want)
		s.wantAnswer(protocol.UpdateCancel, did, plan.Training, 0, cells...)
		if p := progressOf(t, s.env); len(p.Seen) != want.Completed {
			t.Errorf("late %t: seen %+v", late, p.Seen)
		}
	}
}

// Cells that have a result stay completed, those that are given up stay so.
func TestCancelTwice(t *testing.T) {
	s := newSim(t, cellTrees(0, 6))
	s.results[5] = true // of an earlier sweep: its tree has not begun
	s.at(80*time.Second, protocol.UpdateCancel, selection(0, 1, 4, 5))
	s.at(90*time.Second, protocol.UpdateCancel, selection(1, 4))
	got, err := s.run(s.input(1))
	if err != nil {
		t.Error(err)
	}
	wantSummary(t, got, protocol.Summary{Cells: 6, Completed: 4, Reused: 1, Canceled: 2, Steps: got.Steps})
	s.wantCounts(got)
	s.wantAnswer(protocol.UpdateCancel,
		"canceled 2 cells; 2 others have results or were given up before; 1 stage stopped; what it had trained is saved",
		plan.Training, 1, 1, 4)
	if a := s.answers[1]; a.Did != "no cell is left to cancel: all of them have failed or are canceled" ||
		a.Canceled != 2 || len(a.Steered.Cells) != 0 {
		t.Errorf("%+v", a)
	}
}

// A tree begins while the store is asked whether its canceled cells have results.
func TestCancelWhileTheTreeBegins(t *testing.T) {
	for _, result := range []string{"", "before", "after its chunk is read"} {
		s := newSim(t, cellTrees(0, 3))
		s.results[1] = result == "before"
		if result == "after its chunk is read" { // by another sweep
			s.doAt(10*time.Second, func(s *sim) { s.results[1] = true })
		}
		s.takes = func(activity string, _, _ int) (time.Duration, error) {
			return map[string]time.Duration{
				protocol.ActivityTrain: time.Minute, protocol.ActivityFail: 5 * time.Minute,
			}[activity], nil
		}
		s.at(30*time.Second, protocol.UpdateCancel, selection(1))
		got, err := s.run(s.input(1))
		if err != nil {
			t.Error(err)
		}
		s.wantCounts(got)
		if want := []string{"TrainStage 0", "Evaluate 0", "TrainStage 2", "Evaluate 2"}; !slices.Equal(s.began, want) {
			t.Errorf("began %q", s.began)
		}
		if a := s.answerTo(protocol.UpdateCancel); a.Canceled != got.Canceled || a.Completed != got.Completed {
			t.Errorf("%+v, want the counts of %+v", a, got)
		}
		if s.collected != 1 {
			t.Errorf("collected %d times, want once: the results come after the answer", s.collected)
		}
	}
}

// A note that cannot be stored fails the update, and nothing else.
func TestNoteFails(t *testing.T) {
	s := newSim(t, cellTrees(0, 4))
	s.takes = func(activity string, _, n int) (time.Duration, error) {
		if activity == protocol.ActivityFail {
			return time.Second, errIf(n == 1, errFinal)
		}
		return map[string]time.Duration{protocol.ActivityTrain: time.Minute}[activity], nil
	}
	s.at(90*time.Second, protocol.UpdateCancel, selection(0, 1, 3)) // done, in training, not begun
	s.at(100*time.Second, protocol.UpdateRetry)
	got, err := s.run(s.input(1))
	if err != nil {
		t.Error(err)
	}
	wantSummary(t, got, protocol.Summary{Cells: 4, Completed: 4, Steps: got.Steps})
	if a := s.answers[0]; a.err == nil || a.update != protocol.UpdateCancel {
		t.Errorf("%+v", a)
	}
	s.wantAnswer(protocol.UpdateRetry, "1 cell to be trained again, before all others", plan.Training, 0, 1)
}

// A sweep that an error ends takes no update while it notes its last cells: they would be counted twice.
func TestCancelWhileAnErrorEndsTheSweep(t *testing.T) {
	s := newSim(t, cellTrees(0, 3))
	s.takes = func(activity string, cell, n int) (time.Duration, error) {
		switch {
		case activity == protocol.ActivityFail:
			return time.Minute, errIf(n == 1, errFinal)
		case activity == protocol.ActivityEval:
			return time.Minute, nil
		case activity == protocol.ActivityTrain:
			return time.Minute, errIf(cell == 0, errFinal)
		}
		return 0, nil
	}
	s.at(65*time.Second, protocol.UpdatePause) // cell 1 stays unfinished
	s.at(150*time.Second, protocol.UpdateCancel, selection(1))
	if _, err := s.run(s.input(2)); err == nil {
		t.Error("the sweep ended well")
	}
	wantSummary(t, progressOf(t, s.env).Summary, protocol.Summary{Cells: 3, Failed: 1, Canceled: 1, Steps: 100})
	if a := s.answerTo(protocol.UpdateCancel); !a.rejected || !strings.Contains(a.err.Error(), "the sweep is ending") {
		t.Errorf("%+v", a)
	}
}

// failsAt returns what activities take, if the first trainings of some cells fail.
func failsAt(cells ...int) func(activity string, cell, n int) (time.Duration, error) {
	return func(activity string, cell, n int) (time.Duration, error) {
		switch activity {
		case protocol.ActivityTrain:
			return time.Minute, errIf(n == 1 && slices.Contains(cells, cell), errFinal)
		case protocol.ActivityEval:
			return 10 * time.Second, nil
		}
		return 0, nil
	}
}

// Failed and canceled cells are trained at once, before all others.
func TestRetryCells(t *testing.T) {
	for name, c := range map[string]struct {
		of    protocol.Selection
		did   string
		cells []int
		began []string // in training after the update
	}{
		"all": {
			selection(), "3 cells to be trained again, before all others; 1 of them in turn with the others, " +
				"since no stage of theirs has begun", []int{0, 1, 5}, []string{"0", "1", "3", "4", "5"},
		},
		"some": {
			selection(5, 0, 0, 2), "2 cells to be trained again, before all others; 1 of them in turn with the others, " +
				"since no stage of theirs has begun", []int{0, 5}, []string{"0", "3", "4", "5"},
		},
		"none that is lost": {
			selection(2, 3), "there is nothing to train again: no such cell has failed or was canceled", nil,
			[]string{"3", "4"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := newSim(t, cellTrees(0, 6))
			s.takes = failsAt(0, 1)
			s.at(125*time.Second, protocol.UpdateCancel, selection(5))
			s.at(130*time.Second, protocol.UpdateRetry, c.of)
			got, err := s.run(s.input(1)) // cell 2 trains from 120 to 180 seconds
			s.wantCounts(got)
			n, failed := 3-len(c.cells), endedWith(err) == protocol.ErrTypeFailed
			if got.Failed+got.Canceled != n || failed != (got.Failed > 0) {
				t.Errorf("%+v, %v", got, err)
			}
			s.wantAnswer(protocol.UpdateRetry, c.did, plan.Training, 0, c.cells...)
			var trained []string
			for _, b := range s.began[4:] {
				var cell string
				if _, err := fmt.Sscanf(b, "TrainStage %s", &cell); err == nil {
					trained = append(trained, cell)
				}
			}
			if !slices.Equal(trained, c.began) {
				t.Errorf("trained %v after the update, want %v", trained, c.began)
			}
			for _, cell := range c.cells {
				id := fmt.Sprintf("cell %d (k=%d) steps 0-100, no. 2", cell, cell)
				if cell != 5 && s.priority[id].PriorityKey != keyHigh {
					t.Errorf("%s has %+v", id, s.priority[id])
				}
			}
		})
	}
}

// A cell of a shared stage is canceled and retried while the stage trains. It has a branch of its own from then on, and
// the shared stage trains for the others alone.
func TestRetryWhileTheTreeTrains(t *testing.T) {
	for _, slots := range []int{1, 2, 5} {
		for _, at := range []time.Duration{30 * time.Second, 65 * time.Second, 125 * time.Second, 130 * time.Second} {
			s := newSim(t, twoTrees())
			s.at(at, protocol.UpdateCancel, selection(0, 1))
			s.at(at+3*time.Second, protocol.UpdateRetry, selection(0, 1))
			wantDone(t, s, s.input(slots))
			for cell := range 5 {
				if n := s.calls[fmt.Sprint("Evaluate", cell)]; n > 2 || n == 2 && cell > 1 {
					t.Errorf("%d slots, at %s: cell %d was evaluated %d times", slots, at, cell, n)
				}
			}
		}
	}
}

// A cell is retried while the reason of its failure is being stored: the newer note stays.
func TestRetryWhileTheFailureIsNoted(t *testing.T) {
	s := newSim(t, cellTrees(0, 2))
	s.takes = func(activity string, cell, n int) (time.Duration, error) {
		if activity == protocol.ActivityFail {
			return map[int]time.Duration{1: time.Minute}[n], nil
		}
		return failsAt(0)(activity, cell, n)
	}
	notes := -1
	s.doAt(125*time.Second, func(s *sim) { notes = len(s.notes) })
	s.at(70*time.Second, protocol.UpdateRetry)
	wantDone(t, s, s.input(2))
	if notes != 0 {
		t.Errorf("%d notes of failures after the retry", notes)
	}
}

// The sweep begins to end while a retry clears the notes of lost cells. The retry is refused, and the notes come back.
func TestRetryAsTheSweepEnds(t *testing.T) {
	for name, ends := range map[string]func(s *sim, in *protocol.SweepInput){
		"canceled": func(s *sim, _ *protocol.SweepInput) {
			s.doAt(75*time.Second, func(s *sim) { s.env.CancelWorkflow() })
		},
		"max_failed": func(_ *sim, in *protocol.SweepInput) { in.FailureLimit = 2 }, // cell 1 fails after 120 seconds
	} {
		t.Run(name, func(t *testing.T) {
			s := newSim(t, cellTrees(0, 6))
			s.takes = func(activity string, cell, n int) (time.Duration, error) {
				if activity == protocol.ActivityFail {
					return map[int]time.Duration{3: 2 * time.Minute}[n], nil
				}
				return failsAt(0, 1)(activity, cell, n)
			}
			s.at(61*time.Second, protocol.UpdateCancel, selection(5))
			s.at(70*time.Second, protocol.UpdateRetry)
			in := s.input(1)
			ends(s, &in)
			_, _ = s.run(in) // a canceled sweep has no outcome
			s.wantCounts(progressOf(t, s.env).Summary)
			a := s.answerTo(protocol.UpdateRetry)
			if a.err == nil || a.rejected || !strings.Contains(a.err.Error(), "the sweep is ending") {
				t.Errorf("%+v", a)
			}
			if s.notes[0] != plan.Failed || s.reasons[0] != "step 3: the loss is NaN" || s.notes[5] != plan.Canceled ||
				s.reasons[5] != "canceled by sweep cancel" {
				t.Errorf("notes %v, reasons %v", s.notes, s.reasons)
			}
		})
	}
}

// Where more cells have failed than a workflow remembers, the notes of all come back, some without their reasons.
func TestRetryOfManyAsTheSweepEnds(t *testing.T) {
	const failed = keptFailures + 2
	s := newSim(t, cellTrees(0, failed+1))
	s.takes = func(activity string, cell, n int) (time.Duration, error) {
		switch {
		case activity == protocol.ActivityTrain && cell == failed:
			return time.Hour, nil
		case activity == protocol.ActivityTrain:
			return time.Minute, errFinal
		case activity == protocol.ActivityFail && n == failed+1: // that of the retry
			return time.Minute, nil
		}
		return 0, nil
	}
	s.at(70*time.Second, protocol.UpdateRetry)
	s.doAt(75*time.Second, func(s *sim) { s.env.CancelWorkflow() })
	_, _ = s.run(s.input(failed + 1))
	s.wantCounts(progressOf(t, s.env).Summary)
	whole := 0
	for cell := range failed {
		if s.reasons[cell] == "step 3: the loss is NaN" {
			whole++
		}
	}
	n, answer := len(s.cellsWith(plan.Failed)), s.answerTo(protocol.UpdateRetry)
	if n != failed || whole != keptFailures || answer.err == nil {
		t.Errorf("%d notes of failures, %d with their reasons; want %d, %d; %+v", n, whole, failed, keptFailures, answer)
	}
}

// The last checkpoint of a cell is lost. It is canceled while the stage trains again for its evaluation.
func TestCancelWhileACheckpointIsTrainedAgain(t *testing.T) {
	s := newSim(t, fourCellTree())
	lost := temporal.NewNonRetryableApplicationError("lost", protocol.ErrTypeLost, nil)
	s.takes = func(activity string, cell, n int) (time.Duration, error) {
		switch activity {
		case protocol.ActivityTrain:
			return time.Minute, nil
		case protocol.ActivityEval:
			return 10 * time.Second, errIf(cell == 0 && n == 1, lost)
		}
		return 0, nil
	}
	s.at(150*time.Second, protocol.UpdateCancel, selection(0))
	got, err := s.run(s.input(1))
	if err != nil {
		t.Error(err)
	}
	s.wantCounts(got)
	wantSummary(t, got, protocol.Summary{Cells: 4, Completed: 3, Canceled: 1, Steps: got.Steps})
	if a := s.answerTo(protocol.UpdateCancel); a.at != 152*time.Second {
		t.Errorf("answered after %s", a.at)
	}
}
