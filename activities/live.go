package activities

import (
	"cmp"
	"context"
	"log/slog"
	"slices"
	"sync"
	"time"

	"go.temporal.io/sdk/activity"

	"github.com/topksweep/sweep/sweep/protocol"
)

// A Live is an attempt that is being made.
type Live struct {
	Sweep    string    // its ID
	Cell     string    // the ID of the first of its cells; "" before its plan is read
	Activity string    // its type
	Attempt  int       // from 1 on
	Began    time.Time // when it began to train the cell's run; zero before that, and for an evaluation
	protocol.Heartbeat
}

// liveAttempts are the attempts that are being made.
type liveAttempts struct {
	mu  sync.Mutex
	all map[*attempt]bool
}

// begin notes an attempt, until the function that it returns is called.
func (l *liveAttempts) begin(ctx context.Context, at *attempt) (end func()) {
	info := activity.GetInfo(ctx)
	at.is = Live{Sweep: info.WorkflowExecution.ID, Activity: info.ActivityType.Name, Attempt: int(info.Attempt)}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.all == nil {
		l.all = map[*attempt]bool{}
	}
	l.all[at] = true
	return func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		delete(l.all, at)
	}
}

// Live returns the attempts that are being made, in the order of sweeps and cells, the newest attempt first.
func (a *Activities) Live() (all []Live) {
	a.live.mu.Lock()
	for at := range a.live.all {
		l := at.is
		l.Heartbeat = at.heartbeat()
		l.Cell, l.Began = at.cell()
		all = append(all, l)
	}
	a.live.mu.Unlock()
	slices.SortFunc(all, func(a, b Live) int {
		return cmp.Or(cmp.Compare(a.Sweep, b.Sweep), cmp.Compare(a.Cell, b.Cell), cmp.Compare(b.Attempt, a.Attempt))
	})
	return all
}

// logOf returns the log of an attempt. Each line says which sweep, cell and attempt it is about.
func (a *Activities) logOf(ctx context.Context) *slog.Logger {
	cell, _ := attemptOf(ctx).cell()
	return a.logOn(ctx, cell)
}

// logOn is logOf where the cell is known, by its ID: an activity may be at several.
func (a *Activities) logOn(ctx context.Context, cell string) *slog.Logger {
	is := attemptOf(ctx).is
	log := a.log.With("sweep", is.Sweep, "activity", is.Activity, "attempt", is.Attempt)
	if cell != "" {
		log = log.With("cell", cell)
	}
	return log
}
