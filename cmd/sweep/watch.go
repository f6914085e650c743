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
	"github.com/topksweep/sweep/sweep/ledger"
	"github.com/topksweep/sweep/sweep/plan"
	"github.com/topksweep/sweep/sweep/protocol"
)

func (a *app) watchCmd() *cobra.Command {
	var p place
	var conn connection
	c := &cobra.Command{
		Use:   "watch SWEEP",
		Short: "Follow a running sweep until it ends",
		Long: `Follow a running sweep until it ends: bars on a terminal, plain lines otherwise.
SWEEP is a name or an ID. Leaving does not stop the sweep. A server that does not
answer is waited for, for three minutes.`,
		Example: "  sweep watch topk-demo",
		Args:    args(cobra.ExactArgs(1)),

		ValidArgsFunction: completeSweep(&p),
		RunE: func(c *cobra.Command, args []string) error {
			store, err := readStore(c.Context(), p.storeURL())
			if err != nil {
				return err
			}
			header, err := findSweep(c.Context(), store, args[0])
			if err != nil {
				return err
			}
			tc, _, err := conn.dial(c.Context(), p.dir, nil)
			if err != nil {
				return err
			}
			defer tc.Close()
			_, err = a.watch(c.Context(), tc, store, header, alwaysThere)
			return err
		},
	}
	p.flags(c.Flags())
	conn.flags(c.Flags())
	return c
}

const (
	pollEvery  = 500 * time.Millisecond // how often the server is asked for news
	lookWithin = 5 * time.Second        // how long it may take to answer
	patience   = 3 * time.Minute        // how long it may give no answer, as docs/operation.md states
)

// A snapshot is where a sweep stands at one moment.
type snapshot struct {
	status   enums.WorkflowExecutionStatus
	progress protocol.Progress
	mute     error                // why the workflow did not tell its progress
	beats    []protocol.Heartbeat // of the runs in training, by cell
	trouble  []trouble            // activities that are being tried again
	taken    bool                 // some run, or there is none to take
}

// over says that the workflow has ended.
func (s snapshot) over() bool {
	return s.status != enums.WORKFLOW_EXECUTION_STATUS_RUNNING && s.status != enums.WORKFLOW_EXECUTION_STATUS_CONTINUED_AS_NEW
}

// A trouble is an activity that failed and is being tried again.
type trouble struct {
	activity string
	cell     int // -1 if it is not known
	attempt  int // the one now under way
	what     string
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
func (s snapshot) planned(p *plan.Header) float64 {
	return float64(p.StepsShared) * (1 - float64(s.progress.Reused)/float64(max(1, p.CellCount)))
}

// errServerGone says that the process of the server that runs a sweep has ended.
var errServerGone = errors.New("the server's process has ended")

// watch shows a sweep's progress until its workflow ends, and returns where it
// stood then. A server that restarts is not the end of the sweep; one that is gone
// is no matter if the store has all results. The error says that runs failed, that
// the server does not answer, or that watching was interrupted.
func (a *app) watch(ctx context.Context, c client.Client, store storage.Store, header *plan.Header, alive func() bool) (last snapshot, err error) {
	v := a.newView(ctx, store, header)
	defer v.close()
	tick := time.NewTicker(pollEvery)
	defer tick.Stop()
	server := silence{began: fmt.Sprintf("the server does not answer; waiting for it, up to %v", patience), ended: "the server answers again"}
	worker := silence{began: "no worker answers; waiting for one", ended: "a worker answers"}
	slot := silence{began: "no worker takes its runs yet: all slots are taken, or no worker trains on the backend that it was submitted for", ended: "a worker takes them"}
	untaken := 0 // looks in a row
	for {
		s, err := look(ctx, c, header.ID)
		if ctx.Err() != nil {
			return last, errInterrupted
		}
		if err != nil {
			if s, all := stored(ctx, store, header.ID, err); all {
				v.show(s)
				return s, nil
			}
			if !alive() {
				return last, errServerGone
			}
			if !silent(serviceerror.ToStatus(err).Code()) {
				return last, fmt.Errorf("watch %s: %w", header.ID, err)
			}
		}
		server.note(v, err)
		if err != nil && time.Since(server.since) >= patience {
			return last, fmt.Errorf("watch %s: no answer within %v: %w", header.ID, patience, err)
		}
		if err == nil {
			if !s.over() && (s.mute == nil || last.mute != nil) { // a server that goes may miss one
				worker.note(v, s.mute)
			}
			if s, err = s.filled(ctx, store, header.ID, last); err != nil {
				return last, err
			}
			last = s
			v.show(s)
			if untaken++; s.taken {
				untaken = 0
			}
			slot.note(v, untakenFor(untaken))
			if s.over() {
				return last, outcome(ctx, c, last, header)
			}
		}
		select {
		case <-ctx.Done():
			return last, errInterrupted
		case <-tick.C:
		}
	}
}

// stored returns the end of a sweep whose server does not tell, if the store has
// all its results.
func stored(ctx context.Context, store storage.Store, id string, mute error) (snapshot, bool) {
	s := snapshot{status: enums.WORKFLOW_EXECUTION_STATUS_COMPLETED, mute: mute}
	s, err := s.filled(ctx, store, id, snapshot{})
	return s, err == nil && s.progress.Completed == s.progress.Cells
}

// filled makes up for a progress that the workflow did not tell: with that of
// before, or at the end with what the store has.
func (s snapshot) filled(ctx context.Context, store storage.Store, id string, before snapshot) (snapshot, error) {
	if s.mute == nil {
		return s, nil
	}
	if !s.over() {
		s.progress = before.progress
		return s, nil
	}
	done, err := ledger.New(store).CompletedRuns(ctx)
	if err != nil {
		return s, err
	}
	state, err := stateOf(ctx, store, nil, id, done)
	s.progress.Summary = protocol.Summary{Cells: state.Cells, Completed: state.Completed, Failed: state.Failed}
	return s, err
}

// A silence is the time in which somebody does not answer. A line is said when it
// begins and one when it ends.
type silence struct {
	began, ended string
	since        time.Time // zero: there is none
}

func (q *silence) note(v view, err error) {
	switch {
	case err != nil && q.since.IsZero():
		q.since = time.Now()
		v.say(q.began)
	case err == nil && !q.since.IsZero():
		q.since = time.Time{}
		v.say(q.ended)
	}
}

// untakenFor is nil until runs have waited for a slot for longer than it takes to
// hand one out: ten seconds.
func untakenFor(looks int) error {
	if looks < int(10*time.Second/pollEvery) {
		return nil
	}
	return errors.New("no slot")
}

// outcome is nil if every run has a result.
func outcome(ctx context.Context, c client.Client, s snapshot, header *plan.Header) error {
	switch s.status {
	case enums.WORKFLOW_EXECUTION_STATUS_COMPLETED:
		return nil
	case enums.WORKFLOW_EXECUTION_STATUS_CANCELED:
		return fmt.Errorf("sweep %s was canceled; submit the grid again to go on", header.ID)
	case enums.WORKFLOW_EXECUTION_STATUS_FAILED:
		return failure(c.GetWorkflow(ctx, header.ID, "").Get(ctx, nil), header.ID)
	}
	return fmt.Errorf("sweep %s ended as %s", header.ID, s.status)
}

// failure says why a sweep's workflow failed: of runs that failed, how many did.
func failure(err error, id string) error {
	var app *temporal.ApplicationError
	var sum protocol.Summary
	switch {
	case !errors.As(err, &app):
		return fmt.Errorf("sweep %s: %w", id, err)
	case app.Type() != protocol.ErrTypeFailed || app.Details(&sum) != nil:
		for cause := app; errors.As(errors.Unwrap(cause), &cause); { // without the wrapping of those between
			app = cause
		}
		return fmt.Errorf("sweep %s: %s", id, app.Message())
	}
	left := ""
	if n := sum.Cells - sum.Completed - sum.Failed; n > 0 {
		left = fmt.Sprintf(" and %d were not trained to their end", n)
	}
	return fmt.Errorf("%d of %d runs failed%s; sweep retry trains those again", sum.Failed, sum.Cells, left)
}

// look asks where a sweep stands. The error says that the server does not tell; a
// workflow that does not, for want of a worker, leaves only its progress out.
func look(ctx context.Context, c client.Client, id string) (snapshot, error) {
	var s snapshot
	short, cancel := context.WithTimeout(ctx, lookWithin)
	defer cancel()
	d, err := c.DescribeWorkflowExecution(short, id, "")
	if err != nil {
		return s, err
	}
	s.status = d.WorkflowExecutionInfo.Status
	s.taken = len(d.PendingActivities) == 0
	for _, p := range d.PendingActivities {
		var beat protocol.Heartbeat
		has := p.HeartbeatDetails != nil && converter.GetDefaultDataConverter().FromPayloads(p.HeartbeatDetails, &beat) == nil && beat.Steps > 0
		if f := p.LastFailure; f != nil && p.Attempt > 1 && f.GetApplicationFailureInfo().GetType() != "WorkerStopping" {
			t := trouble{activity: p.ActivityType.GetName(), cell: -1, what: f.Message, attempt: int(p.Attempt)}
			if f.GetTimeoutFailureInfo().GetTimeoutType() == enums.TIMEOUT_TYPE_HEARTBEAT {
				t.what = "its worker is gone"
			}
			if has {
				t.cell = beat.Cell
			}
			s.trouble = append(s.trouble, t)
		}
		if p.State != enums.PENDING_ACTIVITY_STATE_SCHEDULED || p.Attempt > 1 {
			s.taken = true
		}
		if has && p.State == enums.PENDING_ACTIVITY_STATE_STARTED {
			s.beats = append(s.beats, beat)
		}
	}
	slices.SortFunc(s.beats, func(x, y protocol.Heartbeat) int { return x.Cell - y.Cell })
	var notYet *serviceerror.QueryFailed
	if s.mute = ask(ctx, c, id, &s.progress); errors.As(s.mute, &notYet) {
		s.mute = nil
	}
	return s, nil
}

// ask asks a sweep's workflow for its progress, which takes a worker.
func ask(ctx context.Context, c client.Client, id string, p *protocol.Progress) error {
	ctx, cancel := context.WithTimeout(ctx, lookWithin)
	defer cancel()
	q, err := c.QueryWorkflow(ctx, id, "", protocol.QueryProgress)
	if err != nil {
		return err
	}
	return q.Get(p)
}
