package main

import (
	"github.com/topksweep/sweep/sweep/observe"
	"github.com/topksweep/sweep/sweep/plan"
)

// A cellWork is what is done for a cell in flight.
type cellWork struct {
	status     plan.Status
	stage      *observe.Activity // nil: nothing is scheduled for it at the moment
	sharedWith int               // number of the first cell of a stage that several share; -1 for that cell itself
}

// workOf returns what is done for the cells in flight, by number: for those that the workflow names, and for those that
// the server names.
func workOf(live observation) map[int]cellWork {
	stages, work := map[int]*observe.Activity{}, map[int]cellWork{}
	for _, a := range live.activities {
		if a.IsStage() && a.Cell >= 0 {
			stages[a.Cell] = &a
			work[a.Cell] = cellWork{status: a.State, stage: &a, sharedWith: -1}
		}
	}
	first := live.Progress.FirstCells
	for i, c := range live.Progress.Running {
		if stages[c] != nil {
			continue
		}
		work[c] = cellWork{status: plan.Waiting, sharedWith: -1} // for its evaluation, or for a stage to be scheduled
		if i >= len(first) {
			continue
		}
		// A stage trains all of its cells. They are evaluated one by one.
		if a := stages[first[i]]; a != nil && a.Cells > 1 && a.State != plan.Evaluating {
			work[c] = cellWork{status: a.State, stage: a, sharedWith: first[i]}
		}
	}
	return work
}

// tell writes into a run what is done for it.
func (w cellWork) tell(r *runState) {
	r.Status = w.status
	a := w.stage
	if a == nil {
		return
	}
	r.Error = a.Cause
	r.Worker, r.Host, r.Device, r.Since, r.Saved = a.Worker, a.Host, a.Device, a.Since, a.Saved
	r.Class = a.Class
	if a.Attempt > 1 {
		r.Attempt = a.Attempt
	}
	if !a.Saved.IsZero() {
		r.SavedStep = &a.SavedStep
	}
	if a.Started {
		r.Beat, r.Said = a.Beat, a.Said
		r.stopping, r.starting = a.Stopping, !a.Fresh
	}
}
