package activities

import (
	"context"
	"errors"

	"go.temporal.io/sdk/activity"
)

// An activity that is to end before its end learns it from its context, whose cause says why: the workflow has canceled
// it (*temporal.CanceledError), or somebody has paused or reset it (activity.ErrActivityPaused, ErrActivityReset). That
// the worker is told to stop is another channel of the SDK's; untilStop makes it the same.

// untilStop returns a context that also ends, with ErrStopping, when the worker is told to stop. end frees it.
func untilStop(ctx context.Context) (_ context.Context, end func()) {
	stopping := activity.GetWorkerStopChannel(ctx)
	ctx, cancel := context.WithCancelCause(ctx)
	go func() {
		select {
		case <-stopping:
			cancel(ErrStopping)
		case <-ctx.Done():
		}
	}()
	return ctx, func() { cancel(nil) }
}

// isInterruption says that err only says that ctx has ended. Most such errors wrap the cause of ctx, but some wrap
// context.Canceled.
func isInterruption(ctx context.Context, err error) bool {
	return ctx.Err() != nil && errors.Is(err, context.Canceled)
}

// interrupted returns err, or the cause of ctx where err only says that ctx has ended.
func interrupted(ctx context.Context, err error) error {
	if isInterruption(ctx, err) {
		return context.Cause(ctx)
	}
	return err
}
