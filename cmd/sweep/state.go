package main

import (
	"cmp"
	"context"
	"time"

	"go.temporal.io/api/serviceerror"

	"github.com/topksweep/sweep/cmd/sweep/progress"
	"github.com/topksweep/sweep/sweep/ledger"
	"github.com/topksweep/sweep/sweep/observe"
	"github.com/topksweep/sweep/sweep/plan"
	"github.com/topksweep/sweep/sweep/protocol"
)

// A sweepState is where a sweep stands, as the store tells it, and the server if
// there is one.
type sweepState struct {
	ID        string      `json:"id"`
	Name      string      `json:"name"`
	Cells     int         `json:"cells"`
	Completed int         `json:"completed"`
	Failed    int         `json:"failed"`
	State     plan.Status `json:"state"`
	Planned   time.Time   `json:"planned"` // when the plan was stored last
	Created   time.Time   `json:"created,omitzero"`
	Runs      []runState  `json:"runs,omitempty"` // status only
	notes     int         // in the store: runs that failed or were canceled

	concurrent int // max_concurrent of its plan; 0 is auto. Where its workflow has told it, that of the workflow

	ends       progress.Forecast // status only
	unreadable error             // why the server's answer cannot be read: a key is missing
	silent     time.Duration     // how long nothing was heard of any worker that has a run of it; 0 if none has one
}

// A runState is where one run of a sweep stands. Of a stage that several runs share, each has what is said of the
// stage.
type runState struct {
	Cell   string              `json:"cell"`
	Label  string              `json:"label"`
	Status plan.Status         `json:"status"`
	Error  string              `json:"error,omitempty"`    // why it has no result, or of the attempt before
	Beat   *protocol.Heartbeat `json:"progress,omitempty"` // of a run that a worker has

	Worker    string      `json:"worker,omitempty"` // as it names itself
	Host      string      `json:"host,omitempty"`
	Device    string      `json:"device,omitempty"`
	Class     string      `json:"class,omitempty"`   // of the device
	Said      time.Time   `json:"heard_at,omitzero"` // when the worker was last heard of, by the server's clock
	Since     time.Time   `json:"since,omitzero"`    // when the worker began, or the wait
	Saved     time.Time   `json:"checkpoint_at,omitzero"`
	SavedStep *int64      `json:"checkpoint_step,omitempty"` // of the newest checkpoint; nil if none is known
	Attempt   int         `json:"attempt,omitempty"`         // from the second one on
	Metrics   *plan.Brief `json:"metrics,omitempty"`         // of a completed run

	sharedWith string // the cell whose stage this one shares; "" for the first of a stage
	stopping   bool   // the worker was told to save its state and stop
	starting   bool   // the worker has said nothing since it began
}

// stateOf counts a sweep's results and asks the server what the sweep does. srv may
// be nil; unfinished is then the state of a sweep that has runs to train. completed
// is what CompletedRuns returned. ask is that of observe.State.
func stateOf(ctx, ask context.Context, l *ledger.Ledger, srv *server, id string, unfinished plan.Status,
	completed map[string]bool) (sweepState, error) {

	h, err := l.Header(ctx, id)
	if err != nil {
		return sweepState{}, err
	}
	n, err := l.Count(ctx, h, completed)
	if err != nil {
		return sweepState{}, err
	}
	s := sweepState{
		ID: h.ID, Name: h.Name, Cells: h.CellCount,
		Completed: n.Completed, Failed: n.Failed, Planned: n.Planned, Created: n.Created, notes: n.Notes,
		concurrent: h.Run.MaxConcurrent,
	}
	var told observe.Observation
	if srv != nil {
		if told, err = observe.State(ctx, ask, srv.client, id); isUnreadable(err) {
			s.unreadable = err
		}
	}
	if told.Progress.MaxConcurrent > 0 {
		s.concurrent = told.Progress.MaxConcurrent
	}
	s.State = decide(unfinished, s.Completed == s.Cells, told.State, err)
	if s.State == plan.Training {
		s.silent = silence(time.Now(), saidOf(told.Activities)...)
	}
	if s.State == plan.Idle { // where all runs have results or notes, nothing is left to train
		s.State = cmp.Or(n.Ended(), plan.Idle)
	}
	return s, nil
}

// decide returns the state of a sweep from what its store and its server tell. complete: all runs have results;
// unfinished is the state of a sweep that has runs to train and that no server runs. told is what observe.State
// returned, and err its error.
func decide(unfinished plan.Status, complete bool, told plan.Status, err error) plan.Status {
	switch {
	case told != "" && told != plan.Completed: // of the results that a workflow once had, some may be lost
		return told
	case complete:
		return plan.Completed
	case isUnreadable(err), unfinished == plan.Idle && err != nil && noAnswer(serviceerror.ToStatus(err).Code()):
		return plan.Unknown // else it is another server's sweep, or one past the server's retention
	}
	return unfinished
}
