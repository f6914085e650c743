package activities

import (
	"context"
	"errors"
	"fmt"

	"github.com/topksweep/sweep/storage"
	"github.com/topksweep/sweep/sweep/grid"
	"github.com/topksweep/sweep/sweep/ledger"
	"github.com/topksweep/sweep/sweep/plan"
	"github.com/topksweep/sweep/sweep/protocol"
)

// A run is one cell's training as an activity works on it.
type run struct {
	id     string // names its objects in the store
	header *plan.Header
	cell   grid.Cell
}

// trainsOn is the data of the run.
func (r *run) trainsOn() plan.DataSet { return r.header.DataOf(r.cell) }

// load reads a run that is to be trained or evaluated, and checks its settings.
func (a *Activities) load(ctx context.Context, ref protocol.CellRef) (*run, error) {
	return a.lookTwice(ctx, ref, true)
}

// find is load without the check of the settings.
func (a *Activities) find(ctx context.Context, ref protocol.CellRef) (*run, error) {
	return a.lookTwice(ctx, ref, false)
}

// lookTwice reads a run. ErrConfig is final, so that the plan is read anew before it is
// returned: a header that was read before may have been misread, or have changed since.
func (a *Activities) lookTwice(ctx context.Context, ref protocol.CellRef, check bool) (*run, error) {
	look := func() (*run, error) {
		r, err := a.look(ctx, ref)
		if err == nil && check {
			err = r.check(ref.Sweep)
		}
		return r, err
	}
	r, err := look()
	if errors.Is(err, ErrConfig) {
		a.forget(ref.Sweep)
		r, err = look()
	}
	return r, err
}

// check returns an error that wraps ErrConfig if the settings of a run cannot be trained.
func (r *run) check(sweep string) error {
	if !r.header.Identifies(r.cell) {
		return storage.Mark(fmt.Errorf("%w: cell %s of %s has other settings than its ID says: its plan is damaged, "+
			"or of another version of sweep; submit the grid again", ErrConfig, r.cell.ID, sweep), errOtherPlan)
	}
	if errs := r.cell.Config.Validate(); len(errs) > 0 {
		return fmt.Errorf("%w: cell %s: %w", ErrConfig, r.cell.ID, errs[0])
	}
	return nil
}

func (a *Activities) look(ctx context.Context, ref protocol.CellRef) (*run, error) {
	h, err := a.header(ctx, ref.Sweep)
	if err != nil {
		return nil, err
	}
	if ref.Cell >= h.CellCount { // the sweep may have been extended since its header was read
		a.forget(ref.Sweep)
		if h, err = a.header(ctx, ref.Sweep); err != nil {
			return nil, err
		}
	}
	cells, err := a.cells(ctx, h, ref.Cell/plan.ChunkSize)
	if err != nil {
		return nil, err
	}
	i := ref.Cell % plan.ChunkSize
	if i < 0 || i >= len(cells) {
		err := fmt.Errorf("%w: the stored plan of %s has no cell %d", ErrConfig, ref.Sweep, ref.Cell)
		return nil, storage.Mark(err, errOtherPlan)
	}
	return &run{id: h.RunID(cells[i].ID), header: h, cell: cells[i]}, nil
}

// header returns a sweep's plan header, which it reads once. What training needs
// of a header never changes, except where the data lies.
func (a *Activities) header(ctx context.Context, sweep string) (*plan.Header, error) {
	a.mu.Lock()
	h := a.headers[sweep]
	a.mu.Unlock()
	if h != nil {
		return h, nil
	}
	h, err := a.ledger.Header(ctx, sweep)
	if errors.Is(err, storage.ErrNotFound) {
		return nil, fmt.Errorf("%w of %s: hand grids to the store that the workers use (--store); %w", ErrNoPlan, sweep, err)
	}
	if err != nil {
		return nil, err
	}
	a.mu.Lock()
	a.headers[sweep] = h
	a.mu.Unlock()
	return h, nil
}

// forget makes header read a sweep's plan header once more, because it was misread or
// may have changed in the store.
func (a *Activities) forget(sweep string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	delete(a.headers, sweep)
	a.chunks.forget(sweep)
}

// result reads the result of a run that is trained if there is none; it is nil then. A
// result that is proved to be damaged is removed, and the run is trained again. One that
// cannot be read stays.
func (a *Activities) result(ctx context.Context, run string) (*ledger.Result, error) {
	r, err := a.ledger.CertainResult(ctx, run)
	return a.sound(ctx, run, r, err)
}

// sound returns the result of a run as it was read, or nil if there is none. It removes one
// that is damaged.
func (a *Activities) sound(ctx context.Context, run string, r ledger.Result, err error) (*ledger.Result, error) {
	switch {
	case errors.Is(err, storage.ErrCorrupt):
		removed, text, removeErr := a.ledger.RemoveDamagedResult(ctx, run)
		switch {
		case removeErr != nil:
			return nil, removeErr
		case !removed: // it is sound by now, or gone: the next try finds out
			return nil, err
		}
		a.logOf(ctx).Warn("a damaged result is removed, and its run is trained again",
			"run", run, "error", err, "bytes", len(text), "removed", brief(string(text)))
		return nil, nil
	case errors.Is(err, storage.ErrNotFound):
		return nil, nil
	case err != nil:
		return nil, fmt.Errorf("the result of run %s cannot be read: it stays, and reading it is tried again: %w", run, err)
	}
	return &r, nil
}
