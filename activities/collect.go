package activities

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	"github.com/topksweep/sweep/storage"
	"github.com/topksweep/sweep/sweep"
	"github.com/topksweep/sweep/sweep/report"
)

// Collect writes a sweep's results to the store, one file a format.
func (a *Activities) Collect(ctx context.Context, id string) error {
	defer a.heartbeat(ctx, nothing)()
	return planless(ctx, a.collect(ctx, id))
}

func (a *Activities) collect(ctx context.Context, id string) error {
	a.forget(id) // it may have been extended
	plan, err := a.plan(ctx, id)
	if err != nil {
		return err
	}
	results, err := LoadResults(ctx, a.store, plan)
	if err != nil {
		return err
	}
	for _, f := range report.Formats() {
		var b bytes.Buffer
		if err := report.Write(&b, f.Name, report.Rows{Plan: plan, Results: results}); err != nil {
			return fmt.Errorf("write %s: %w", f.Name, err)
		}
		if err := storage.PutBytes(ctx, a.store, sweep.ReportKey(id, "results."+f.Extension), b.Bytes()); err != nil {
			return err
		}
	}
	return nil
}

// LoadResults reads what every cell of a plan has come to, in the plan's order:
// its result, the note that it failed, or that it is pending.
func LoadResults(ctx context.Context, store storage.Store, plan *sweep.PlanHeader) ([]sweep.Result, error) {
	out := make([]sweep.Result, 0, plan.CellCount)
	for i := range plan.Chunks() {
		cells, err := ReadCells(ctx, store, plan, i)
		if err != nil {
			return nil, err
		}
		for _, c := range cells {
			r, err := readResult(ctx, store, plan.RunID(c.ID))
			pending := sweep.Result{Cell: c.ID, Config: c.Config, Status: sweep.Pending, Data: plan.Info.Fingerprint}
			if errors.Is(err, storage.ErrCorrupt) {
				r, err = pending, nil
				r.Error = "its result in the store is damaged: sweep retry trains the run again"
			}
			if errors.Is(err, storage.ErrNotFound) {
				err = storage.GetJSON(ctx, store, sweep.FailureKey(plan.ID, c.ID), &r)
			}
			if errors.Is(err, storage.ErrNotFound) {
				r, err = pending, nil
			}
			if err != nil {
				return nil, err
			}
			// The names of the activations are the grid's: another may have had others.
			r.LMName, r.Layer, r.Submodule = plan.Data.LMName, plan.Data.Layer, plan.Data.SubmoduleName
			out = append(out, r)
		}
	}
	return out, nil
}

// readResult reads the result of a run, twice if the first time finds it damaged:
// it may have been misread. One that is not this run's is damaged, too.
func readResult(ctx context.Context, store storage.Store, id string) (r sweep.Result, err error) {
	for range 2 {
		r = sweep.Result{}
		err = storage.GetJSON(ctx, store, sweep.ResultKey(id), &r)
		if err == nil && (r.Status != sweep.Completed || sweep.TrajectoryOf(id) != r.Cell) {
			err = storage.Wrap("get", sweep.ResultKey(id), fmt.Errorf("%w: a result of cell %q, %s", storage.ErrCorrupt, r.Cell, r.Status))
		}
		if !errors.Is(err, storage.ErrCorrupt) {
			break
		}
	}
	return r, err
}

// maxChunk bounds what is read of a stored chunk of cells.
const maxChunk = 64 << 20

// ReadChunk reads one chunk of a stored plan's cells.
func ReadChunk(ctx context.Context, store storage.Store, id string, chunk int) ([]sweep.Cell, error) {
	b, err := storage.ReadAll(ctx, store, sweep.ChunkKey(id, chunk), maxChunk)
	if err != nil {
		return nil, err
	}
	return sweep.DecodeChunk(b)
}
