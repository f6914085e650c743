package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/sdk/temporal"

	"github.com/topksweep/sweep/cmd/sweep/progress"
	"github.com/topksweep/sweep/sweep/ledger"
	"github.com/topksweep/sweep/sweep/plan"
	"github.com/topksweep/sweep/sweep/protocol"
)

const (
	pollTimeout   = 5 * time.Second  // how long it may take to answer once
	serverTimeout = 3 * time.Minute  // how long it may give no answer at all, as docs/operation.md states
	slotTimeout   = 10 * time.Second // how long stages may wait for a slot before a line says so
)

// errServerGone says that the process of the server that runs a sweep has ended.
var errServerGone = errors.New("the server's process has ended")

// A watcher follows one sweep and shows its progress.
type watcher struct {
	server *server
	again  string // the command that goes on with the sweep, if not all of it is trained
	ledger *ledger.Ledger
	header *plan.Header
	view   progress.View

	noServer, noWorker, noSlot, silent, paused, held progress.Outage

	ear ear

	room     *roomWatch
	forecast forecaster

	isPaused bool // as the workflow told last

	waiting int         // polls in a row in which stages waited and none was taken by a worker
	last    observation // the newest that was shown
}

// watch shows a sweep's progress until its workflow ends, and returns where it
// stood then. It waits for a server that restarts, and for room on its disk. If the server is gone but the
// store has all results, that is the end too. The error says that runs failed, that
// the server does not answer, or that watching was interrupted.
func watch(ctx context.Context, env *environment, srv *server, l *ledger.Ledger, header *plan.Header) (
	observation, error) {

	w := &watcher{
		server: srv, again: cmp.Or(srv.again, env.command("retry", header.ID)), ledger: l, header: header,
		forecast: forecaster{ledger: l, id: header.ID},
		view:     progress.NewView(env.terminal(), header, newLabels(ctx, l, header)),
		noServer: progress.Outage{
			Began: fmt.Sprintf("the server does not answer; waiting for it, up to %v", serverTimeout),
			Ended: "the server answers again",
		},
		noWorker: progress.Outage{Began: "no worker answers; waiting for one", Ended: "a worker answers"},
		noSlot: progress.Outage{
			Began: "no worker takes its runs yet: all slots are taken, " +
				"or no worker trains on the backend that it was submitted for",
			Ended: "a worker takes them",
		},
		silent: progress.Outage{
			Began: fmt.Sprintf("no sign of life from what trains; another worker takes it over %v after the last one",
				protocol.HeartbeatTimeout),
			Ended: "there is a sign of life again",
		},
		paused: progress.Outage{Began: pausedLine(env.command("resume", header.ID)), Ended: "resumed: it goes on"},
		held: progress.Outage{
			Began: "all of its activities that are left were paused one by one: unpause them in the Web UI",
			Ended: "an activity goes on",
		},
	}
	w.room = newRoomWatch(srv.folders, w.view.Say)
	defer w.view.Close()
	tick := time.NewTicker(srv.pace().watch)
	defer tick.Stop()
	for {
		if ended, err := w.poll(ctx); ended || err != nil {
			return w.last, err
		}
		select {
		case <-ctx.Done():
			return w.last, errInterrupted
		case <-tick.C:
		}
	}
}

// poll asks the server once and shows what it tells. ended says that the sweep has
// ended; the error is then what it ended with.
func (w *watcher) poll(ctx context.Context) (ended bool, err error) {
	w.server.hung.say(w.view.Say)
	if err := w.server.hung.noneLeft(); err != nil {
		return false, fmt.Errorf("%w; see why, then the same command goes on from here", err)
	}
	now, err := observeSweep(ctx, w.server.client, w.header.ID)
	if ctx.Err() != nil {
		return false, errInterrupted
	}
	w.room.look(err != nil)
	if err != nil {
		return w.unanswered(ctx, err)
	}
	w.noServer.Update(w.view, false)
	// A worker that is about to stop may miss one query, which is not worth a line.
	if !now.ended() && (now.queryErr == nil || w.last.queryErr != nil) {
		w.noWorker.Update(w.view, now.queryErr != nil)
	}
	now, err = now.withCounts(ctx, w.ledger, w.header.ID, w.last)
	if err != nil {
		return false, err
	}
	w.last = now
	if now.queryErr == nil {
		now.Forecast = w.forecast.look(ctx, now)
	}
	w.view.Show(now.Snapshot)
	w.updateWaits(now)
	if !now.ended() {
		return false, nil
	}
	return true, w.outcome(ctx)
}

// updateWaits says what a sweep waits for: for somebody who resumes it, else for a worker.
func (w *watcher) updateWaits(now observation) {
	if now.queryErr == nil { // else it is what it was: a worker that is busy may miss a query
		w.isPaused = now.state == plan.Paused
	}
	isPaused := w.isPaused && !now.ended()
	w.silent.Update(w.view, w.ear.silent(time.Now(), now.activities) >= silentAfter)
	if !now.ended() {
		w.paused.Update(w.view, isPaused)
		w.held.Update(w.view, now.held && !isPaused)
	}
	w.waiting++
	if !now.waiting || isPaused {
		w.waiting = 0
	}
	if isPaused {
		w.noSlot.Since = time.Time{} // no worker is to take its runs, so it does not matter that none did
	}
	w.noSlot.Update(w.view, w.waiting >= w.server.pace().polls(slotTimeout))
}

// unanswered is the part of poll for a server that did not answer.
func (w *watcher) unanswered(ctx context.Context, cause error) (ended bool, err error) {
	completed := observation{status: enums.WORKFLOW_EXECUTION_STATUS_COMPLETED, queryErr: cause}
	completed, err = completed.withCounts(ctx, w.ledger, w.header.ID, observation{})
	switch {
	case err == nil && completed.Progress.Completed == completed.Progress.Cells:
		w.last = completed
		w.view.Show(completed.Snapshot)
		return true, nil
	case !w.server.alive():
		return false, errServerGone
	case !noAnswer(serviceerror.ToStatus(cause).Code()):
		return false, fmt.Errorf("watch %s: %w", w.header.ID, cause)
	}
	if w.room.full() {
		w.noServer.Since = time.Time{} // it waits for as long as it takes
		return false, nil
	}
	w.noServer.Update(w.view, true)
	if time.Since(w.noServer.Since) >= serverTimeout {
		return false, fmt.Errorf("watch %s: no answer within %v: %w", w.header.ID, serverTimeout,
			explain(w.server.folders, cause))
	}
	return false, nil
}

// outcome returns nil if every run of a sweep that has ended has a result.
func (w *watcher) outcome(ctx context.Context) error {
	id := w.header.ID
	switch w.last.status {
	case enums.WORKFLOW_EXECUTION_STATUS_COMPLETED:
		return nil
	case enums.WORKFLOW_EXECUTION_STATUS_CANCELED:
		return fmt.Errorf("sweep %s was canceled; this goes on with it: %s", id, w.again)
	case enums.WORKFLOW_EXECUTION_STATUS_FAILED:
		return failure(w.server.client.GetWorkflow(ctx, id, "").Get(ctx, nil), id, w.again)
	}
	return fmt.Errorf("sweep %s ended as %s; this goes on with it: %s", id, w.last.status, w.again)
}

// failure says why a sweep's workflow failed: how many runs did, or the message of
// the innermost error. again is the command that goes on with the sweep.
func failure(err error, id, again string) error {
	var app *temporal.ApplicationError
	if !errors.As(err, &app) {
		return fmt.Errorf("sweep %s: %w", id, err)
	}
	var sum protocol.Summary
	if app.Type() != protocol.ErrTypeFailed || app.Details(&sum) != nil {
		for cause := app; errors.As(errors.Unwrap(cause), &cause); {
			app = cause
		}
		return fmt.Errorf("sweep %s: %s; this goes on with it: %s", id, app.Message(), again)
	}
	left := ""
	if n := sum.Cells - sum.Completed - sum.Failed; n > 0 {
		left = fmt.Sprintf(" and %d were not trained to their end", n)
	}
	return fmt.Errorf("%d of %d runs failed%s; this trains those again: %s", sum.Failed, sum.Cells, left, again)
}
