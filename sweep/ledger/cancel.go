package ledger

import (
	"context"
	"errors"
	"slices"

	"golang.org/x/sync/errgroup"

	"github.com/topksweep/sweep/storage"
	"github.com/topksweep/sweep/sweep/plan"
)

// notesAtATime is the number of notes that are written or deleted at a time: each is one request to a store.
const notesAtATime = 16

// CancelRuns notes that a whole sweep was canceled at those of its runs that have neither a result nor a note, and
// returns how many these are. It can be called again after an error.
func (l *Ledger) CancelRuns(ctx context.Context, h *plan.Header) (int, error) {
	done, err := l.CompletedRuns(ctx)
	if err != nil {
		return 0, err
	}
	noted, err := l.NotedCells(ctx, h.ID)
	if err != nil {
		return 0, err
	}
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(notesAtATime)
	n := 0
	for chunk := range h.Chunks() {
		cells, err := l.Cells(gctx, h, chunk)
		if err != nil {
			g.Go(func() error { return err })
			break
		}
		for _, c := range cells {
			if done[h.RunID(c.ID)] || noted[c.ID] {
				continue
			}
			note := NewResult(h, c, plan.Canceled)
			note.Error = plan.SweepCanceled
			n++
			g.Go(func() error { return l.StoreFailure(gctx, h.ID, note) })
		}
	}
	return n, g.Wait()
}

// DeleteNotes removes the notes of some statuses on cells of a sweep, given by their numbers, or with nil on all of
// them: the sweep is about to train them.
func (l *Ledger) DeleteNotes(ctx context.Context, h *plan.Header, cells []int, of ...plan.Status) error {
	noted, err := l.NotedCells(ctx, h.ID)
	if err != nil || len(noted) == 0 {
		return err
	}
	if cells != nil {
		if noted, err = l.among(ctx, h, cells, noted); err != nil {
			return err
		}
	}
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(notesAtATime)
	for cell := range noted {
		g.Go(func() error {
			note, err := l.Failure(gctx, h.ID, cell)
			if errors.Is(err, storage.ErrNotFound) || err == nil && !slices.Contains(of, note.Status) {
				return nil
			}
			if err != nil {
				return err
			}
			return l.DeleteFailure(gctx, h.ID, cell)
		})
	}
	return g.Wait()
}

// among returns those of some cells that have the numbers.
func (l *Ledger) among(ctx context.Context, h *plan.Header, numbers []int, of map[string]bool) (
	map[string]bool, error) {

	inChunk := map[int][]int{}
	for _, n := range numbers {
		inChunk[n/plan.ChunkSize] = append(inChunk[n/plan.ChunkSize], n%plan.ChunkSize)
	}
	out := map[string]bool{}
	for chunk, at := range inChunk {
		cells, err := l.Cells(ctx, h, chunk)
		if err != nil {
			return nil, err
		}
		for _, i := range at {
			if i < len(cells) && of[cells[i].ID] {
				out[cells[i].ID] = true
			}
		}
	}
	return out, nil
}
