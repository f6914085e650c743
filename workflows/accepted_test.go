package workflows

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"go.temporal.io/sdk/temporal"

	"github.com/topksweep/sweep/sweep/plan"
	"github.com/topksweep/sweep/sweep/protocol"
)

// In these tests the sweep has the cells 0 and 1, and the update adds cell 2.

func extended(t *testing.T) (s *sim, in protocol.SweepInput) {
	s = newSim(t, cellTrees(0, 2), cellTrees(2, 3))
	in = s.input(2)
	in.Size = s.size(1)
	return s, in
}

// isEndingError reports whether a verb learns from an error that it is to wait for the end.
func isEndingError(err error) bool {
	var app *temporal.ApplicationError
	return errors.As(err, &app) && app.Type() == protocol.ErrTypeEnding
}

// Whenever an extension comes, it is refused because the sweep is ending, or its cells are trained. A sweep that ends
// early after it had accepted the extension leaves its cells as it leaves all others.
func TestExtendAtAnyMoment(t *testing.T) {
	slow := func(fails string, of error) func(string, int, int) (time.Duration, error) {
		return func(activity string, cell, n int) (time.Duration, error) {
			took := map[string]time.Duration{
				protocol.ActivityPrepare: 5 * time.Second, protocol.ActivityTrain: time.Duration(1+3*cell) * 10 * time.Second,
				protocol.ActivityEval: 10 * time.Second, protocol.ActivityFail: 20 * time.Second,
				protocol.ActivityCollect: 20 * time.Second,
			}[activity]
			return took, errIf(activity == fails && (n == 1 || of == errFinal && fails == protocol.ActivityFail), of)
		}
	}
	for name, c := range map[string]struct {
		takes  func(string, int, int) (time.Duration, error)
		change func(*sim, *protocol.SweepInput)
		ending time.Duration // from then on everything is refused; 0: until the sweep has ended nothing is
	}{
		"undisturbed":     {takes: slow("", nil)},
		"cells that fail": {takes: slow(protocol.ActivityTrain, errFinal)},
		"collecting fails": {
			takes: slow(protocol.ActivityCollect, errFinal),
		},
		"a full history": {
			takes: slow("", nil), change: func(s *sim, _ *protocol.SweepInput) { s.doAt(12*time.Second, full) },
		},
		"the failure limit": {
			takes: slow(protocol.ActivityTrain, errFinal), ending: 15 * time.Second,
			change: func(_ *sim, in *protocol.SweepInput) { in.FailureLimit = 1 },
		},
		"a failure that cannot be noted": {
			takes: func(activity string, cell, n int) (time.Duration, error) {
				took, err := slow(protocol.ActivityFail, errFinal)(activity, cell, n)
				if activity == protocol.ActivityTrain && cell == 0 {
					err = errFinal
				}
				return took, err
			},
			ending: 35 * time.Second,
		},
		"cancellation": {
			takes: slow("", nil), ending: 30 * time.Second,
			change: func(s *sim, _ *protocol.SweepInput) {
				s.doAt(30*time.Second, func(s *sim) { s.env.CancelWorkflow() })
			},
		},
	} {
		accepted, refused := 0, 0
		for at := 500 * time.Millisecond; at < 150*time.Second; at += 3 * time.Second {
			s, in := extended(t)
			if s.takes = c.takes; c.change != nil {
				c.change(s, &in)
			}
			s.at(at, protocol.UpdateExtend, protocol.Extension{Size: s.size(2)})
			got, err := s.run(in)
			if len(s.answers) == 0 {
				break // the sweep had ended
			}
			a := s.answers[0]
			what := fmt.Sprintf("%s, extended after %s", name, at)
			switch {
			case a.err != nil && !(a.rejected && isEndingError(a.err)):
				t.Errorf("%s: %v", what, a.err)
			case a.err != nil:
				refused++
				if c.ending == 0 || at < c.ending {
					t.Errorf("%s: refused", what)
				}
				continue
			case c.ending > 0 && at >= c.ending:
				t.Errorf("%s: accepted, and the sweep was ending", what)
			}
			accepted++
			switch {
			case c.ending > 0: // the sweep may have ended before it came to the cell
			case !s.results[2] && s.notes[2] != plan.Failed:
				t.Errorf("%s: accepted and not trained: %+v, %v", what, got, err)
			}
			collecting := at > 55*time.Second && at < 75*time.Second
			if name == "collecting fails" && collecting == (err != nil) {
				t.Errorf("%s: the results are collected again if there are more: %+v, %v", what, got, err)
			}
		}
		t.Logf("%s: accepted %d, refused %d", name, accepted, refused)
		if accepted < 3 || c.ending > 0 && refused < 2 {
			t.Errorf("%s: accepted %d, refused %d", name, accepted, refused)
		}
	}
}

// While an error drains the window, whatever is asked is refused, and people are told that the sweep is ending.
func TestNothingIsAcceptedWhileAnErrorDrains(t *testing.T) {
	for update, args := range map[string][]any{
		protocol.UpdateRetry: nil, protocol.UpdateCancel: {selection(1)}, protocol.UpdatePause: nil,
		protocol.UpdateResume: nil, protocol.UpdatePriority: {protocol.PriorityHigh},
		protocol.UpdateSet: {protocol.Settings{MaxConcurrent: 1}},
	} {
		s, in := extended(t)
		s.takes = func(activity string, cell, n int) (time.Duration, error) {
			switch activity {
			case protocol.ActivityTrain:
				return time.Duration(1+59*cell) * time.Second, errIf(cell == 0, errFinal)
			case protocol.ActivityFail:
				return time.Second, errFinal
			}
			return 0, nil
		}
		s.at(10*time.Second, update, args...)
		var p protocol.Progress
		s.doAt(11*time.Second, func(s *sim) { p = progressOf(t, s.env) })
		if _, err := s.run(in); err == nil || !strings.Contains(err.Error(), "record failure") {
			t.Errorf("%s: ended with %v", update, err)
		}
		if a := s.answerTo(update); !a.rejected || !isEndingError(a.err) {
			t.Errorf("%s: %+v", update, a)
		}
		if !p.Ending {
			t.Errorf("%s: progress %+v", update, p)
		}
	}
}

// A retry that was accepted before an error came, and is still at work, is answered with an error, and the notes of its
// cells stay.
func TestRetryWhenAnErrorComes(t *testing.T) {
	s := newSim(t, cellTrees(0, 3))
	s.takes = func(activity string, cell, n int) (time.Duration, error) {
		switch activity {
		case protocol.ActivityTrain:
			return []time.Duration{time.Second, 20 * time.Second, 60 * time.Second}[cell], errIf(cell < 2, errFinal)
		case protocol.ActivityFail:
			switch n {
			case 2: // the note of the retry is removed
				return 30 * time.Second, nil
			case 3: // cell 1 has failed, and that cannot be stored
				return time.Second, errFinal
			}
		}
		return 0, nil
	}
	s.at(10*time.Second, protocol.UpdateRetry, selection(0))
	if _, err := s.run(s.input(3)); err == nil || !strings.Contains(err.Error(), "record failure") {
		t.Errorf("ended with %v", err)
	}
	if a := s.answerTo(protocol.UpdateRetry); a.rejected || !isEndingError(a.err) {
		t.Errorf("%+v", a)
	}
	if s.notes[0] != plan.Failed {
		t.Errorf("cell 0 is %s", s.notes[0])
	}
}
