package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"go.temporal.io/api/serviceerror"

	"github.com/topksweep/sweep/sweep/observe"
	"github.com/topksweep/sweep/sweep/plan"
	"github.com/topksweep/sweep/sweep/protocol"
)

const (
	// othersLooked is the number of the newest sweeps of a store of which a command that trains another one looks whether
	// they are done. So it starts as fast with thousands of them. What the server runs is seen however old it is.
	othersLooked = 20

	// othersShown is the number of other unfinished sweeps that it names.
	othersShown = 5
)

// An other is a sweep of the same state directory that is not done, beside the one that a command is to train.
type other struct {
	id    string
	state string // of its workflow, for people; "idle" where it has none
}

// pauseOthers pauses all other sweeps that run in the server that this process has just started, so that the sweep of
// the command has all slots. It names what else is unfinished. What cannot be paused is said, and trains beside it.
func (h here) pauseOthers(ctx context.Context, env *environment, srv *server) {
	newest, err := h.ledger.SweepIDs(ctx)
	if err != nil {
		env.note(fmt.Sprintf("whether other sweeps are unfinished is not known: %v", err))
	}
	newest = newest[:min(len(newest), othersLooked)]
	running, err := observe.Running(ctx, srv.client)
	if err != nil && ctx.Err() == nil {
		env.note(fmt.Sprintf("other sweeps may take slots too: the server does not list them: %v", err))
	}
	var all []other
	for _, r := range running {
		if o, ok := h.pause(ctx, env, srv, r); ok {
			all = append(all, o)
		}
	}
	done := sync.OnceValues(func() (map[string]bool, error) { return h.ledger.CompletedRuns(ctx) })
	for _, id := range newest {
		if id == h.header.ID || slices.ContainsFunc(running, func(r observe.RunningSweep) bool { return r.ID == id }) {
			continue
		}
		if o, ok := h.unfinished(ctx, env, srv, id, done); ok {
			all = append(all, o)
		}
	}
	slices.SortStableFunc(all, func(x, y other) int { return place(newest, x.id) - place(newest, y.id) })
	for _, o := range all[:min(len(all), othersShown)] {
		fmt.Fprintln(env.errOut, h.line(ctx, env, o, done))
	}
	if n := len(all) - othersShown; n > 0 {
		fmt.Fprintf(env.errOut, "%d more are unfinished: %s\n", n, env.command("list"))
	}
}

// place returns where an ID is in a list, or behind its end.
func place(list []string, id string) int {
	if i := slices.Index(list, id); i >= 0 {
		return i
	}
	return len(list)
}

// pause pauses a sweep that is not the command's own. It reports false for one that is, or that ends.
func (h here) pause(ctx context.Context, env *environment, srv *server, r observe.RunningSweep) (other, bool) {
	if r.ID == h.header.ID {
		return other{}, false
	}
	if r.State == plan.Paused {
		return other{r.ID, "paused before"}, true
	}
	// Once the update is accepted nothing more starts. A stage whose worker was killed ends when its heartbeat is missed.
	_, err := acceptUpdate(ctx, env, srv, r.ID, steering{update: protocol.UpdatePause})
	switch {
	case errors.Is(err, errNotRunning), errors.Is(err, errEnding), ctx.Err() != nil:
		return other{}, false
	case err != nil:
		return other{r.ID, fmt.Sprintf("not paused, so that it takes slots too (%v)", err)}, true
	}
	return other{r.ID, "paused"}, true
}

// unfinished looks whether a sweep of the store that the server does not list as running has runs to train. A server
// lists what began or ended a moment ago a little later.
func (h here) unfinished(ctx context.Context, env *environment, srv *server, id string,
	done func() (map[string]bool, error)) (other, bool) {

	o, err := observe.State(ctx, nil, srv.client, id)
	var unknown *serviceerror.NotFound
	switch {
	case errors.As(err, &unknown):
	case err != nil, o.State != plan.Training && o.State != plan.Paused:
		return other{}, false
	default:
		return h.pause(ctx, env, srv, observe.RunningSweep{ID: id, State: o.State})
	}
	completed, err := done()
	if err != nil {
		return other{}, false
	}
	header, err := h.ledger.Header(ctx, id)
	if err != nil { // sweep list says what is wrong with it
		return other{}, false
	}
	n, err := h.ledger.Count(ctx, header, completed)
	if err != nil || n.Ended() != "" {
		return other{}, false
	}
	return other{id, string(plan.Idle)}, true
}

// line is what a person reads of another sweep.
func (h here) line(ctx context.Context, env *environment, o other, done func() (map[string]bool, error)) string {
	var b strings.Builder
	fmt.Fprintf(&b, "also unfinished here: %s", o.id)
	var differences []string
	header, err := h.ledger.Header(ctx, o.id)
	if err == nil && header.CellCount <= comparedCells {
		if completed, err := done(); err == nil {
			if n, err := h.ledger.Count(ctx, header, completed); err == nil {
				fmt.Fprintf(&b, " (%d of %d runs done)", n.Completed, header.CellCount)
			}
			if header.Name == h.header.Name {
				b.WriteString(", an earlier version of this grid")
				differences = h.differences(ctx, header, completed)
			}
		}
	}
	goOn := "resume"
	if o.state == string(plan.Idle) {
		goOn = "retry"
	}
	fmt.Fprintf(&b, "; %s", o.state)
	for _, d := range differences {
		fmt.Fprintf(&b, "; %s", d)
	}
	fmt.Fprintf(&b, ". %s goes on with it, %s ends it", env.command(goOn, o.id), env.command("cancel", o.id))
	return harmless(b.String())
}

// resumePaused resumes a sweep that is paused: a person who runs it wants it to train.
func resumePaused(ctx context.Context, env *environment, srv *server, id string) error {
	ask, cancel := context.WithTimeout(ctx, pollTimeout)
	defer cancel()
	o, err := observe.State(ctx, ask, srv.client, id)
	if err != nil || o.State != plan.Paused { // what is wrong with the server shows when the sweep is started
		return nil
	}
	resume := steering{update: protocol.UpdateResume, doing: "resuming; waiting for its answer"}
	_, err = sendUpdate(ctx, env, srv, id, resume)
	switch {
	case errors.Is(err, errNotRunning), errors.Is(err, errEnding):
		return nil
	case err == nil:
		fmt.Fprintf(env.errOut, "sweep %s was paused: resumed\n", id)
	}
	return err
}
