package activities

import (
	"context"
	"slices"

	"github.com/topksweep/sweep/sweep/grid"
	"github.com/topksweep/sweep/sweep/plan"
)

// mostChunks is the number of chunks of cells that a worker keeps. A cell takes about a kilobyte. The runs of one chunk
// are trained one after the other, in some order, and each needs one cell of it.
const mostChunks = 32

// keptChunks are the chunks of plans that a worker has read last, so that it reads a chunk once for all its runs. They
// are dropped with the header of their plan.
type keptChunks struct{ last []keptChunk } // the newest last

type keptChunk struct {
	sweep  string
	header *plan.Header // an extension may add cells to the last chunk of a plan
	number int
	cells  []grid.Cell
}

// cells returns one chunk of a plan's cells, as ledger.Cells does. Nobody may write to it.
func (a *Activities) cells(ctx context.Context, h *plan.Header, chunk int) ([]grid.Cell, error) {
	a.mu.Lock()
	kept := a.chunks.find(h, chunk)
	a.mu.Unlock()
	if kept != nil {
		return kept, nil
	}
	cells, err := a.ledger.Cells(ctx, h, chunk)
	if err != nil || len(cells) == 0 {
		return cells, err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.headers[h.ID] == h { // else it was forgotten meanwhile, and perhaps this chunk was misread too
		a.chunks.add(keptChunk{h.ID, h, chunk, cells})
	}
	return cells, nil
}

// find returns the cells of a chunk, or nil, and moves it to the end.
func (k *keptChunks) find(h *plan.Header, number int) []grid.Cell {
	i := slices.IndexFunc(k.last, func(c keptChunk) bool { return c.header == h && c.number == number })
	if i < 0 {
		return nil
	}
	found := k.last[i]
	k.last = append(slices.Delete(k.last, i, i+1), found)
	return found.cells
}

func (k *keptChunks) add(c keptChunk) {
	if len(k.last) >= mostChunks {
		k.last = slices.Delete(k.last, 0, 1)
	}
	k.last = append(k.last, c)
}

// forget drops the chunks of a sweep.
func (k *keptChunks) forget(sweep string) {
	k.last = slices.DeleteFunc(k.last, func(c keptChunk) bool { return c.sweep == sweep })
}
