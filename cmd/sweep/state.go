package main

import (
	"context"
	"time"

	"go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"

	"github.com/topksweep/sweep/sweep/ledger"
	"github.com/topksweep/sweep/sweep/plan"
	"github.com/topksweep/sweep/sweep/protocol"
)

// A sweepState is where a sweep stands, as the store tells it, and the server if
// there is one.
type sweepState struct {
	ID        string     `json:"id"`
	Name      string     `json:"name"`
	Cells     int        `json:"cells"`
	Completed int        `json:"completed"`
	Failed    int        `json:"failed"`
	State     string     `json:"state"` // one of the constants below
	Planned   time.Time  `json:"planned"`
	Runs      []runState `json:"runs,omitempty"` // status only
	notes     int        // in the store: runs that failed or were canceled
}

// States of a sweep.
const (
	stateRunning   = "running"
	stateCompleted = "completed"
	stateFailed    = "failed"
	stateCanceled  = "canceled"
	stateStopped   = "stopped" // it has runs to train, and no server that trains them
	stateUnknown   = "unknown" // the same, but there may be a server that does not answer
)

// A runState is where one run of a sweep stands.
type runState struct {
	Cell   string              `json:"cell"`
	Label  string              `json:"label"`
	Status plan.Status         `json:"status"`
	Error  string              `json:"error,omitempty"`
	Beat   *protocol.Heartbeat `json:"progress,omitempty"` // of a run in training
}

// stateOf counts a sweep's results and asks the server what the sweep does. srv may
// be nil; unfinished is then the state of a sweep that has runs to train. completed
// is what CompletedRuns returned.
func stateOf(ctx context.Context, l *ledger.Ledger, srv *server, id, unfinished string, completed map[string]bool) (
	sweepState, error) {

	h, err := l.Header(ctx, id)
	if err != nil {
		return sweepState{}, err
	}
	n, err := l.Count(ctx, h, completed)
	if err != nil {
		return sweepState{}, err
	}
	s := sweepState{
		ID: h.ID, Name: h.Name, Cells: h.CellCount,
		Completed: n.Completed, Failed: n.Failed, Planned: n.Planned, notes: n.Notes,
	}
	s.State = unfinished
	if s.Completed == s.Cells {
		s.State = stateCompleted
	}
	if srv == nil {
		return s, nil
	}
	d, err := srv.client.DescribeWorkflowExecution(ctx, id, "")
	if err != nil {
		// Else it is another server's sweep, or one past the server's retention.
		if s.State == stateStopped && noAnswer(serviceerror.ToStatus(err).Code()) {
			s.State = stateUnknown
		}
		return s, nil
	}
	switch d.WorkflowExecutionInfo.Status {
	case enums.WORKFLOW_EXECUTION_STATUS_RUNNING:
		s.State = stateRunning
	case enums.WORKFLOW_EXECUTION_STATUS_CANCELED:
		s.State = stateCanceled
	case enums.WORKFLOW_EXECUTION_STATUS_FAILED,
		enums.WORKFLOW_EXECUTION_STATUS_TERMINATED,
		enums.WORKFLOW_EXECUTION_STATUS_TIMED_OUT:
		s.State = stateFailed
	}
	return s, nil
}
