package workflows

import (
	"fmt"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"github.com/topksweep/sweep/sweep/protocol"
)

// uncollectedChange is the name under which a history records that it goes on although collecting has failed.
const uncollectedChange = "go on uncollected"

// SweepWorkflow trains and evaluates every cell of a stored plan, stage by stage, at most in.MaxConcurrent stages at a
// time. Then it collects the results, also after a cancellation or an error.
//
// A run that fails does not stop the others. A failure in a stage that several runs share is the failure of each of
// these runs. People steer the sweep by updates while it runs: see updates.go.
//
// A large sweep needs several histories: the workflow continues as new before a history is full. The stages in flight
// then save their state and stop, and the next history starts the unfinished trees again from their roots. A stage
// whose last checkpoint is stored ends at once there, and a stage that was stopped resumes at its newest checkpoint.
// This costs one checkpoint for each stage in flight. If the workflow waited for the stages to end instead, slots would
// be idle for as long as the longest stage takes.
//
// The result is the summary. If runs failed, the error is an ApplicationError of type protocol.ErrTypeFailed, with the
// summary as its details.
func SweepWorkflow(ctx workflow.Context, in protocol.SweepInput) (protocol.Summary, error) {
	s := newState(ctx, in)
	progress := func() (protocol.Progress, error) { return s.progress(), nil }
	err := workflow.SetQueryHandlerWithOptions(ctx, protocol.QueryProgress, progress, workflow.QueryHandlerOptions{
		Description: "where the sweep stands: counts, cells in work, metrics of cells that are done",
	})
	if err != nil {
		return s.Summary, err
	}
	if err := s.handleUpdates(ctx); err != nil {
		return s.Summary, err
	}
	s.upsertAttributes(ctx, false)
	stopLooking := s.startLooking(ctx)
	err = s.runStages(ctx)
	stopLooking()
	s.aborted = err != nil
	var collected error
	disconnected, _ := workflow.NewDisconnectedContext(ctx)
	// An update that is being answered changes what is left to do, what the results say, and what the next history is
	// told.
	handled := func() bool { return workflow.AllHandlersFinished(ctx) }
	if e := workflow.Await(disconnected, handled); e != nil && err == nil {
		err = e
	}
	if (err != nil || s.isEnding() || !s.hasWork()) && !isPlanMissing(err) {
		s.updateDetails(ctx)
		if e := callCollect(disconnected, s.ids, in.Sweep, ctx.Err() != nil); e != nil && err == nil {
			err = fmt.Errorf("collect: %w", e)
			collected = err
		}
	}
	if e := workflow.Await(disconnected, handled); e != nil && err == nil {
		err = e
	}
	// Work that an update brought while the results were collected is done, and then they are collected again.
	if collected != nil && !s.isEnding() && s.hasWork() &&
		workflow.GetVersion(ctx, uncollectedChange, workflow.DefaultVersion, 1) >= 1 {
		err = nil
	}
	s.ended = true
	s.updateDetails(ctx)
	switch {
	case err != nil:
		s.upsertAttributes(disconnected, true)
		return s.Summary, err
	case !s.isEnding() && s.hasWork(): // the history is full, or an update came while the results were collected
		s.continued = true
		s.upsertAttributes(disconnected, true)
		in := s.in
		in.Resume = s.continuation()
		return s.Summary, workflow.NewContinueAsNewError(ctx, SweepWorkflow, in)
	}
	s.upsertAttributes(disconnected, true)
	switch {
	case ctx.Err() != nil:
		return s.Summary, temporal.NewCanceledError()
	case s.Failed > 0:
		return s.Summary, temporal.NewNonRetryableApplicationError(
			fmt.Sprintf("%d of %d runs failed; a retry of the sweep trains them again", s.Failed, s.Cells),
			protocol.ErrTypeFailed, nil, s.Summary)
	}
	return s.Summary, nil
}
