package workflows

import (
	"context"
	"testing"
	"time"

	"github.com/topksweep/sweep/sweep/plan"
	"github.com/topksweep/sweep/sweep/protocol"
)

// told is what people were told at a time.
type told struct {
	protocol.News
	at time.Time
}

// listen notes what activities take along for people, by virtual time.
func (f *fake) listen(now func() time.Time) *[]told {
	var all []told
	hear := func(n *protocol.News) {
		if n != nil {
			all = append(all, told{*n, now()})
		}
	}
	f.fail = func(in protocol.FailInput) error {
		hear(in.News)
		return nil
	}
	f.look = func(in protocol.LookInput) (protocol.Live, error) {
		hear(in.News)
		return protocol.Live{}, nil
	}
	return &all
}

// The first failure is told at once. Those that follow are summed up, by whichever activity comes first: the note of
// another failure, or a look while nothing fails.
func TestNews(t *testing.T) {
	f := newFake(22)
	env := f.env(t)
	all := f.listen(env.Now)
	f.train = func(_ context.Context, cell, attempt int) error {
		switch {
		case cell == 0:
			return nil
		case cell == 21 && attempt == 1: // nothing fails meanwhile
			return retryAfter(time.Hour)
		case attempt == 1:
			return retryAfter(time.Minute)
		case cell == 21:
			return nil
		}
		return errFinal
	}
	env.ExecuteWorkflow(protocol.WorkflowSweep, f.input(1))
	s, err := outcomeOf(t, env)
	if err == nil || s.Failed != 20 {
		t.Fatalf("%+v, %v", s, err)
	}
	before := told{}
	for i, n := range *all {
		fresh := n.Failed - before.Failed
		switch {
		case fresh < 1 || len(n.Failures) != min(fresh, newsFailures):
			t.Errorf("news %d: %d failed since the news before, and %d are named", i, fresh, len(n.Failures))
		case i == 0 && n.Failed != 1:
			t.Errorf("the first news: %+v", n)
		case i > 0 && n.at.Sub(before.at) < newsEvery:
			t.Errorf("news %d came %v after the one before", i, n.at.Sub(before.at))
		case i > 0 && n.at.Sub(before.at) > newsEvery+lookMost:
			t.Errorf("news %d waited for %v", i, n.at.Sub(before.at))
		}
		if n.Cells != 22 || n.Completed != 1 || n.Best == nil || n.Best.Cell != 0 || n.Failures[0].Status != plan.Failed ||
			n.Failures[0].Cell != n.Failed {
			t.Errorf("news %d: %+v, best %+v", i, n.News, n.Best)
		}
		before = n
	}
	if len(*all) < 4 || before.Failed != 20 {
		t.Errorf("told %d times, at last of %d", len(*all), before.Failed)
	}
}

// The next history knows when people were told last, and of how many failures they were not told.
func TestNewsAreContinued(t *testing.T) {
	f := newFake(2)
	env := f.env(t)
	all := f.listen(env.Now)
	began := env.Now()
	f.train = func(_ context.Context, cell, attempt int) error {
		switch {
		case cell == 0:
			return errFinal
		case attempt == 1:
			return retryAfter(time.Hour)
		}
		return nil
	}
	in := f.input(1)
	in.Resume = &protocol.Continuation{
		Summary: protocol.Summary{Failed: 3}, Told: began, Untold: 3,
		Failures: []protocol.Failure{{Cell: 7, Status: plan.Failed}, {Cell: 8, Status: plan.Canceled}},
	}
	env.ExecuteWorkflow(protocol.WorkflowSweep, in)
	if len(*all) != 1 {
		t.Fatalf("told %d times, want once", len(*all))
	}
	n := (*all)[0]
	if n.Failed != 4 || len(n.Failures) != 2 || n.Failures[0].Cell != 0 || n.Failures[1].Cell != 7 ||
		n.at.Sub(began) < newsEvery {
		t.Errorf("after %v: %+v", n.at.Sub(began), n.News)
	}
	s := &state{news: news{began, 3}}
	if c := s.continuation(); !c.Told.Equal(began) || c.Untold != 3 {
		t.Errorf("continued with %+v", c)
	}
}
