package activities

import (
	"context"

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
	trees, err := p.EncodeTrees()
	if err != nil {
		return err
	}
	for i, b := range trees {
		if err := storage.PutBytes(ctx, store, sweep.TreesKey(p.ID, i), b); err != nil {
			return err
		}
	}
	return storage.PutJSON(ctx, store, sweep.PlanKey(p.ID), &p.PlanHeader)
}
