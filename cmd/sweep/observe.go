package main

import (
	"cmp"
	"context"
	"slices"

	"go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/client"

	"github.com/topksweep/sweep/cmd/sweep/progress"
	"github.com/topksweep/sweep/sweep/ledger"
	"github.com/topksweep/sweep/sweep/observe"
	"github.com/topksweep/sweep/sweep/plan"
	"github.com/topksweep/sweep/sweep/protocol"
)

// An observation is what the server tells of a sweep at one moment, and what is drawn of that.
type observation struct {
	progress.Snapshot
	status     enums.WorkflowExecutionStatus
	state      plan.Status        // of the sweep; "" if the server tells none
	activities []observe.Activity // that have not ended
	queryErr   error              // why the workflow did not tell its progress: no worker answers
	waiting    bool               // there are stages to train, and no worker has taken any of them
	held       bool               // there are stages, and all were paused one by one, as in the Web UI
}

// ended says that the workflow has ended.
func (o observation) ended() bool { return observe.Observation{Status: o.status}.Ended() }

// observeSweep asks where a sweep stands. An error means that the server did not
// answer. Where only the workflow did not, for lack of a worker, queryErr is set.
func observeSweep(ctx context.Context, c client.Client, id string) (observation, error) {
	told, err := observe.Sweep(ctx, c, id, pollTimeout)
	o := observation{
		status: told.Status, state: told.State, activities: told.Activities, queryErr: told.QueryErr,
	}
	o.Progress = told.Progress
	if err != nil {
		return o, err
	}
	for _, a := range told.Activities {
		o.addActivity(a)
	}
	slices.SortFunc(o.Training, func(x, y protocol.Heartbeat) int { return cmp.Compare(x.Cell, y.Cell) })
	o.waiting, o.held = waitsFor(told.Activities)
	return o, nil
}

// addActivity adds what is drawn of an activity that is not done: a stage in training, or one that failed and is tried
// again.
func (o *observation) addActivity(a observe.Activity) {
	if a.Cause != "" {
		r := progress.Retry{Activity: a.Type, Cell: -1, Attempt: a.Attempt, Cause: a.Cause}
		if a.Beat != nil {
			r.Cell = a.Beat.Cell
		}
		o.Retries = append(o.Retries, r)
	}
	if a.Beat != nil && a.Started && !a.Stopping {
		o.Training = append(o.Training, *a.Beat)
	}
}

// waitsFor says what activities wait for, if all of them do: for a first worker that takes them, or for somebody who
// lets those go on that were paused one by one. The activity that looks at the others does not count.
func waitsFor(list []observe.Activity) (worker, somebody bool) {
	for _, a := range list {
		switch {
		case a.Type == protocol.ActivityLook:
		case a.Started || a.State != plan.Paused && a.Attempt > 1:
			return false, false
		case a.State == plan.Paused:
			somebody = true
		default:
			worker = true
		}
	}
	return worker, somebody && !worker
}

// queryProgress asks a sweep's workflow for its progress. A worker must answer.
func queryProgress(ctx context.Context, c client.Client, id string, p *protocol.Progress) (err error) {
	ctx, cancel := context.WithTimeout(ctx, pollTimeout)
	defer cancel()
	*p, err = observe.Progress(ctx, c, id)
	return err
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
	n, err := countRuns(ctx, l, h)
	o.Progress.Summary = protocol.Summary{Cells: h.CellCount, Completed: n.Completed, Failed: n.Failed}
	return o, err
}
