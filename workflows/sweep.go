package workflows

import (
	"errors"
	"fmt"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"github.com/topksweep/sweep/sweep/plan"
	"github.com/topksweep/sweep/sweep/protocol"
)

// SweepWorkflow trains and evaluates every cell of a stored plan, stage by stage, at most in.MaxConcurrent stages at a
// time. Then it collects the results, also after a cancellation or an error.
//
// A run that fails does not stop the others. A failure in a stage that several runs share is the failure of each of
// these runs.
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
	s := newState(in)
	progress := func() (protocol.Progress, error) { return s.progress(s.aborted || s.isEnding(ctx)), nil }
	if err := workflow.SetQueryHandler(ctx, protocol.QueryProgress, progress); err != nil {
		return s.Summary, err
	}
	if err := s.handleUpdates(ctx); err != nil {
		return s.Summary, err
	}
	err := s.runStages(ctx)
	s.aborted = err != nil
	if (err != nil || s.isEnding(ctx) || !s.hasWork()) && !isPlanMissing(err) {
		s.updateDetails(ctx)
		disconnected, _ := workflow.NewDisconnectedContext(ctx)
		if e := callCollect(disconnected, in.Sweep); e != nil && err == nil {
			err = fmt.Errorf("collect: %w", e)
		}
	}
	switch {
	case err != nil:
		return s.Summary, err
	case !s.isEnding(ctx) && s.hasWork(): // the history is full, or an update came while the results were collected
		in := s.in
		in.Resume = s.continuation()
		return s.Summary, workflow.NewContinueAsNewError(ctx, SweepWorkflow, in)
	case ctx.Err() != nil:
		return s.Summary, temporal.NewCanceledError()
	case s.Failed > 0:
		return s.Summary, temporal.NewNonRetryableApplicationError(
			fmt.Sprintf("%d of %d runs failed; sweep retry trains them again", s.Failed, s.Cells),
			protocol.ErrTypeFailed, nil, s.Summary)
	}
	return s.Summary, nil
}

// handleUpdates sets the handlers of the updates extend and retry. They only change the state. runStages looks at it
// before each stage that it starts.
func (s *state) handleUpdates(ctx workflow.Context) error {
	extend := func(_ workflow.Context, to plan.Size) (protocol.Summary, error) {
		s.in.Size, s.Cells = to, to.Cells
		return s.Summary, nil
	}
	mayExtend := func(workflow.Context, plan.Size) error { return s.refuseIfEnding(ctx) }
	err := workflow.SetUpdateHandlerWithOptions(ctx, protocol.UpdateExtend, extend,
		workflow.UpdateHandlerOptions{Validator: mayExtend})
	if err != nil {
		return err
	}
	retry := func(workflow.Context) (protocol.Summary, error) {
		s.retry = true
		return s.Summary, nil
	}
	mayRetry := func(workflow.Context) error { return s.refuseIfEnding(ctx) }
	return workflow.SetUpdateHandlerWithOptions(ctx, protocol.UpdateRetry, retry,
		workflow.UpdateHandlerOptions{Validator: mayRetry})
}

// refuseIfEnding returns an error if the sweep is ending: it would not act on an update.
func (s *state) refuseIfEnding(ctx workflow.Context) error {
	if s.aborted || s.isEnding(ctx) {
		return errors.New("the sweep is ending: try again when it has")
	}
	return nil
}
