package activities

import (
	"context"
	"errors"

	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/temporal"

	"github.com/topksweep/sweep/storage"
	"github.com/topksweep/sweep/sweep/ledger"
	"github.com/topksweep/sweep/sweep/plan"
	"github.com/topksweep/sweep/sweep/protocol"
)

// Prepare tells a workflow what it must know of one piece of a plan's trees.
func (a *Activities) Prepare(ctx context.Context, ref protocol.ChunkRef) ([]plan.Tree, error) {
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
		return temporal.NewNonRetryableApplicationError(brief(err.Error()), protocol.ErrTypeNoPlan, nil)
	}
	return outcome(ctx, err)
}

func (a *Activities) prepare(ctx context.Context, ref protocol.ChunkRef) ([]plan.Tree, error) {
	header, err := a.header(ctx, ref.Sweep)
	if err != nil {
		return nil, err
	}
	b, err := storage.ReadAll(ctx, a.store, ledger.TreesKey(ref.Sweep, ref.Chunk), maxChunk)
	if err != nil {
		return nil, err
	}
	trees, err := ledger.DecodeTrees(b)
	if err != nil {
		return nil, storage.Wrap("get", ledger.TreesKey(ref.Sweep, ref.Chunk), storage.Mark(err, storage.ErrCorrupt))
	}
	for _, t := range trees {
		for i := range t.Cells {
			c := &t.Cells[i]
			done, err := a.result(ctx, header.RunID(c.ID))
			if err != nil {
				return nil, err
			}
			c.Done, c.ID = done != nil, "" // a history needs no IDs
		}
	}
	return trees, nil
}

// RecordFailure keeps the reason why runs have no result, until they run again.
func (a *Activities) RecordFailure(ctx context.Context, in protocol.FailInput) error {
	defer a.heartbeat(ctx, nothing)()
	return outcome(ctx, a.recordFailure(ctx, in))
}

func (a *Activities) recordFailure(ctx context.Context, in protocol.FailInput) error {
	for _, cell := range in.Cells {
		r, err := a.find(ctx, protocol.CellRef{Sweep: in.Sweep, Cell: cell}) // bad settings may be the reason
		if err != nil {
			return err
		}
		note := ledger.Result{
			Cell: r.cell.ID, Config: r.cell.Config, Status: in.Status, Error: in.Error, Data: r.header.Info.Fingerprint,
			LMName: r.header.Data.LMName, Layer: r.header.Data.Layer, Submodule: r.header.Data.SubmoduleName,
		}
		if err := storage.PutJSON(ctx, a.store, ledger.FailureKey(in.Sweep, r.cell.ID), note); err != nil {
			return err
		}
	}
	return nil
}

// nothing are the details of a heartbeat that only says alive.
func nothing() any { return nil }
