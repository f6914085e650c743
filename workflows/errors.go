package workflows

import (
	"errors"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"github.com/topksweep/sweep/sweep/protocol"
)

// isCanceled reports whether an activity ended because it was canceled. After the cancellation nothing is retried: an
// error that would have been retried, such as a lost worker, counts as canceled too, and not as a failure.
func isCanceled(ctx workflow.Context, err error) bool {
	var app *temporal.ApplicationError
	return temporal.IsCanceledError(err) || ctx.Err() != nil && !(errors.As(err, &app) && app.NonRetryable())
}

// isCheckpointLost reports whether the checkpoint to evaluate is missing or damaged.
func isCheckpointLost(err error) bool {
	var app *temporal.ApplicationError
	return errors.As(err, &app) && app.Type() == protocol.ErrTypeLost
}

// isPlanMissing reports whether the store has no plan of the sweep. Then there are no results to collect.
func isPlanMissing(err error) bool {
	var app *temporal.ApplicationError
	return errors.As(err, &app) && app.Type() == protocol.ErrTypeNoPlan
}

// failureReason returns the message of the activity's own error, without Temporal's wrapping.
func failureReason(err error) string {
	var app *temporal.ApplicationError
	if errors.As(err, &app) {
		return app.Message()
	}
	var timeout *temporal.TimeoutError
	if errors.As(err, &timeout) {
		return timeout.Error()
	}
	return err.Error()
}
