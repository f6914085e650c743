package activities

import (
	"context"
	"errors"
	"fmt"

	"go.temporal.io/sdk/temporal"

	"github.com/topksweep/sweep/sweep/protocol"
)

// An Observer asks the Temporal server what it knows of a sweep.
type Observer interface {
	Look(ctx context.Context, in protocol.LookInput) (protocol.Live, error)

	// Workers lists the workers that live and may take the activities of a queue, busy ones among them, as they name
	// themselves. One that has just died may be among them.
	Workers(ctx context.Context, queue string) ([]string, error)
}

// Look returns what the server tells of a sweep, for the workflow, which cannot ask. Without an Observer that is
// nothing. A look takes a.lookFor at most: afterwards what it has seen is old, and the next look sees more.
//
// Nothing but what people see depends on a look. So its error has the type LookFailed, and no log names it an error.
func (a *Activities) Look(ctx context.Context, in protocol.LookInput) (protocol.Live, error) {
	defer a.heartbeat(ctx, noDetails)()
	a.tellFailures(ctx, in.Sweep, in.News)
	if a.Observer == nil {
		return protocol.Live{}, nil
	}
	ctx, end := untilStop(ctx)
	defer end()
	within, cancel := context.WithTimeout(ctx, a.lookFor)
	defer cancel()
	live, err := a.Observer.Look(within, in)
	switch {
	case err == nil:
		if !in.All {
			live.Stages = live.Stages[:min(len(live.Stages), protocol.MaxLive)]
		}
		return live, nil
	case ctx.Err() != nil: // the activity is canceled, paused, or its worker stops
		return protocol.Live{}, outcome(ctx, fmt.Errorf("look at %s: %w", in.Sweep, context.Cause(ctx)))
	case errors.Is(within.Err(), context.DeadlineExceeded):
		err = fmt.Errorf("the server gave no answer within %v: %w", a.lookFor, err)
	}
	message := brief(fmt.Sprintf("look at %s: %v", in.Sweep, err))
	return protocol.Live{}, temporal.NewApplicationErrorWithOptions(message, "LookFailed",
		temporal.ApplicationErrorOptions{Category: temporal.ApplicationErrorCategoryBenign})
}
