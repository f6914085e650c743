// Package observe asks a Temporal server what a sweep does at one moment.
package observe

import (
	"context"

	"go.temporal.io/sdk/client"

	"github.com/topksweep/sweep/sweep/protocol"
)

// A Looker is what activities.Activities.Observer is in a worker.
type Looker struct{ Client client.Client }

// Look implements activities.Observer.
func (l Looker) Look(ctx context.Context, in protocol.LookInput) (protocol.Live, error) {
	return protocol.Live{}, nil
}
