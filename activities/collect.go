package activities

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	"github.com/topksweep/sweep/storage"
	"github.com/topksweep/sweep/sweep/grid"
	"github.com/topksweep/sweep/sweep/ledger"
	"github.com/topksweep/sweep/sweep/plan"
	"github.com/topksweep/sweep/sweep/report"
)

// Collect writes a sweep's results to the store, one file a format.
func (a *Activities) Collect(ctx context.Context, id string) error {
	defer a.heartbeat(ctx, nothing)()
	return planless(ctx, a.collect(ctx, id))
}

func (a *Activities) collect(ctx context.Context, id string) error {
	a.forget(id) // it may have been extended
	header, err := a.header(ctx, id)
	if err != nil {
		return err
	}
	results, err := LoadResults(ctx, a.store, header)
	if err != nil {
		return err
	}
	for _, f := range report.Formats() {
		var b bytes.Buffer
		if err := report.Write(&b, f.Name, report.Rows{Plan: header, Results: results}); err != nil {
			return fmt.Errorf("write %s: %w", f.Name, err)
		}
		if err := storage.PutBytes(ctx, a.store, ledger.ReportKey(id, "results."+f.Extension), b.Bytes()); err != nil {
			return err
		}
	}
	return nil
}

// LoadResults reads what every cell of a plan has come to, in the plan's order:
// its result, the note that it failed, or that it is pending.
func LoadResults(ctx context.Context, store storage.Store, header *plan.Header) ([]ledger.Result, error) {
	out := make([]ledger.Result, 0, header.CellCount)
	for i := range header.Chunks() {
		cells, err := ReadCells(ctx, store, header, i)
		if err != nil {
			return nil, err
		}
		for _, c := range cells {
			r, err := readResult(ctx, store, header.RunID(c.ID))
			pending := ledger.Result{Cell: c.ID, Config: c.Config, Status: plan.Pending, Data: header.Info.Fingerprint}
			if errors.Is(err, storage.ErrCorrupt) {
				r, err = pending, nil
				r.Error = "its result in the store is damaged: sweep retry trains the run again"
			}
			if errors.Is(err, storage.ErrNotFound) {
				err = storage.GetJSON(ctx, store, ledger.FailureKey(header.ID, c.ID), &r)
			}
			if errors.Is(err, storage.ErrNotFound) {
				r, err = pending, nil
			}
			if err != nil {
				return nil, err
			}
			// The names of the activations are the grid's: another may have had others.
			r.LMName, r.Layer, r.Submodule = header.Data.LMName, header.Data.Layer, header.Data.SubmoduleName
			out = append(out, r)
		}
	}
	return out, nil
}

// readResult reads the result of a run, twice if the first time finds it damaged:
// it may have been misread. One that is not this run's is damaged, too.
func readResult(ctx context.Context, store storage.Store, id string) (r ledger.Result, err error) {
	for range 2 {
		r = ledger.Result{}
		err = storage.GetJSON(ctx, store, ledger.ResultKey(id), &r)
		if err == nil && (r.Status != plan.Completed || plan.TrajectoryOf(id) != r.Cell) {
			err = storage.Wrap("get", ledger.ResultKey(id), fmt.Errorf("%w: a result of cell %q, %s", storage.ErrCorrupt, r.Cell, r.Status))
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
func ReadChunk(ctx context.Context, store storage.Store, id string, chunk int) ([]grid.Cell, error) {
	b, err := storage.ReadAll(ctx, store, ledger.ChunkKey(id, chunk), maxChunk)
	if err != nil {
		return nil, err
	}
	return ledger.DecodeChunk(b)
}
