package activities

import (
	"context"

	"github.com/topksweep/sweep/storage"
	"github.com/topksweep/sweep/sweep"
)

// Prepare tells a workflow what it must know of one chunk of a plan's cells.
func (a *Activities) Prepare(ctx context.Context, ref sweep.ChunkRef) ([]sweep.PreparedCell, error) {
	defer a.heartbeat(ctx, nothing)()
	out, err := a.prepare(ctx, ref)
	return out, outcome(ctx, err)
}

func (a *Activities) prepare(ctx context.Context, ref sweep.ChunkRef) ([]sweep.PreparedCell, error) {
	plan, err := a.plan(ctx, ref.Sweep)
	if err != nil {
		return nil, err
	}
	cells, err := a.chunk(ctx, ref.Sweep, ref.Chunk)
	if err != nil {
		return nil, err
	}
	out := make([]sweep.PreparedCell, len(cells))
	for i, c := range cells {
		done, err := a.result(ctx, plan.RunID(c.ID))
		if err != nil {
			return nil, err
		}
		out[i] = sweep.PreparedCell{Label: plan.Label(c), Done: done != nil}
	}
	return out, nil
}

// RecordFailure keeps the reason why a run has no result, until it runs again.
func (a *Activities) RecordFailure(ctx context.Context, in sweep.FailInput) error {
	defer a.heartbeat(ctx, nothing)()
	return outcome(ctx, a.recordFailure(ctx, in))
}

func (a *Activities) recordFailure(ctx context.Context, in sweep.FailInput) error {
	r, err := a.find(ctx, in.CellRef) // bad settings may be the reason
	if err != nil {
		return err
	}
	note := sweep.Result{
		Cell: r.cell.ID, Config: r.cell.Config, Status: in.Status, Error: in.Error, Data: r.plan.Info.Fingerprint,
		LMName: r.plan.Data.LMName, Layer: r.plan.Data.Layer, Submodule: r.plan.Data.SubmoduleName,
	}
	return storage.PutJSON(ctx, a.store, sweep.FailureKey(in.Sweep, r.cell.ID), note)
}

// nothing are the details of a heartbeat that only says alive.
func nothing() any { return nil }
