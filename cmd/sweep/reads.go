package main

import (
	"context"
	"errors"
	"sync"

	"golang.org/x/sync/errgroup"

	"github.com/topksweep/sweep/storage"
	"github.com/topksweep/sweep/sweep/grid"
	"github.com/topksweep/sweep/sweep/ledger"
	"github.com/topksweep/sweep/sweep/plan"
)

// readsAtATime is the number of results and notes that are read at a time: each is one request to a store.
const readsAtATime = 16

// reads reads what the store says of runs, several at a time.
type reads struct {
	group  *errgroup.Group
	ctx    context.Context
	l      *ledger.Ledger
	header *plan.Header
	mu     sync.Mutex
	set    []func([]runState)

	outcomes func() (*ledger.Outcomes, error)
}

func newReads(ctx context.Context, l *ledger.Ledger, header *plan.Header) *reads {
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(readsAtATime)
	return &reads{group: group, ctx: ctx, l: l, header: header,
		outcomes: sync.OnceValues(func() (*ledger.Outcomes, error) { return l.Outcomes(ctx, header) }),
	}
}

// chunk reads the metrics of the runs of a chunk, all of which have results. index is that of its first run.
func (r *reads) chunk(index, chunk int) {
	r.start(func() (func([]runState), error) {
		o, err := r.outcomes()
		if err != nil {
			return nil, err
		}
		results, err := o.Chunk(r.ctx, chunk)
		found := make([]runState, len(results)) // whole results take ten times the memory
		for i, result := range results {
			found[i] = runState{Status: result.Status, Error: result.Error}
			if result.Status == plan.Completed {
				found[i].Metrics = new(plan.BriefOf(result.Metrics))
			}
		}
		return func(runs []runState) {
			for i, f := range found {
				run := &runs[index+i]
				run.Status, run.Error, run.Metrics = f.Status, f.Error, f.Metrics
			}
		}, err
	})
}

// result reads the metrics of a run that has a result, for the run of this index.
func (r *reads) result(index int, c grid.Cell) {
	r.start(func() (func([]runState), error) {
		result, err := r.l.Result(r.ctx, r.header.RunID(c.ID))
		switch {
		case errors.Is(err, storage.ErrCorrupt):
			return func(runs []runState) {
				runs[index].Status, runs[index].Error = plan.Pending, ledger.DamagedResult
			}, nil
		case errors.Is(err, storage.ErrNotFound): // it was removed since it was listed
			return func(runs []runState) { runs[index].Status = plan.Pending }, nil
		case err != nil:
			return nil, err
		}
		brief := plan.BriefOf(result.Metrics)
		return func(runs []runState) { runs[index].Metrics = &brief }, nil
	})
}

// note reads why a run failed or was canceled, for the run of this index.
func (r *reads) note(index int, c grid.Cell) {
	r.start(func() (func([]runState), error) {
		note, err := r.l.Failure(r.ctx, r.header.ID, c.ID)
		if errors.Is(err, storage.ErrNotFound) { // the run has begun again since the notes were listed
			return func([]runState) {}, nil
		}
		return func(runs []runState) { runs[index].Status, runs[index].Error = note.Status, note.Error }, err
	})
}

// start runs a read. It waits while too many are under way.
func (r *reads) start(read func() (func([]runState), error)) {
	r.group.Go(func() error {
		if err := r.ctx.Err(); err != nil {
			return err
		}
		set, err := read()
		if err != nil {
			return err
		}
		r.mu.Lock()
		defer r.mu.Unlock()
		r.set = append(r.set, set)
		return nil
	})
}

// wait waits for all reads, writes what they found into the runs, and returns the first error.
func (r *reads) wait(runs []runState) error {
	if err := r.group.Wait(); err != nil || runs == nil {
		return err
	}
	for _, set := range r.set {
		set(runs)
	}
	return nil
}
