package main

import (
	"testing"

	"go.temporal.io/api/enums/v1"

	"github.com/topksweep/sweep/sweep/observe"
	"github.com/topksweep/sweep/sweep/plan"
	"github.com/topksweep/sweep/sweep/protocol"
)

// The end of a stored sweep is forecast from what its server tells of the stages in flight, and not once it has ended.
func TestForecastOfStoredSweep(t *testing.T) {
	l, header := planWithResults(t, 1)
	o := observation{status: enums.WORKFLOW_EXECUTION_STATUS_RUNNING, state: plan.Training}
	o.Progress = protocol.Progress{
		Summary: protocol.Summary{Cells: header.CellCount, Completed: 1, Reused: 1}, Running: []int{1}, FirstCells: []int{1},
	}
	beat := &protocol.Heartbeat{Cell: 1, Step: 10, Steps: 20, StepsPerSecond: 0.5}
	o.activities = []observe.Activity{{
		Type: protocol.ActivityTrain, Beat: beat, Fresh: true, Started: true,
		LiveStage: protocol.LiveStage{Cell: 1, Step: 10, Steps: 20, StepsPerSecond: 0.5, State: plan.Training, Attempt: 1},
	}}
	f := forecaster{ledger: l, id: header.ID}
	if got := f.look(t.Context(), o); got.At.IsZero() || got.Left <= 0 {
		t.Errorf("while it trains: %+v", got)
	}
	o.status = enums.WORKFLOW_EXECUTION_STATUS_COMPLETED
	if got := f.look(t.Context(), o); !got.At.IsZero() {
		t.Errorf("at the end: %+v", got)
	}
}
