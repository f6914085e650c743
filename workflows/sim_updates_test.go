package workflows

import (
	"cmp"
	"slices"

	"go.temporal.io/sdk/testsuite"

	"github.com/topksweep/sweep/sweep/plan"
	"github.com/topksweep/sweep/sweep/protocol"
)

// send sends an update, and keeps its answer.
func (s *sim) send(u *steer) {
	if s.env.IsWorkflowCompleted() {
		return
	}
	u.sent = true
	if u.do != nil {
		u.do(s)
		return
	}
	a := answer{update: u.update}
	done := func(result any, err error) {
		a.at, a.err = s.env.Now().Sub(simStart), err
		if err == nil {
			a.Steered = result.(protocol.Steered)
		}
		s.answers = append(s.answers, a)
	}
	u.after = s.retries
	s.asked(u)
	accepted := false
	s.env.UpdateWorkflow(u.update, "", &testsuite.TestUpdateCallback{
		OnAccept: func() { s.open++; accepted = true },
		OnReject: func(err error) { a.rejected = true; done(nil, err) },
		OnComplete: func(result any, err error) {
			if accepted {
				s.open--
			}
			done(result, err)
			s.answered(u, a)
		},
	}, u.args...)
}

// asked notes that an update is asked for: what it allows is allowed from now on.
func (s *sim) asked(u *steer) {
	switch u.update {
	case protocol.UpdateResume:
		s.paused = false
	case protocol.UpdateSet:
		to := u.args[0].(protocol.Settings)
		if s.limit = max(s.limit, to.MaxConcurrent); to.AutoConcurrent {
			s.limit = maxSlots
		}
	case protocol.UpdateRetry:
		s.retries++
		if len(u.args) == 0 || len(u.args[0].(protocol.Selection).Cells) == 0 {
			clear(s.gone)
			return
		}
		for _, c := range u.args[0].(protocol.Selection).Cells {
			delete(s.gone, c)
		}
	}
}

// answered notes that an update is answered: what it forbids is forbidden from now on.
func (s *sim) answered(u *steer, a answer) {
	if a.err != nil {
		return
	}
	switch u.update {
	case protocol.UpdatePause:
		s.paused = a.State == plan.Paused
		if s.paused && len(s.flights) > 0 {
			s.t.Errorf("paused, and %d stages are in flight", len(s.flights))
		}
	case protocol.UpdateSet:
		s.limit = cmp.Or(u.args[0].(protocol.Settings).MaxConcurrent, s.limit)
		if len(s.flights) > s.limit {
			s.t.Errorf("%d stages are in flight after max_concurrent was set to %d", len(s.flights), s.limit)
		}
	case protocol.UpdateCancel:
		if s.plain > 0 && s.retries > u.after {
			return // a history of before does not wait for this answer when it retries
		}
		for _, c := range a.Steered.Cells {
			s.gone[c] = true
		}
	case protocol.UpdateResume, protocol.UpdateRetry: // an update before it may have been answered since
		s.asked(u)
	}
}

// answerTo returns the answer to the only update of a name.
func (s *sim) answerTo(update string) answer {
	s.t.Helper()
	i := slices.IndexFunc(s.answers, func(a answer) bool { return a.update == update })
	if i < 0 {
		s.t.Fatalf("no answer to %s: %+v", update, s.answers)
	}
	return s.answers[i]
}

// wantAnswer checks the answer to the only update of a name.
func (s *sim) wantAnswer(update, did string, state plan.Status, stopped int, cells ...int) {
	s.t.Helper()
	a := s.answerTo(update)
	if a.err != nil || a.Did != did || a.State != state || a.Stopped != stopped || a.Steered.Cells == nil ||
		!slices.Equal(a.Steered.Cells, append([]int{}, cells...)) {
		s.t.Errorf("%s was answered with %+v\nwant %q, %s, %d stopped, cells %v", update, a, did, state, stopped, cells)
	}
}
