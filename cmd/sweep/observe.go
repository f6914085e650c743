package main

import (
	"cmp"
	"context"
	"errors"
	"slices"

	"go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/api/workflow/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/converter"

	"github.com/topksweep/sweep/cmd/sweep/progress"
	"github.com/topksweep/sweep/sweep/ledger"
	"github.com/topksweep/sweep/sweep/protocol"
	"github.com/topksweep/sweep/sweep/report"
)

// An observation is what the server tells of a sweep at one moment.
type observation struct {
	progress.Snapshot
	status   enums.WorkflowExecutionStatus
	queryErr error // why the workflow did not tell its progress: no worker answers
	waiting  bool  // there are stages to train, and no worker has taken any of them
}

// ended says that the workflow has ended.
func (o observation) ended() bool {
	return o.status != enums.WORKFLOW_EXECUTION_STATUS_RUNNING &&
		o.status != enums.WORKFLOW_EXECUTION_STATUS_CONTINUED_AS_NEW
}

// observe asks where a sweep stands. An error means that the server did not
// answer. Where only the workflow did not, for lack of a worker, queryErr is set.
func observe(ctx context.Context, c client.Client, id string) (observation, error) {
	var o observation
	pollCtx, cancel := context.WithTimeout(ctx, pollTimeout)
	defer cancel()
	d, err := c.DescribeWorkflowExecution(pollCtx, id, "")
	if err != nil {
		return o, err
	}
	o.status = d.WorkflowExecutionInfo.Status
	o.waiting = len(d.PendingActivities) > 0
	for _, p := range d.PendingActivities {
		o.addActivity(p)
	}
	slices.SortFunc(o.Training, func(x, y protocol.Heartbeat) int { return cmp.Compare(x.Cell, y.Cell) })
	o.queryErr = queryProgress(ctx, c, id, &o.Progress)
	if failed := (*serviceerror.QueryFailed)(nil); errors.As(o.queryErr, &failed) {
		o.queryErr = nil // a worker answered: the workflow has not begun yet
	}
	return o, nil
}

// addActivity adds an activity that is not done: a stage in training, one that
// waits for a worker, or one that failed and is tried again.
func (o *observation) addActivity(p *workflow.PendingActivityInfo) {
	var beat protocol.Heartbeat
	hasBeat := p.HeartbeatDetails != nil &&
		converter.GetDefaultDataConverter().FromPayloads(p.HeartbeatDetails, &beat) == nil && beat.Steps > 0
	f := p.LastFailure
	if f != nil && p.Attempt > 1 && f.GetApplicationFailureInfo().GetType() != "WorkerStopping" {
		r := progress.Retry{Activity: p.ActivityType.GetName(), Cell: -1, Attempt: int(p.Attempt)}
		r.Cause = report.OneLine(f.Message)
		if f.GetTimeoutFailureInfo().GetTimeoutType() == enums.TIMEOUT_TYPE_HEARTBEAT {
			r.Cause = "its worker is gone"
		}
		if hasBeat {
			r.Cell = beat.Cell
		}
		o.Retries = append(o.Retries, r)
	}
	if p.State != enums.PENDING_ACTIVITY_STATE_SCHEDULED || p.Attempt > 1 {
		o.waiting = false
	}
	if hasBeat && p.State == enums.PENDING_ACTIVITY_STATE_STARTED {
		o.Training = append(o.Training, beat)
	}
}

// queryProgress asks a sweep's workflow for its progress. A worker must answer.
func queryProgress(ctx context.Context, c client.Client, id string, p *protocol.Progress) error {
	ctx, cancel := context.WithTimeout(ctx, pollTimeout)
	defer cancel()
	q, err := c.QueryWorkflow(ctx, id, "", protocol.QueryProgress)
	if err != nil {
		return err
	}
	return q.Get(p)
}

// withCounts fills in the progress that the workflow did not tell: that of the
// observation before, or at the end the counts of the store.
func (o observation) withCounts(ctx context.Context, l *ledger.Ledger, id string, before observation) (
	observation, error) {

	if o.queryErr == nil {
		return o, nil
	}
	if !o.ended() {
		o.Progress = before.Progress
		return o, nil
	}
	// The sweep may have been extended since its header was read.
	h, err := l.Header(ctx, id)
	if err != nil {
		return o, err
	}
	done, err := l.CompletedRuns(ctx)
	if err != nil {
		return o, err
	}
	n, err := l.Count(ctx, h, done)
	o.Progress.Summary = protocol.Summary{Cells: h.CellCount, Completed: n.Completed, Failed: n.Failed}
	return o, err
}
