package main

import (
	"context"
	"fmt"
	"slices"

	"go.temporal.io/api/serviceerror"

	"github.com/topksweep/sweep/sweep/ledger"
	"github.com/topksweep/sweep/sweep/plan"
	"github.com/topksweep/sweep/sweep/report"
)

// liveStates give runs that have no result the states that sweep status shows: a store knows only what has ended.
type liveStates struct {
	env        *environment
	connection connection
	dir        string // the state directory

	asked  bool    // whether there is a server
	server *server // nil if there is none
}

// tell sets the states of the runs of a sweep. Where no server answers it leaves those that the store tells.
func (s *liveStates) tell(ctx context.Context, rows report.Rows) {
	if !slices.ContainsFunc(rows.Results, unfinished) {
		return
	}
	if !s.asked {
		s.server, _ = s.connection.dialIfAny(ctx, s.env, s.dir)
		s.asked = true
	}
	if s.server == nil {
		return
	}
	live, err := observeSweep(ctx, s.server.client, rows.Plan.ID)
	switch {
	case err != nil && noAnswer(serviceerror.ToStatus(err).Code()):
		s.env.note(fmt.Sprintf("the states of runs are those that the store tells: %v", err))
		return
	case err != nil, live.ended(): // another server's sweep, or one past the server's retention
		return
	}
	setStates(rows.Results, workOf(live))
}

// setStates gives the runs of a sweep that have no result the states of what is done for them.
func setStates(results []ledger.Result, work map[int]cellWork) {
	for i, w := range work {
		if i >= 0 && i < len(results) && unfinished(results[i]) {
			results[i].Status, results[i].Error = w.status, ""
		}
	}
}

func unfinished(r ledger.Result) bool { return r.Status != plan.Completed }

// close ends the connection to the server.
func (s *liveStates) close() {
	if s.server != nil {
		s.server.close()
	}
}
