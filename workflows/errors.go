package workflows

import (
	"errors"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"github.com/topksweep/sweep/sweep/protocol"
)

// canceled says that a run ended because it was told to. Nothing is tried again
// once it has been told so: an activity that would have been, because its worker
// had to stop or got lost meanwhile, has not failed for that.
func canceled(ctx workflow.Context, err error) bool {
	var app *temporal.ApplicationError
	return temporal.IsCanceledError(err) || ctx.Err() != nil && !(errors.As(err, &app) && app.NonRetryable())
}

// lost says that the checkpoint to evaluate is not there or not whole.
func lost(err error) bool {
	var app *temporal.ApplicationError
	return errors.As(err, &app) && app.Type() == protocol.ErrTypeLost
}

// withoutPlan says that there is no plan by which results could be collected.
func withoutPlan(err error) bool {
	var app *temporal.ApplicationError
	return errors.As(err, &app) && app.Type() == protocol.ErrTypeNoPlan
}

// reason is the innermost message that an activity gave, without Temporal's
// wrapping.
func reason(err error) string {
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
