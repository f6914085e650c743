package main

import (
	"context"
	"fmt"
	"time"

	"github.com/topksweep/sweep/cmd/sweep/progress"
	"github.com/topksweep/sweep/sweep/ledger"
	"github.com/topksweep/sweep/sweep/observe"
	"github.com/topksweep/sweep/sweep/plan"
	"github.com/topksweep/sweep/sweep/report"
)

// A newsroom writes a line when a sweep of a server starts, ends, is paused or goes on.
type newsroom struct {
	env    *environment
	ledger *ledger.Ledger
	began  time.Time // what ended before is no news

	known map[string]observe.Listed // by ID; nil before the first look
}

const (
	newsInterval = 2 * time.Second
	mostNews     = 5 // lines of one look
)

// follow writes the news of a server until ctx is done. A look that gets no answer is left out.
func (n *newsroom) follow(ctx context.Context, srv *server) {
	tick := time.NewTicker(newsInterval)
	defer tick.Stop()
	for {
		askCtx, cancel := context.WithTimeout(ctx, pollTimeout)
		list, err := observe.List(askCtx, srv.client, n.began.Truncate(time.Second))
		cancel()
		if err == nil {
			n.tell(ctx, list)
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// tell writes what is new in a list of sweeps. Of many it writes a few lines and counts the others.
func (n *newsroom) tell(ctx context.Context, list []observe.Listed) {
	first := n.known == nil
	if first {
		n.known = map[string]observe.Listed{}
	}
	told, more := 0, 0
	for _, s := range list {
		before, known := n.known[s.ID]
		if known && before.State == s.State && before.Close.Equal(s.Close) {
			continue
		}
		if known && s.Close.IsZero() && before.Close.IsZero() {
			s.Start = before.Start // another history goes on with it
		}
		n.known[s.ID] = s
		if told == mostNews {
			more++
			continue
		}
		told++
		if line := n.line(ctx, s, known && before.Close.IsZero(), first); line != "" {
			fmt.Fprintln(n.env.errOut, line)
		}
	}
	if more > 0 {
		fmt.Fprintf(n.env.errOut, "… and %d sweeps more: %s\n", more, n.env.command("list"))
	}
}

// line says what is new of a sweep. ran says that it ran at the look before, and first that there was none.
func (n *newsroom) line(ctx context.Context, s observe.Listed, ran, first bool) string {
	counts := fmt.Sprintf("%d of %d done", s.Done, s.Cells)
	if s.Failed > 0 {
		counts += fmt.Sprintf(", %d failed", s.Failed)
	}
	if s.Cells == 0 { // the server has no search attributes
		counts = "see " + n.env.command("status", s.ID)
	}
	took := progress.Clock(s.Close.Sub(s.Start))
	switch {
	case s.State == plan.Training && first, s.State == plan.Training && ran:
		return fmt.Sprintf("sweep %s goes on: %s", s.ID, counts)
	case s.State == plan.Training && s.Cells > 0:
		return fmt.Sprintf("sweep %s starts: %d cells", s.ID, s.Cells)
	case s.State == plan.Training:
		return fmt.Sprintf("sweep %s starts", s.ID)
	case s.State == plan.Paused:
		return fmt.Sprintf("sweep %s is paused: %s; this goes on with it: %s", s.ID, counts, n.env.command("resume", s.ID))
	case s.State == plan.Completed:
		return fmt.Sprintf("sweep %s completed: %s in %s", s.ID, counts, took)
	case s.State == plan.Canceled:
		return fmt.Sprintf("sweep %s canceled: %s; this goes on with it: %s", s.ID, counts, n.env.command("retry", s.ID))
	case s.State == plan.Failed:
		return fmt.Sprintf("sweep %s failed: %s in %s%s; this trains it again: %s", s.ID, counts, took, n.reason(ctx, s.ID),
			n.env.command("retry", s.ID))
	}
	return ""
}

// reason says why the first of a sweep's cells failed; "" if that is not known.
func (n *newsroom) reason(ctx context.Context, sweep string) string {
	header, err := n.ledger.Header(ctx, sweep)
	if err != nil {
		return ""
	}
	noted, err := n.ledger.NotedCells(ctx, sweep)
	if err != nil || len(noted) == 0 {
		return ""
	}
	for chunk := range header.Chunks() {
		cells, err := n.ledger.Cells(ctx, header, chunk)
		if err != nil {
			return ""
		}
		for _, c := range cells {
			if !noted[c.ID] {
				continue
			}
			if note, err := n.ledger.Failure(ctx, sweep, c.ID); err == nil && note.Status == plan.Failed {
				return fmt.Sprintf("; %s: %s", c.ID, report.Cause(note.Error))
			}
		}
	}
	return ""
}
