package activities

import (
	"context"
	"math"
	"time"

	"github.com/topksweep/sweep/sweep/ledger"
	"github.com/topksweep/sweep/sweep/plan"
	"github.com/topksweep/sweep/sweep/protocol"
	"github.com/topksweep/sweep/sweep/webhook"
)

// tellWithin is how long an activity may take for what people are told: nothing waits longer for that.
const tellWithin = 10 * time.Second

// tellFailures tells people what a workflow has to tell of runs that failed; nil is nothing. It does not wait for them.
// If the store does not answer, they learn it with what is told next, or at the end.
func (a *Activities) tellFailures(ctx context.Context, sweep string, n *protocol.News) {
	if a.Webhook == nil || n == nil {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, tellWithin)
	defer cancel()
	told := &webhook.Sweep{
		ID: sweep, State: string(plan.Training), Cells: n.Cells, Done: n.Completed, Failed: n.Failed, Canceled: n.Canceled,
	}
	h, err := a.header(ctx, sweep)
	if err == nil {
		told.Name = h.Name
		if n.Best != nil {
			err = a.tellBest(ctx, told, n.Best.Cell, n.Best.Brief.NMSE)
		}
	}
	for _, f := range n.Failures {
		if err == nil {
			err = a.tellFailure(ctx, told, f.Cell, f.Error)
		}
	}
	if err != nil {
		a.log.Warn("nobody is told that runs failed", "sweep", sweep, "error", err)
		return
	}
	a.Webhook.Send(webhook.Message{Event: webhook.RunsFailed, Time: a.now().UTC(), Sweep: told})
}

// tellEnd tells people how a sweep has ended. It waits until that was tried once: a worker may be told to stop when a
// sweep has ended, and another attempt of the activity tells it if this one does not come to its end.
func (a *Activities) tellEnd(ctx context.Context, h *plan.Header, results []ledger.Result, canceled bool) {
	if a.Webhook == nil {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, tellWithin)
	defer cancel()
	told := &webhook.Sweep{ID: h.ID, Name: h.Name, Cells: len(results)}
	best, least := -1, math.Inf(1)
	var failed []int
	for i, r := range results {
		switch r.Status {
		case plan.Completed:
			told.Done++
			if nmse := r.Metrics.NMSE; nmse != nil && *nmse < least {
				best, least = i, *nmse
			}
		case plan.Failed:
			told.Failed++
			failed = append(failed, i)
		case plan.Canceled:
			told.Canceled++
		}
	}
	told.State = string(endState(told, canceled))
	var err error
	if best >= 0 {
		err = a.tellBest(ctx, told, best, &least)
	}
	for _, i := range failed[:min(len(failed), webhook.MaxFailures)] {
		if err == nil {
			err = a.tellFailure(ctx, told, i, results[i].Error)
		}
	}
	if err != nil { // the counts are known
		a.log.Warn("people are not told of all runs of a sweep that ended", "sweep", h.ID, "error", err)
	}
	select {
	case <-a.Webhook.Send(webhook.Message{Event: webhook.SweepEnded, Time: a.now().UTC(), Sweep: told}):
	case <-ctx.Done():
	}
}

// endState is the state of a sweep that has ended: see docs/operation.md.
func endState(s *webhook.Sweep, canceled bool) plan.Status {
	switch {
	case canceled:
		return plan.Canceled
	case s.Failed > 0, s.Done+s.Canceled < s.Cells:
		return plan.Failed
	case s.Canceled > 0:
		return plan.Canceled
	}
	return plan.Completed
}

// tellBest adds the best run, a cell by its number.
func (a *Activities) tellBest(ctx context.Context, s *webhook.Sweep, cell int, nmse *float64) error {
	r, err := a.find(ctx, protocol.CellRef{Sweep: s.ID, Cell: cell})
	if err == nil {
		s.Best = &webhook.Best{Cell: r.cell.ID, Label: r.header.Label(r.cell), NMSE: *nmse}
	}
	return err
}

// tellFailure adds a run that failed, a cell by its number.
func (a *Activities) tellFailure(ctx context.Context, s *webhook.Sweep, cell int, why string) error {
	r, err := a.find(ctx, protocol.CellRef{Sweep: s.ID, Cell: cell})
	if err == nil {
		s.Failures = append(s.Failures, webhook.Failure{
			Cell: r.cell.ID, Label: r.header.Label(r.cell), Error: shorten(why, maxWhy),
		})
	}
	return err
}
