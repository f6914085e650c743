package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/spf13/cobra"
	"go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/temporal"

	"github.com/topksweep/sweep/storage"
	"github.com/topksweep/sweep/sweep"
	"github.com/topksweep/sweep/workflows"
)

func (a *app) watchCmd() *cobra.Command {
	var p place
	var conn connection
	c := &cobra.Command{
		Use:   "watch SWEEP",
		Short: "Follow a running sweep until it ends",
		Long: `Follow a running sweep until it ends: bars on a terminal, plain lines otherwise.
SWEEP is a name or an ID. Leaving does not stop the sweep.`,
		Example: "  sweep watch topk-demo",
		Args:    args(cobra.ExactArgs(1)),

		ValidArgsFunction: completeSweep(&p),
		RunE: func(c *cobra.Command, args []string) error {
			store, err := openStore(c.Context(), p.storeURL())
			if err != nil {
				return err
			}
			plan, err := findSweep(c.Context(), store, args[0])
			if err != nil {
				return err
			}
			tc, _, err := conn.dial(c.Context(), p.dir, nil)
			if err != nil {
				return err
			}
			defer tc.Close()
			_, err = a.watch(c.Context(), tc, store, plan)
			return err
		},
	}
	p.flags(c.Flags())
	conn.flags(c.Flags())
	return c
}

// pollEvery is how often the server is asked for news.
const pollEvery = 500 * time.Millisecond

// A snapshot is where a sweep stands at one moment.
type snapshot struct {
	status   enums.WorkflowExecutionStatus
	progress sweep.Progress
	beats    []sweep.Heartbeat // of the runs in training, by cell
	trouble  []trouble         // activities that are being tried again
}

// A trouble is an activity that failed and is being tried again.
type trouble struct {
	cell    int // -1 if it is not known
	attempt int // the one now under way
	what    string
}

// done is how many steps are trained.
func (s snapshot) done() float64 {
	done := float64(s.progress.Steps)
	for _, b := range s.beats {
		done += float64(b.Step - b.From)
	}
	return done
}

// planned is how many steps there are to train in all: without the runs that had
// a result before.
func (s snapshot) planned(p *sweep.PlanHeader) float64 {
	return float64(p.StepsShared) * (1 - float64(s.progress.Reused)/float64(max(1, p.CellCount)))
}

// watch shows a sweep's progress until its workflow ends, and returns where it
// stood then. The error says that runs failed, or that watching was interrupted.
func (a *app) watch(ctx context.Context, c client.Client, store storage.Store, plan *sweep.PlanHeader) (last snapshot, err error) {
	v := a.newView(ctx, store, plan)
	defer v.close()
	tick := time.NewTicker(pollEvery)
	defer tick.Stop()
	for misses := 0; ; {
		s, err := look(ctx, c, plan.ID)
		switch {
		case ctx.Err() != nil:
			return last, errInterrupted
		case err == nil:
			misses = 0
			last = s
			v.show(s)
		case misses < 20: // a server that restarts is not the end of the sweep
			misses++
		default:
			return last, fmt.Errorf("watch %s: %w", plan.ID, err)
		}
		if err == nil && s.status != enums.WORKFLOW_EXECUTION_STATUS_RUNNING && s.status != enums.WORKFLOW_EXECUTION_STATUS_CONTINUED_AS_NEW {
			break
		}
		select {
		case <-ctx.Done():
			return last, errInterrupted
		case <-tick.C:
		}
	}
	return last, outcome(ctx, c, last, plan)
}

// outcome is nil if every run has a result.
func outcome(ctx context.Context, c client.Client, s snapshot, plan *sweep.PlanHeader) error {
	switch s.status {
	case enums.WORKFLOW_EXECUTION_STATUS_COMPLETED:
		return nil
	case enums.WORKFLOW_EXECUTION_STATUS_CANCELED:
		return fmt.Errorf("sweep %s was canceled; submit the grid again to go on", plan.ID)
	case enums.WORKFLOW_EXECUTION_STATUS_FAILED:
		return failure(c.GetWorkflow(ctx, plan.ID, "").Get(ctx, nil), plan.ID)
	}
	return fmt.Errorf("sweep %s ended as %s", plan.ID, s.status)
}

// failure says why a sweep's workflow failed: of runs that failed, how many did.
func failure(err error, id string) error {
	var app *temporal.ApplicationError
	var sum sweep.Summary
	switch {
	case !errors.As(err, &app):
		return fmt.Errorf("sweep %s: %w", id, err)
	case app.Type() != workflows.ErrTypeFailed || app.Details(&sum) != nil:
		return fmt.Errorf("sweep %s: %s", id, app.Message())
	}
	left := ""
	if n := sum.Cells - sum.Completed - sum.Failed; n > 0 {
		left = fmt.Sprintf(" and %d were not trained to their end", n)
	}
	return fmt.Errorf("%d of %d runs failed%s; sweep retry trains those again", sum.Failed, sum.Cells, left)
}

func look(ctx context.Context, c client.Client, id string) (snapshot, error) {
	var s snapshot
	d, err := c.DescribeWorkflowExecution(ctx, id, "")
	if err != nil {
		return s, err
	}
	s.status = d.WorkflowExecutionInfo.Status
	for _, p := range d.PendingActivities {
		var beat sweep.Heartbeat
		has := p.HeartbeatDetails != nil && converter.GetDefaultDataConverter().FromPayloads(p.HeartbeatDetails, &beat) == nil && beat.Steps > 0
		if f := p.LastFailure; f != nil && p.Attempt > 1 && f.GetApplicationFailureInfo().GetType() != "WorkerStopping" {
			t := trouble{cell: -1, what: fmt.Sprintf("%s: %s", p.ActivityType.GetName(), f.Message), attempt: int(p.Attempt)}
			if f.GetTimeoutFailureInfo().GetTimeoutType() == enums.TIMEOUT_TYPE_HEARTBEAT {
				t.what = "its worker is gone"
			}
			if has {
				t.cell = beat.Cell
			}
			s.trouble = append(s.trouble, t)
		}
		if has && p.State == enums.PENDING_ACTIVITY_STATE_STARTED {
			s.beats = append(s.beats, beat)
		}
	}
	slices.SortFunc(s.beats, func(x, y sweep.Heartbeat) int { return x.Cell - y.Cell })
	q, err := c.QueryWorkflow(ctx, id, "", sweep.QueryProgress)
	if err != nil {
		var notYet *serviceerror.QueryFailed
		if errors.As(err, &notYet) || s.status != enums.WORKFLOW_EXECUTION_STATUS_RUNNING {
			return s, nil
		}
		return s, err
	}
	return s, q.Get(&s.progress)
}
