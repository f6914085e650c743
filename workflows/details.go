package workflows

import (
	"slices"

	"go.temporal.io/sdk/workflow"

	"github.com/topksweep/sweep/sweep/protocol"
)

// updateDetails shows where the sweep stands in the Web UI. It adds nothing to the history.
func (s *state) updateDetails(ctx workflow.Context) {
	v := view{
		sweep: s.in.Sweep, state: s.status(), Summary: s.Summary,
		maxConcurrent: s.concurrent(), autoConcurrent: s.in.AutoConcurrent,
		priority: s.in.Priority, owner: s.in.Owner, store: s.in.Store,
		mixClasses: s.in.MixClasses,
		failures:   s.memory.failures, seen: s.memory.seen, extensions: s.memory.extensions,
	}
	for _, t := range s.stages {
		v.inFlight = append(v.inFlight, t.label)
	}
	v.live, v.liveAt = s.liveNow(), s.liveAt
	workflow.SetCurrentDetails(ctx, v.markdown())
}

// progress answers the query protocol.QueryProgress.
func (s *state) progress() protocol.Progress {
	p := protocol.Progress{
		Summary: s.Summary, Running: []int{}, FirstCells: []int{}, Ending: s.draining || s.aborted || s.isEnding(),
		State: s.status(), MaxConcurrent: s.concurrent(), Auto: s.in.AutoConcurrent, Priority: s.in.Priority,
		MixClasses: s.in.MixClasses, Seen: s.memory.seen, Failures: s.memory.failures, Live: s.liveNow(),
	}
	var all []runningCell
	for _, t := range s.active {
		all = append(all, t.running...)
	}
	slices.SortFunc(all, func(a, b runningCell) int { return a.cell - b.cell })
	for _, r := range all {
		p.Running, p.FirstCells = append(p.Running, r.cell), append(p.FirstCells, r.firstCell)
	}
	return p
}
