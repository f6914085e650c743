package activities

import (
	"context"
	"errors"

	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/temporal"

	"github.com/topksweep/sweep/sweep/ledger"
	"github.com/topksweep/sweep/sweep/plan"
	"github.com/topksweep/sweep/sweep/protocol"
)

// Prepare returns one chunk of a plan's trees, with the cells marked whose result
// is in the store, and the metrics of some of them (withBriefs).
func (a *Activities) Prepare(ctx context.Context, ref protocol.ChunkRef) ([]plan.Tree, error) {
	defer a.heartbeat(ctx, noDetails)()
	ctx, end := untilStop(ctx)
	defer end()
	trees, err := a.prepare(ctx, ref)
	return trees, outcomeOrNoPlan(ctx, err)
}

func (a *Activities) prepare(ctx context.Context, ref protocol.ChunkRef) ([]plan.Tree, error) {
	h, err := a.header(ctx, ref.Sweep)
	if err != nil {
		return nil, err
	}
	trees, err := a.ledger.Trees(ctx, ref.Sweep, ref.Chunk)
	if err != nil {
		return nil, err
	}
	var best bestCells
	for _, t := range trees {
		for i := range t.Cells {
			c := &t.Cells[i]
			// A plain read is enough here: a run that seems to have no result is looked at
			// again when it begins to train.
			id := h.RunID(c.ID)
			stored, err := a.ledger.Result(ctx, id)
			r, err := a.sound(ctx, id, stored, err)
			if err != nil {
				return nil, err
			}
			c.Done, c.ID = r != nil, "" // a history needs no IDs
			c.Brief = nil
			if r != nil {
				best.add(c, plan.BriefOf(r.Metrics))
			}
		}
	}
	best.keep(briefsFor(h.CellCount))
	return trees, nil
}

// RecordFailure notes in the store why runs have no result, and returns the cells that it has noted: all of them, or
// with in.UnlessDone those without a result. The notes go when the runs are trained again. Of the status Pending it
// removes notes, since those runs wait to be trained again.
func (a *Activities) RecordFailure(ctx context.Context, in protocol.FailInput) ([]int, error) {
	defer a.heartbeat(ctx, noDetails)()
	ctx, end := untilStop(ctx)
	defer end()
	noted, err := a.recordFailure(ctx, in)
	return noted, outcome(ctx, err)
}

func (a *Activities) recordFailure(ctx context.Context, in protocol.FailInput) (noted []int, err error) {
	completed := map[string]bool{}
	if in.UnlessDone {
		if completed, err = a.ledger.CompletedRuns(ctx); err != nil {
			return nil, err
		}
	}
	for _, cell := range in.Cells {
		// Not load, which refuses bad settings: they may be the reason.
		r, err := a.find(ctx, protocol.CellRef{Sweep: in.Sweep, Cell: cell})
		if err != nil {
			return nil, err
		}
		if completed[r.id] {
			result, err := a.result(ctx, r.id) // it may be damaged
			if err != nil {
				return nil, err
			}
			if result != nil {
				continue
			}
		}
		if err := a.noteFailure(ctx, in, r); err != nil {
			return nil, err
		}
		noted = append(noted, cell)
	}
	return noted, nil
}

func (a *Activities) noteFailure(ctx context.Context, in protocol.FailInput, r *run) error {
	if in.Status == plan.Pending {
		return a.ledger.DeleteFailure(ctx, in.Sweep, r.cell.ID)
	}
	note := ledger.NewResult(r.header, r.cell, in.Status)
	note.Error = in.Error
	return a.ledger.StoreFailure(ctx, in.Sweep, note)
}

// noPlanAttempts is the attempt at which an activity gives up on a plan that no
// worker has in its store. The intervals between attempts grow, so this takes a
// minute or two.
const noPlanAttempts = 8

// outcomeOrNoPlan is outcome for the activities with which a sweep begins and ends.
// It lets the sweep fail if no worker finds the plan.
func outcomeOrNoPlan(ctx context.Context, err error) error {
	if errors.Is(err, ErrNoPlan) && activity.GetInfo(ctx).Attempt >= noPlanAttempts {
		return temporal.NewNonRetryableApplicationError(brief(err.Error()), protocol.ErrTypeNoPlan, nil)
	}
	return outcome(ctx, err)
}

// noDetails are the details of a heartbeat that only says that its worker lives.
func noDetails() any { return nil }
