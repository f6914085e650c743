package workflows

import (
	"strings"
	"time"

	"github.com/topksweep/sweep/sweep/plan"
	"github.com/topksweep/sweep/sweep/protocol"
)

// A view is what the Web UI shows of a sweep in its Current Details.
type view struct {
	sweep string // its ID
	state plan.Status
	protocol.Summary
	maxConcurrent  int
	autoConcurrent bool // maxConcurrent is the number of the workers' slots
	priority       protocol.Priority
	owner          string
	mixClasses     bool
	inFlight       []string            // labels of the stages in flight; live says more of them, once there is one
	live           *protocol.Live      // nil: the server was not asked yet
	liveAt         time.Time           // when it was
	failures       []protocol.Failure  // some of those that failed or were canceled one by one, the newest last
	seen           []protocol.SeenCell // cells with results, ascending by nmse; not all of a large sweep
	extensions     []string            // grids by which the sweep was extended, as YAML, the oldest first
	store          string              // where the results lie; "" if not known
}

// maxDetails bounds the Markdown of a view, in bytes of its JSON: a server refuses more than 20,000.
const maxDetails = 19_000

// Bounds of the parts of a view, in bytes of JSON. The table of cells has what the other parts leave: 5,000 at least.
const (
	maxTotals   = 1_000
	maxTraining = 5_500
	maxFailures = 2_500
	maxBest     = 1_000
	maxWhere    = 1_500
	maxGrids    = 2_500
)

// markdown returns what the Web UI shows: Markdown that reads well as plain text too. Equal views give equal bytes.
//
// The Web UI of Temporal renders Markdown with github.com/gomarkdown/markdown and its common extensions: headings,
// tables with alignment, lists, bold, code and fences. It passes HTML through, makes fractions of 1/2, and replaces
// {namespace}, {workflowId} and {runId}. So whatever comes from a user goes through escape or code.
func (v view) markdown() string {
	above := []string{v.totals(), v.training(), v.lost(), v.best()}
	below := []string{v.where(), v.grids()}
	left := maxDetails - len(`""`)
	for _, part := range append(above, below...) {
		left -= jsonSize(part)
	}
	parts := append(append(above, v.cells(left)), below...)
	return strings.TrimSpace(strings.Join(parts, ""))
}

// totals returns the line above all else.
func (v view) totals() string {
	s := newSection(maxTotals)
	done := count(v.Completed) + " of " + count(v.Cells) + " cells done"
	s.add("**" + done + "** " + percent(int64(v.Completed), int64(v.Cells)))
	s.addIf(v.state != "", ", **"+escape(string(v.state), maxWord)+"**")
	s.addIf(v.Reused > 0, ", "+count(v.Reused)+" reused")
	s.addIf(v.Failed > 0, ", **"+count(v.Failed)+" failed**")
	s.addIf(v.Canceled > 0, ", "+count(v.Canceled)+" canceled")
	s.add(", " + count(v.Steps) + " steps trained")
	s.addIf(v.maxConcurrent > 0, ", max_concurrent "+count(v.maxConcurrent))
	s.addIf(v.autoConcurrent, " (auto)")
	s.addIf(v.maxConcurrent > maxSlots, ", of which "+count(maxSlots)+" are in flight at most")
	s.addIf(v.priority != "", ", priority "+escape(string(v.priority), maxWord))
	s.addIf(v.owner != "", ", owner "+escape(v.owner, maxWord))
	s.addIf(v.mixClasses, ", classes of hardware are mixed")
	s.add("\n\n")
	s.addIf(v.state == plan.Paused, "It is paused: the update "+code(protocol.UpdateResume)+" goes on with it.\n\n")
	return s.String()
}

// where says where the results lie, and what shows them. The keys are those of sweep/ledger, which workflows do not
// import.
func (v view) where() string {
	s := newSection(maxWhere)
	s.add("**Results**\n\n")
	store, hint := strings.TrimRight(v.store, "/"), ""
	if store == "" {
		store, hint = "STORE", ", where STORE is the store of the workers"
	}
	when := ", when the sweep has ended"
	if v.isOver() {
		when = ""
	}
	s.add("- Table" + when + ": " + code(store+"/sweeps/"+v.sweep+"/results/results.csv") + hint + "\n")
	s.add("- Models: " + code(store+"/models/") + "\n")
	s.add("- With the flags that name your store, " + code("sweep results "+v.sweep) + " shows all results, also while " +
		"it trains; " + code("sweep report "+v.sweep) + " makes a page of them.\n\n")
	return s.String()
}
