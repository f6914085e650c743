package ledger

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"

	"github.com/topksweep/sweep/storage"
	"github.com/topksweep/sweep/sweep/grid"
	"github.com/topksweep/sweep/sweep/plan"
)

// StorePlan stores a plan: its cells and trees first, then the header that makes it whole. Storing it again changes
// nothing. A plan that differs from the one in the store becomes the one that counts, unless that has cells which p
// does not have, or was changed since p was read and extended: that is an error. The header of p is then what is
// stored.
func (l *Ledger) StorePlan(ctx context.Context, p *plan.Plan) error {
	return l.change(ctx, p.ID, func(cur current, _ error) (*plan.Header, error) {
		return l.next(ctx, cur, p, nil)
	})
}

// next stores the parts of a plan that the header cur lacks, and returns the next header, or nil if cur is equal to it.
// src is the grid of an extension.
func (l *Ledger) next(ctx context.Context, cur current, p *plan.Plan, src []byte) (*plan.Header, error) {
	first, trees := p.ChunkedTrees()
	switch {
	case first > 0:
		if err := checkBase(cur.header, p, first); err != nil {
			return nil, err
		}
		before := cur.header.CellCount
		part, err := newContent(p.Cells[before:], before, p.Axes, trees, src).store(ctx, l.store, p.ID)
		if err != nil {
			return nil, err
		}
		p.Parts = append(slices.Clone(cur.header.StoredParts()), part)
		return &p.Header, nil
	case cur.header != nil && cur.header.CellCount > p.CellCount:
		return nil, fmt.Errorf("store plan %s: it has %d cells in the store, and not %d: %w",
			p.ID, cur.header.CellCount, p.CellCount, errTaken)
	}
	c := newContent(p.Cells, 0, p.Axes, trees, nil)
	part := c.part
	if cur.header != nil {
		part.Name = cur.header.StoredParts()[0].Name
	}
	fits, err := c.fits(ctx, l.store, p.ID, part.Name)
	if err == nil && !fits {
		part, err = c.store(ctx, l.store, p.ID)
	}
	if err != nil {
		return nil, err
	}
	if p.Parts = nil; part.Name != "" || cur.header != nil && cur.header.Number > 0 {
		p.Parts = []plan.Part{part}
	}
	if cur.header == nil {
		return &p.Header, nil
	}
	p.Number = cur.header.Number
	p.Version = plan.VersionOf(&p.Header)
	if same, err := sameHeader(&p.Header, cur.header); !same || err != nil {
		return &p.Header, err
	}
	return nil, l.touch(ctx, cur)
}

// checkBase returns an error if a plan to which cells were added does not begin with the one in the store. first is the
// number of the first chunk of added trees.
func checkBase(h *plan.Header, p *plan.Plan, first int) error {
	if h == nil {
		return storage.Wrap("get", PlanKey(p.ID), storage.ErrNotFound)
	}
	if h.TreeChunks != first || h.CellCount > p.CellCount || max(1, h.Number) != max(1, p.Number) {
		return fmt.Errorf("store the extension of %s: %w since it was read: read it again", p.ID, errChanged)
	}
	return nil
}

// errChanged says that a plan is not any more what it was when it was read.
var errChanged = errors.New("the plan has changed")

// sameHeader reports whether two headers are stored as the same bytes.
func sameHeader(a, b *plan.Header) (bool, error) {
	x, err := encodeHeader(a)
	if err != nil {
		return false, err
	}
	y, err := encodeHeader(b)
	return string(x) == string(y), err
}

// Submit stores a plan and the grid.yaml that it was made from, and returns the
// header that is stored then. A sweep that has been extended since stays
// extended. runDiffers says that a header was there whose section run was
// another one.
//
// It may be called by several processes at once, also while others extend the sweep. Of several that submit one sweep
// with other spellings or another section run the last one counts.
func (l *Ledger) Submit(ctx context.Context, p *plan.Plan, src []byte) (h *plan.Header, runDiffers bool, err error) {
	err = l.change(ctx, p.ID, func(cur current, _ error) (*plan.Header, error) {
		stored := cur.header
		runDiffers = stored != nil && stored.Run != p.Run
		if stored != nil && stored.CellCount > p.CellCount {
			// The cells' IDs hold that it is the same data, at another place or under other names.
			moved := stored.WithPlaces(&p.Header)
			if same, err := sameHeader(moved, stored); same || err != nil {
				if h = stored; err == nil {
					err = l.touch(ctx, cur)
				}
				return nil, err
			}
			h = moved
			return h, nil
		}
		if err := storage.PutBytes(ctx, l.store, GridKey(p.ID), src); err != nil {
			return nil, err
		}
		h = &p.Header
		return l.next(ctx, cur, p, nil)
	})
	if err != nil {
		return nil, runDiffers, err
	}
	return h, runDiffers, nil
}

// Grid reads the grid.yaml that a sweep was planned from.
func (l *Ledger) Grid(ctx context.Context, sweep string) ([]byte, error) {
	return storage.ReadWhole(ctx, l.store, GridKey(sweep), grid.MaxBytes)
}

// Header reads a sweep's plan header: of several the one that counts. The error wraps storage.ErrNotFound if the
// store has none, storage.ErrNewerVersion if a newer build wrote it, and
// storage.ErrCorrupt if it is damaged or another sweep's, as storage.Read proves it. It
// is read until two reads agree: nothing else shows a misread number in it.
func (l *Ledger) Header(ctx context.Context, sweep string) (*plan.Header, error) {
	h, _, err := l.header(ctx, sweep)
	return h, err
}

// header is Header, with the SHA-256 of the bytes that were read.
func (l *Ledger) header(ctx context.Context, sweep string) (*plan.Header, [sha256.Size]byte, error) {
	cur, unsound, err := l.current(ctx, sweep, 0)
	if err == nil && cur.newest == 0 { // a listing may lag behind
		return l.readHeader(ctx, sweep, 1)
	}
	if err == nil && cur.header == nil {
		err = unsound
	}
	return cur.header, cur.sum, err
}

// Plan reads a stored plan with its cells, but without its trees.
func (l *Ledger) Plan(ctx context.Context, sweep string) (*plan.Plan, error) {
	h, err := l.Header(ctx, sweep)
	if err != nil {
		return nil, err
	}
	return l.planOf(ctx, h)
}

// planOf reads the cells of a plan.
func (l *Ledger) planOf(ctx context.Context, h *plan.Header) (*plan.Plan, error) {
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

// Cells reads one chunk of the cells that a plan has: those with the numbers from chunk·ChunkSize on, in the order of
// their numbers, as many as the header has. Behind its last chunk there are none.
func (l *Ledger) Cells(ctx context.Context, h *plan.Header, chunk int) ([]grid.Cell, error) {
	from := max(0, chunk) * plan.ChunkSize
	var out []grid.Cell
	for _, p := range piecesOf(h, from, min(from+plan.ChunkSize, h.CellCount)) {
		cells, err := l.readPiece(ctx, h, p)
		if err != nil {
			return nil, err
		}
		if out == nil {
			out = cells
			continue
		}
		out = append(out[:len(out):len(out)], cells...)
	}
	return out, nil
}

// Chunk reads all cells of one object of a first submission, also those that an extension by an
// earlier version of the program has added to it.
func (l *Ledger) Chunk(ctx context.Context, sweep string, chunk int) ([]grid.Cell, error) {
	return storage.Read(ctx, l.store, ChunkKey(sweep, chunk), maxObject, decodeChunk)
}

// Trees reads the header of a plan and one chunk of its trees.
func (l *Ledger) Trees(ctx context.Context, sweep string, chunk int) ([]plan.Tree, error) {
	h, err := l.Header(ctx, sweep)
	if err != nil {
		return nil, err
	}
	return l.TreesOf(ctx, h, chunk)
}

// TreesOf reads one chunk of a plan's trees. It is read until two reads agree: no ID shows
// a misread number in it. The error wraps storage.ErrNotFound if the plan has no such chunk.
func (l *Ledger) TreesOf(ctx context.Context, h *plan.Header, chunk int) ([]plan.Tree, error) {
	key, ok := treesKeyOf(h, chunk)
	if !ok {
		return nil, storage.Wrap("get", TreesKey(h.ID, max(0, chunk)), storage.ErrNotFound)
	}
	return storage.ReadSteady(ctx, l.store, key, maxObject, decodeTrees)
}
