package workflows

import (
	"time"

	"github.com/topksweep/sweep/sweep/plan"
	"github.com/topksweep/sweep/sweep/protocol"
)

// A view is what the Web UI shows of a sweep in its Current Details.
type view struct {
	sweep string // its ID
	state plan.Status
	protocol.Summary
	maxConcurrent int
	priority      protocol.Priority
	owner         string
	inFlight      []string            // labels of the stages in flight; live says more of them, once there is one
	live          *protocol.Live      // nil: the server was not asked yet
	liveAt        time.Time           // when it was
	failures      []protocol.Failure  // some of those that failed or were canceled one by one, the newest last
	seen          []protocol.SeenCell // cells with results, ascending by nmse; not all of a large sweep
	extensions    []string            // grids by which the sweep was extended, as YAML, the oldest first
	store         string              // where the results lie; "" if not known
}

// maxDetails bounds the Markdown of a view, in bytes of its JSON: a server refuses more than 20,000.
const maxDetails = 19_000

// markdown returns what the Web UI shows.
func (v view) markdown() string {
	return ""
}
