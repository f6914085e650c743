package ledger

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"time"

	"github.com/topksweep/sweep/storage"
	"github.com/topksweep/sweep/sweep/grid"
	"github.com/topksweep/sweep/sweep/plan"
)

// StorePlan stores a plan: its cells and trees first, then the header that makes
// it whole. Storing it again writes the same bytes.
func (l *Ledger) StorePlan(ctx context.Context, p *plan.Plan) error {
	for i := range p.Chunks() {
		b, err := encodeChunk(p.Chunk(i))
		if err != nil {
			return err
		}
		if err := storage.PutBytes(ctx, l.store, ChunkKey(p.ID, i), b); err != nil {
			return err
		}
	}
	first, chunks := p.ChunkedTrees()
	for i, trees := range chunks {
		b, err := encodeTrees(trees)
		if err != nil {
			return err
		}
		if err := storage.PutBytes(ctx, l.store, TreesKey(p.ID, first+i), b); err != nil {
			return err
		}
	}
	return storage.PutJSON(ctx, l.store, PlanKey(p.ID), &p.Header)
}

// Submit stores a plan and the grid.yaml that it was made from, and returns the
// header that is stored then. A sweep that has been extended since stays
// extended. runDiffers says that a header was there whose section run was
// another one.
func (l *Ledger) Submit(ctx context.Context, p *plan.Plan, src []byte) (h *plan.Header, runDiffers bool, err error) {
	stored, err := l.Header(ctx, p.ID)
	switch {
	case err == nil:
		runDiffers = stored.Run != p.Run
		if stored.CellCount > p.CellCount {
			return stored, runDiffers, nil
		}
	case !errors.Is(err, storage.ErrNotFound) && !errors.Is(err, storage.ErrCorrupt):
		return nil, false, err
	}
	if err := storage.PutBytes(ctx, l.store, GridKey(p.ID), src); err != nil {
		return nil, runDiffers, err
	}
	return &p.Header, runDiffers, l.StorePlan(ctx, p)
}

// Grid reads the grid.yaml that a sweep was planned from.
func (l *Ledger) Grid(ctx context.Context, sweep string) ([]byte, error) {
	return storage.ReadWhole(ctx, l.store, GridKey(sweep), grid.MaxBytes)
}

// Header reads a sweep's plan header. The error wraps storage.ErrNotFound if the
// store has none, storage.ErrNewerVersion if a newer build wrote it, and
// storage.ErrCorrupt if it is damaged or another sweep's, as storage.Read proves it. It
// is read until two reads agree: nothing else shows a misread number in it.
func (l *Ledger) Header(ctx context.Context, sweep string) (*plan.Header, error) {
	h, _, err := l.header(ctx, sweep)
	return h, err
}

// header is Header, with the SHA-256 of the bytes that were read.
func (l *Ledger) header(ctx context.Context, sweep string) (*plan.Header, [sha256.Size]byte, error) {
	type header struct {
		*plan.Header
		sum [sha256.Size]byte
	}
	h, err := storage.ReadSteady(ctx, storage.Certain(l.store), PlanKey(sweep), maxObject, func(b []byte) (header, error) {
		h, err := decodeHeader(b)
		if err == nil && h.ID != sweep {
			err = fmt.Errorf("%w: it is the plan of sweep %q", storage.ErrCorrupt, h.ID)
		}
		return header{h, sha256.Sum256(b)}, err
	})
	return h.Header, h.sum, err
}

// Plan reads a stored plan with its cells, but without its trees.
func (l *Ledger) Plan(ctx context.Context, sweep string) (*plan.Plan, error) {
	h, err := l.Header(ctx, sweep)
	if err != nil {
		return nil, err
	}
	p := &plan.Plan{Header: *h}
	for i := range h.Chunks() {
		cells, err := l.Cells(ctx, h, i)
		if err != nil {
			return nil, err
		}
		p.Cells = append(p.Cells, cells...)
	}
	return p, nil
}

// Cells reads one chunk of the cells that a plan has. Cells that lie behind those
// of the header are left out: an extension stored them and died before it stored
// its header.
func (l *Ledger) Cells(ctx context.Context, h *plan.Header, chunk int) ([]grid.Cell, error) {
	n := min(plan.ChunkSize, h.CellCount-chunk*plan.ChunkSize)
	return storage.Read(ctx, l.store, ChunkKey(h.ID, chunk), maxObject, func(b []byte) ([]grid.Cell, error) {
		cells, err := decodeChunk(b)
		if err != nil {
			return nil, err
		}
		if len(cells) < n {
			return nil, fmt.Errorf("%w: %d cells of %d", storage.ErrCorrupt, len(cells), n)
		}
		return cells[:n], nil
	})
}

// Chunk reads all cells of one stored chunk, also those that an extension in
// progress has added to it.
func (l *Ledger) Chunk(ctx context.Context, sweep string, chunk int) ([]grid.Cell, error) {
	return storage.Read(ctx, l.store, ChunkKey(sweep, chunk), maxObject, decodeChunk)
}

// Trees reads one chunk of a plan's trees. It is read until two reads agree: no ID shows
// a misread number in it.
func (l *Ledger) Trees(ctx context.Context, sweep string, chunk int) ([]plan.Tree, error) {
	return storage.ReadSteady(ctx, l.store, TreesKey(sweep, chunk), maxObject, decodeTrees)
}

// extendWithin is how long storing an extension may take. One that was begun
// earlier and is not there has died.
const extendWithin = time.Minute

// StoreExtension stores a plan to which cells were added. cells is how many it has in
// the store now; src is the grid.yaml that the new ones come from. If several
// processes extend a sweep at the same time, the first one succeeds and the others
// get an error.
func (l *Ledger) StoreExtension(ctx context.Context, p *plan.Plan, cells int, src []byte) error {
	if err := l.ClaimExtension(ctx, p.ID, cells, src); err != nil {
		return err
	}
	return l.StorePlan(ctx, p)
}

// ClaimExtension makes sure that one process at a time extends a sweep that has
// so many cells now: of several the first counts, and the others get an error
// and are to read the plan again. src is the grid that extends it.
func (l *Ledger) ClaimExtension(ctx context.Context, sweep string, cells int, src []byte) error {
	key := ExtensionKey(sweep, cells)
	err := storage.PutNew(ctx, l.store, key, src)
	if !errors.Is(err, storage.ErrExists) {
		return err
	}
	stored, err := storage.ReadWhole(ctx, l.store, key, grid.MaxBytes)
	if err != nil || bytes.Equal(stored, src) { // the same grid again
		return err
	}
	objects, err := l.store.List(ctx, key)
	if err != nil {
		return err
	}
	if len(objects) > 0 && time.Since(objects[0].Modified) < extendWithin {
		return errors.New("the sweep is being extended by another grid; try again")
	}
	return storage.PutBytes(ctx, l.store, key, src)
}
