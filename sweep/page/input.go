package page

import (
	"github.com/topksweep/sweep/sweep/ledger"
	"github.com/topksweep/sweep/sweep/plan"
	"github.com/topksweep/sweep/sweep/table"
)

// An Input is what a report shows.
type Input struct {
	Title   string        // "" takes the names of the sweeps
	Sweeps  []Sweep       // in the order in which they are shown
	Results []table.Table // results of files; those of sweeps stand in Sweep
	Curves  []table.Table // curves of files
}

// A Sweep is one stored sweep.
type Sweep struct {
	Plan    *plan.Plan
	Results []ledger.Result // one for each cell, in the order of the plan
	Table   table.Table     // the same as a table, a row for each result
	Live    *Live           // nil unless the report is served

	// Curve returns the curve of a completed result as a table of one run; nil where there are no curves. It is called for
	// one result after the other, so that not all whole curves are in memory at once.
	Curve func(result int) (table.Table, error)
}

// A Live says what a sweep does at the moment.
type Live struct {
	State   string    `json:"state"` // a plan.Status of a sweep
	Running []Running `json:"running"`
}

// A Running is a cell in flight.
type Running struct {
	Cell   int    `json:"cell"`  // index in the plan
	State  string `json:"state"` // a plan.Status of a cell: waiting, training, evaluating, or paused
	Step   int64  `json:"step"`  // steps done; 0 if the worker has not said
	Steps  int64  `json:"steps"` // at the end of the stage; 0 if the worker has not said
	Doing  string `json:"doing"` // what it does when it does not train
	Host   string `json:"host"`  // of the worker that has it; "" if that is not known
	Device string `json:"device"`
}
