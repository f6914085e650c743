package workflows

import (
	"go.temporal.io/sdk/workflow"

	"github.com/topksweep/sweep/sweep/plan"
)

// updateDetails shows the progress of the sweep in the Web UI, in Markdown. It adds nothing to the history.
func (s *state) updateDetails(ctx workflow.Context) {
	workflow.SetCurrentDetails(ctx, view{
		sweep: s.in.Sweep, state: s.status(ctx), Summary: s.Summary, maxConcurrent: s.in.MaxConcurrent,
		priority: s.in.Priority, owner: s.in.Owner, inFlight: s.labels, store: s.in.Store,
	}.markdown())
}

// status says where the sweep stands. A stage in flight counts as training until its goroutine ends.
func (s *state) status(ctx workflow.Context) plan.Status {
	switch {
	case s.inFlight > 0 || s.hasWork() && !s.isEnding(ctx):
		return plan.Training
	case ctx.Err() != nil:
		return plan.Canceled
	case s.Failed > 0 || s.aborted:
		return plan.Failed
	}
	return plan.Completed
}
