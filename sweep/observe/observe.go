// Package observe asks a Temporal server what a sweep does at one moment: its workflow's state, the activities that are
// in flight, the workers that take its stages. It is the one place that reads what a server tells of activities. It
// reads no store and knows no terminal. It may import sweep/plan and sweep/protocol, and the Temporal SDK.
package observe

import (
	"context"
	"errors"
	"time"

	"go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/sdk/client"

	"github.com/topksweep/sweep/sweep/plan"
	"github.com/topksweep/sweep/sweep/protocol"
)

// An Observation is what the server tells of a sweep at one moment.
type Observation struct {
	Status     enums.WorkflowExecutionStatus
	State      plan.Status       // of the sweep; "" if the server tells none
	Activities []Activity        // that have not ended, those that a worker has first
	Progress   protocol.Progress // zero where QueryErr is set, or the workflow has not begun
	QueryErr   error             // why the workflow did not tell its progress: no worker answers

	attribute plan.Status // the state in the search attributes; "" if they have none
}

// Ended reports whether the workflow has ended.
func (o Observation) Ended() bool {
	switch o.Status {
	case enums.WORKFLOW_EXECUTION_STATUS_RUNNING, enums.WORKFLOW_EXECUTION_STATUS_CONTINUED_AS_NEW,
		enums.WORKFLOW_EXECUTION_STATUS_PAUSED:
		return false
	}
	return true
}

// Sweep asks where a sweep stands; the workflow has the ID of the sweep. An error means that the server did not answer,
// or does not know the workflow. Where only the workflow did not answer, for lack of a worker, QueryErr is set. timeout
// bounds each of the two questions.
func Sweep(ctx context.Context, c client.Client, id string, timeout time.Duration) (Observation, error) {
	describeCtx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	o, err := Describe(describeCtx, c, id)
	if err != nil {
		return o, err
	}
	queryCtx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	o.Progress, o.QueryErr = Progress(queryCtx, c, id)
	if failed := (*serviceerror.QueryFailed)(nil); errors.As(o.QueryErr, &failed) {
		o.QueryErr = nil // a worker answered: the workflow has not begun yet
	}
	o.State = stateOf(o.Status, o.State, o.Progress.State)
	return o, nil
}

// Describe is Sweep without the progress, which a worker must tell. Its State is that of the search attribute.
func Describe(ctx context.Context, c client.Client, id string) (Observation, error) {
	d, err := c.DescribeWorkflowExecution(ctx, id, "")
	if err != nil {
		return Observation{}, err
	}
	info := d.GetWorkflowExecutionInfo()
	o := Observation{Status: info.GetStatus(), attribute: attributeState(info.GetSearchAttributes())}
	for _, p := range d.GetPendingActivities() {
		o.Activities = append(o.Activities, newActivity(p))
	}
	sortActivities(o.Activities)
	o.State = stateOf(o.Status, o.attribute, "")
	return o, nil
}

// Progress asks a sweep's workflow for its progress. A worker must answer.
func Progress(ctx context.Context, c client.Client, id string) (p protocol.Progress, err error) {
	q, err := c.QueryWorkflow(ctx, id, "", protocol.QueryProgress)
	if err != nil {
		return p, err
	}
	return p, q.Get(&p)
}
