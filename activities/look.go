package activities

import (
	"context"

	"github.com/topksweep/sweep/sweep/protocol"
)

// An Observer asks the Temporal server what it knows of a sweep.
type Observer interface {
	Look(ctx context.Context, in protocol.LookInput) (protocol.Live, error)
}

// Look returns what the server tells of a sweep, for the workflow, which cannot ask. Without an Observer that is
// nothing.
func (a *Activities) Look(ctx context.Context, in protocol.LookInput) (protocol.Live, error) {
	defer a.heartbeat(ctx, noDetails)()
	if a.Observer == nil {
		return protocol.Live{}, nil
	}
	live, err := a.Observer.Look(ctx, in)
	return live, outcome(ctx, err)
}
