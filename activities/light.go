package activities

import (
	"context"

	"github.com/topksweep/sweep/sweep/grid"
	"github.com/topksweep/sweep/sweep/ledger"
	"github.com/topksweep/sweep/sweep/plan"
	"github.com/topksweep/sweep/sweep/protocol"
)

// Prepare returns one chunk of a plan's trees, with the cells marked whose result
// is in the store, and the metrics of some of them (withBriefs).
func (a *Activities) Prepare(ctx context.Context, ref protocol.ChunkRef) ([]plan.Tree, error) {
	return light(ctx, a, "preparing the sweep", func(ctx context.Context) ([]plan.Tree, error) {
		ctx, end := untilStop(ctx)
		defer end()
		trees, err := a.prepare(ctx, ref)
		return trees, interrupted(ctx, err)
	})
}

func (a *Activities) prepare(ctx context.Context, ref protocol.ChunkRef) ([]plan.Tree, error) {
	h, err := a.header(ctx, ref.Sweep)
	if err != nil {
		return nil, err
	}
	if ref.Chunk >= h.TreeChunks { // the sweep may have been extended since its header was read
		a.forget(ref.Sweep)
		if h, err = a.header(ctx, ref.Sweep); err != nil {
			return nil, err
		}
	}
	trees, err := a.ledger.TreesOf(ctx, h, ref.Chunk)
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
	for i := range trees {
		forgetNames(&trees[i])
	}
	return trees, nil
}

// forgetNames leaves out the names of what is done: nobody is shown a cell without metrics, and a tree that is done
// does not begin. A history has every answer of Prepare.
func forgetNames(t *plan.Tree) {
	done := true
	for i := range t.Cells {
		c := &t.Cells[i]
		if c.Done && c.Brief == nil {
			c.Label = ""
		}
		done = done && c.Done
	}
	if done {
		t.Family = ""
	}
}

// RecordFailure notes in the store why runs have no result, and returns the cells that it has noted: all of them, or
// with in.UnlessDone those without a result. The notes go when the runs are trained again. Of the status Pending it
// removes notes, since those runs wait to be trained again.
func (a *Activities) RecordFailure(ctx context.Context, in protocol.FailInput) ([]int, error) {
	return light(ctx, a, "noting failures", func(ctx context.Context) ([]int, error) {
		noted, err := a.recordFailure(ctx, in)
		if err == nil {
			a.tellFailures(ctx, in.Sweep, in.News)
		}
		return noted, err
	})
}

func (a *Activities) recordFailure(ctx context.Context, in protocol.FailInput) (noted []int, err error) {
	completed := map[string]bool{}
	if in.UnlessDone {
		if completed, err = a.ledger.CompletedRuns(ctx); err != nil {
			return nil, err
		}
	}
	runs, err := a.findAll(ctx, in.Sweep, in.Cells)
	if err != nil {
		return nil, err
	}
	isNoted := make([]bool, len(runs))
	err = forEach(ctx, len(runs), func(ctx context.Context, i int) error {
		r := runs[i]
		if completed[r.id] {
			if result, err := a.result(ctx, r.id); err != nil || result != nil { // it may be damaged
				return err
			}
		}
		isNoted[i] = true
		return a.noteFailure(ctx, in, r)
	})
	if err != nil {
		return nil, err
	}
	for i, cell := range in.Cells {
		if isNoted[i] {
			noted = append(noted, cell)
		}
	}
	return noted, nil
}

// findAll reads runs. It does not check their settings, as load does: they may be the reason why a run failed.
func (a *Activities) findAll(ctx context.Context, sweep string, cells []int) ([]*run, error) {
	h, err := a.header(ctx, sweep)
	if err != nil {
		return nil, err
	}
	chunks := map[int][]grid.Cell{}
	runs := make([]*run, len(cells))
	for i, cell := range cells {
		chunk, known := chunks[cell/plan.ChunkSize]
		if !known && cell >= 0 {
			if chunk, err = a.ledger.Cells(ctx, h, cell/plan.ChunkSize); err != nil {
				return nil, err
			}
			chunks[cell/plan.ChunkSize] = chunk
		}
		if at := cell % plan.ChunkSize; at >= 0 && at < len(chunk) {
			runs[i] = &run{id: h.RunID(chunk[at].ID), header: h, cell: chunk[at]}
			continue
		}
		if runs[i], err = a.find(ctx, protocol.CellRef{Sweep: sweep, Cell: cell}); err != nil { // it says what is wrong
			return nil, err
		}
	}
	return runs, nil
}

func (a *Activities) noteFailure(ctx context.Context, in protocol.FailInput, r *run) error {
	if in.Status == plan.Pending {
		return a.ledger.DeleteFailure(ctx, in.Sweep, r.cell.ID)
	}
	note := ledger.NewResult(r.header, r.cell, in.Status)
	note.Error = in.Error
	return a.ledger.StoreFailure(ctx, in.Sweep, note)
}

// light is try for an activity that only uses the store. Its heartbeats say that its worker lives, and pass
// refusals on.
func light[T any](ctx context.Context, a *Activities, what string, do func(context.Context) (T, error)) (T, error) {
	return try(ctx, a, func(ctx context.Context) (T, error) {
		at := attemptOf(ctx)
		defer a.heartbeat(ctx, at.details)()
		out, err := watched(ctx, a, doing(what), do)
		if err == nil {
			at.claim()
		}
		return out, err
	})
}

// noDetails are the details of a heartbeat that only says that its worker lives.
func noDetails() any { return nil }
