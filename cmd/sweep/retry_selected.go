package main

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/topksweep/sweep/sweep/ledger"
	"github.com/topksweep/sweep/sweep/plan"
	"github.com/topksweep/sweep/sweep/protocol"
	"github.com/topksweep/sweep/sweep/report"
)

// Bounds of what a sweep is told that is started for some of its cells.
const (
	maxChosen   = 1 << 20 // bytes of JSON of the cells to train: a server refuses an input of 2 MiB
	maxLost     = 1 << 19 // bytes of JSON of the other cells without result
	maxSeen     = 200     // cells with results
	maxFailures = 20
	maxReason   = 300 // bytes of a failure's reason
)

// startAgain starts a sweep that does not run: for the cells with these numbers, ascending, or with nil for all without
// result. results are what its cells have come to, in the plan's order. started is false if somebody else has started
// it.
func startAgain(ctx context.Context, errOut io.Writer, srv *server, l *ledger.Ledger, h *plan.Header,
	results []ledger.Result, cells []int, by submission) (did protocol.Steered, started bool, err error) {

	if cells != nil {
		resume, err := resumeWith(ctx, l, h, results, cells)
		if err != nil {
			return did, false, err
		}
		by.resume, by.failedBefore = resume, resume.Summary.Failed
	}
	started, err = restart(ctx, errOut, srv, l, h, by)
	return startedSteered(results, cells), started, err
}

// isIn reports whether a cell is among some, which are ascending.
func isIn(cells []int, cell int) bool {
	_, found := slices.BinarySearch(cells, cell)
	return found
}

// startedSteered says what a sweep does that was started for some cells, or nil for all without result.
func startedSteered(results []ledger.Result, cells []int) protocol.Steered {
	did := protocol.Steered{Summary: protocol.Summary{Cells: len(results)}, State: plan.Training}
	for i, r := range results {
		switch {
		case r.Status == plan.Completed:
			did.Completed++
			did.Reused++
		case cells == nil || isIn(cells, i):
			did.Cells = append(did.Cells, i)
		case r.Status == plan.Failed:
			did.Failed++
		default:
			did.Canceled++
		}
	}
	did.Did = "started the sweep again, for " + someOf(len(did.Cells), len(results))
	return did
}

// resumeWith returns what a sweep must know to train some cells only, as if an earlier history had done with all
// others: those with results are completed, and of the others those that have not failed count as canceled.
func resumeWith(ctx context.Context, l *ledger.Ledger, h *plan.Header, results []ledger.Result, cells []int) (
	*protocol.Continuation, error) {

	c := &protocol.Continuation{Next: h.TreeChunks * plan.ChunkSize, Summary: startedSteered(results, cells).Summary}
	labels := map[int]string{}
	for i := range h.TreeChunks {
		trees, err := l.TreesOf(ctx, h, i)
		if err != nil {
			return nil, err
		}
		for j, t := range trees {
			chosen := protocol.UnfinishedTree{Tree: i*plan.ChunkSize + j}
			lost := protocol.LostTree{Tree: chosen.Tree}
			for _, cell := range t.Cells {
				labels[cell.Cell] = cell.Label
				switch {
				case isIn(cells, cell.Cell):
					chosen.Cells = append(chosen.Cells, cell.Cell)
				case cell.Cell >= len(results), results[cell.Cell].Status == plan.Completed:
				case results[cell.Cell].Status == plan.Failed:
					lost.Failed = append(lost.Failed, cell.Cell)
				default:
					lost.Canceled = append(lost.Canceled, cell.Cell)
				}
			}
			slices.Sort(chosen.Cells)
			slices.Sort(lost.Failed)
			slices.Sort(lost.Canceled)
			if len(chosen.Cells) > 0 {
				c.Unfinished = append(c.Unfinished, chosen)
			}
			if len(lost.Failed)+len(lost.Canceled) > 0 {
				c.Lost = append(c.Lost, lost)
			}
		}
	}
	if size(c.Unfinished) > maxChosen {
		return nil, inputError{fmt.Errorf("%d cells are too many to start a sweep for: choose fewer, "+
			"or start it for all its cells without result", len(cells))}
	}
	if size(c.Lost) > maxLost { // then a retry of the running sweep goes through all its cells
		c.Lost = nil
	}
	addKnown(c, labels, results, cells)
	return c, nil
}

// size returns the bytes of some trees in JSON.
func size[T protocol.UnfinishedTree | protocol.LostTree](trees []T) int {
	b, err := json.Marshal(trees)
	if err != nil {
		return 1 << 30 // which does not occur: numbers have JSON
	}
	return len(b)
}

// addKnown adds, for people, the best of the cells with results and some of those that failed or were canceled.
func addKnown(c *protocol.Continuation, labels map[int]string, results []ledger.Result, cells []int) {
	var seen []protocol.SeenCell
	for i, r := range results {
		switch {
		case r.Status == plan.Completed && r.Metrics.NMSE != nil:
			seen = append(seen, protocol.SeenCell{Cell: i, Label: labels[i], Brief: plan.BriefOf(r.Metrics)})
		case (r.Status == plan.Failed || r.Status == plan.Canceled) && !isIn(cells, i) && len(c.Failures) < maxFailures:
			reason := report.Cause(r.Error)
			if len(reason) > maxReason {
				reason = strings.ToValidUTF8(reason[:maxReason-len("…")], "") + "…"
			}
			c.Failures = append(c.Failures, protocol.Failure{Cell: i, Label: labels[i], Status: r.Status, Error: reason})
		}
	}
	slices.SortStableFunc(seen, func(a, b protocol.SeenCell) int { return cmp.Compare(*a.Brief.NMSE, *b.Brief.NMSE) })
	c.Seen = seen[:min(maxSeen, len(seen))]
}
