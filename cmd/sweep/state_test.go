package main

import (
	"errors"
	"testing"

	"go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"

	"github.com/topksweep/sweep/sweep/ledger"
	"github.com/topksweep/sweep/sweep/plan"
	"github.com/topksweep/sweep/sweep/protocol"
)

// A sweep is called idle if no server trains it, and not if its server is silent.
func TestStateOfSilentServer(t *testing.T) {
	l, header := planWithResults(t, 1)
	done, err := l.CompletedRuns(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, x := range []struct {
		err  error
		want plan.Status
	}{
		{nil, plan.Training},
		{serviceerror.NewNotFound("workflow not found"), plan.Idle},
		{serviceerror.NewDeadlineExceeded("context deadline exceeded"), plan.Unknown},
		{serviceerror.NewUnavailable("database or disk is full"), plan.Unknown},
		{errors.New("other"), plan.Unknown},
	} {
		srv := &server{client: &fakeServer{describe: func(int) (enums.WorkflowExecutionStatus, error) {
			return statusRunning, x.err
		}, progress: func(int) *protocol.Progress { return &protocol.Progress{} }}}
		s, err := stateOf(t.Context(), t.Context(), l, srv, header.ID, plan.Idle, done)
		if err != nil || s.State != x.want {
			t.Errorf("%v: %s, %v, want %s", x.err, s.State, err, x.want)
		}
	}
}

// A sweep that has ended is canceled if all its cells without results were canceled one by one, on a server with and
// without search attributes. If results were lost it is idle.
func TestStateOfCanceledCells(t *testing.T) {
	l, header := planWithResults(t, 1)
	done, err := l.CompletedRuns(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	cells, err := l.Chunk(t.Context(), header.ID, 0)
	if err != nil {
		t.Fatal(err)
	}
	srv := &server{client: &fakeServer{describe: func(int) (enums.WorkflowExecutionStatus, error) {
		return statusCompleted, nil
	}}}
	want := func(status plan.Status, when string) {
		t.Helper()
		s, err := stateOf(t.Context(), t.Context(), l, srv, header.ID, plan.Idle, done)
		if err != nil || s.State != status {
			t.Errorf("%s: %s, %v, want %s", when, s.State, err, status)
		}
	}
	want(plan.Idle, "results are missing")
	for _, c := range cells[1:] {
		note := ledger.NewResult(header, c, plan.Canceled)
		note.Cell = c.ID
		if err := l.StoreFailure(t.Context(), header.ID, note); err != nil {
			t.Fatal(err)
		}
	}
	want(plan.Canceled, "all others were canceled")
}
