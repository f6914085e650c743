package activities

import (
	"context"
	"errors"

	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/temporal"

	"github.com/topksweep/sweep/storage"
	"github.com/topksweep/sweep/sweep"
)

// Prepare tells a workflow what it must know of one piece of a plan's trees.
func (a *Activities) Prepare(ctx context.Context, ref sweep.ChunkRef) ([]sweep.Tree, error) {
	defer a.heartbeat(ctx, nothing)()
	out, err := a.prepare(ctx, ref)
	return out, planless(ctx, err)
}

// lastLook is the attempt at which a plan is given up that no worker has in its
// store. Attempts grow apart: it takes a minute or two.
const lastLook = 8

// planless is outcome for the activities that a sweep begins and ends with.
func planless(ctx context.Context, err error) error {
	if errors.Is(err, ErrNoPlan) && activity.GetInfo(ctx).Attempt >= lastLook {
		return temporal.NewNonRetryableApplicationError(brief(err.Error()), sweep.ErrTypeNoPlan, nil)
	}
	return outcome(ctx, err)
}

func (a *Activities) prepare(ctx context.Context, ref sweep.ChunkRef) ([]sweep.Tree, error) {
	plan, err := a.plan(ctx, ref.Sweep)
	if err != nil {
		return nil, err
	}
	b, err := storage.ReadAll(ctx, a.store, sweep.TreesKey(ref.Sweep, ref.Chunk), maxChunk)
	if err != nil {
		return nil, err
	}
	trees, err := sweep.DecodeTrees(b)
	if err != nil {
		return nil, storage.Wrap("get", sweep.TreesKey(ref.Sweep, ref.Chunk), storage.Mark(err, storage.ErrCorrupt))
	}
	for _, t := range trees {
		for i := range t.Cells {
			c := &t.Cells[i]
			done, err := a.result(ctx, plan.RunID(c.ID))
			if err != nil {
				return nil, err
			}
			c.Done, c.ID = done != nil, "" // a history needs no IDs
		}
	}
	return trees, nil
}

// RecordFailure keeps the reason why runs have no result, until they run again.
func (a *Activities) RecordFailure(ctx context.Context, in sweep.FailInput) error {
	defer a.heartbeat(ctx, nothing)()
	return outcome(ctx, a.recordFailure(ctx, in))
}

func (a *Activities) recordFailure(ctx context.Context, in sweep.FailInput) error {
	for _, cell := range in.Cells {
		r, err := a.find(ctx, sweep.CellRef{Sweep: in.Sweep, Cell: cell}) // bad settings may be the reason
		if err != nil {
			return err
		}
		note := sweep.Result{
			Cell: r.cell.ID, Config: r.cell.Config, Status: in.Status, Error: in.Error, Data: r.plan.Info.Fingerprint,
			LMName: r.plan.Data.LMName, Layer: r.plan.Data.Layer, Submodule: r.plan.Data.SubmoduleName,
		}
		if err := storage.PutJSON(ctx, a.store, sweep.FailureKey(in.Sweep, r.cell.ID), note); err != nil {
			return err
		}
	}
	return nil
}

// nothing are the details of a heartbeat that only says alive.
func nothing() any { return nil }
