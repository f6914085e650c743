package activities

import (
	"context"
	"fmt"

	"github.com/topksweep/sweep/storage"
	"github.com/topksweep/sweep/sweep"
)

// StorePlan stores a plan: its cells and trees first, then the header that makes
// it whole. Storing it again writes the same.
func StorePlan(ctx context.Context, store storage.Store, p *sweep.Plan) error {
	for i := range p.Chunks() {
		b, err := sweep.EncodeChunk(p.Chunk(i))
		if err != nil {
			return err
		}
		if err := storage.PutBytes(ctx, store, sweep.ChunkKey(p.ID, i), b); err != nil {
			return err
		}
	}
	first, trees, err := p.EncodeTrees()
	if err != nil {
		return err
	}
	for i, b := range trees {
		if err := storage.PutBytes(ctx, store, sweep.TreesKey(p.ID, first+i), b); err != nil {
			return err
		}
	}
	return storage.PutJSON(ctx, store, sweep.PlanKey(p.ID), &p.PlanHeader)
}

// LoadPlan reads a stored plan with its cells, but without its trees.
func LoadPlan(ctx context.Context, store storage.Store, id string) (*sweep.Plan, error) {
	p := new(sweep.Plan)
	if err := storage.GetJSON(ctx, store, sweep.PlanKey(id), &p.PlanHeader); err != nil {
		return nil, err
	}
	for i := range p.Chunks() {
		cells, err := ReadCells(ctx, store, &p.PlanHeader, i)
		if err != nil {
			return nil, err
		}
		p.Cells = append(p.Cells, cells...)
	}
	return p, nil
}

// ReadCells reads one chunk of the cells that a plan has.
func ReadCells(ctx context.Context, store storage.Store, h *sweep.PlanHeader, chunk int) ([]sweep.Cell, error) {
	cells, err := ReadChunk(ctx, store, h.ID, chunk)
	if err != nil {
		return nil, err
	}
	n := min(sweep.ChunkSize, h.CellCount-chunk*sweep.ChunkSize)
	if len(cells) < n {
		return nil, storage.Wrap("get", sweep.ChunkKey(h.ID, chunk), fmt.Errorf("%w: %d cells of %d", storage.ErrCorrupt, len(cells), n))
	}
	return cells[:n], nil // what an extension left that died before its header is not there
}
