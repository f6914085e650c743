package main

import (
	"errors"
	"testing"

	"go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"
)

// A sweep is called stopped if no server trains it, and not if its server is silent.
func TestStateOfSilentServer(t *testing.T) {
	l, header := planWithResults(t, 1)
	done, err := l.CompletedRuns(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, x := range []struct {
		err  error
		want string
	}{
		{nil, stateRunning},
		{serviceerror.NewNotFound("workflow not found"), stateStopped},
		{serviceerror.NewDeadlineExceeded("context deadline exceeded"), stateUnknown},
		{serviceerror.NewUnavailable("database or disk is full"), stateUnknown},
		{errors.New("other"), stateUnknown},
	} {
		srv := &server{client: &fakeServer{describe: func(int) (enums.WorkflowExecutionStatus, error) {
			return statusRunning, x.err
		}}}
		s, err := stateOf(t.Context(), l, srv, header.ID, stateStopped, done)
		if err != nil || s.State != x.want {
			t.Errorf("%v: %s, %v, want %s", x.err, s.State, err, x.want)
		}
	}
}
