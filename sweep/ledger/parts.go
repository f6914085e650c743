package ledger

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"

	"github.com/topksweep/sweep/storage"
	"github.com/topksweep/sweep/sweep/grid"
	"github.com/topksweep/sweep/sweep/plan"
)

// Cells and trees of a plan have numbers, which never change, and are read in chunks of these numbers: chunk i has the
// cells from i·ChunkSize on. They are stored in parts (plan.Part), each of which begins with an object of its own. This
// file alone knows which objects hold a chunk. Example: a plan of 300 cells that was extended by 10 cells and by one.
//
//	cells-000000.json         cells   0 to 255
//	cells-000001.json         cells 256 to 299
//	cells-000000-PART1.json   cells 300 to 309
//	cells-000000-PART2.json   cell  310
//
// So chunk 1 of that plan is in three objects.

// A piece is a row of cells in one object.
type piece struct {
	key    string
	from   int // index of the first one in the object
	to     int
	stored int      // cells that the object has, at least
	axes   []string // of their Values
}

// piecesOf lists the objects that hold the cells from, …, to-1.
func piecesOf(h *plan.Header, from, to int) (pieces []piece) {
	first := 0 // of the part
	for _, part := range h.StoredParts() {
		begin, end := max(from, first)-first, min(to, first+part.Cells)-first // in the part
		for begin < end {
			chunk := begin / plan.ChunkSize
			base := chunk * plan.ChunkSize
			stop := min(end, base+plan.ChunkSize)
			pieces = append(pieces, piece{
				PartChunkKey(h.ID, chunk, part.Name), begin - base, stop - base,
				min(part.Cells-base, plan.ChunkSize), part.Axes,
			})
			begin = stop
		}
		first += part.Cells
	}
	return pieces
}

// treesKeyOf returns the key of the object that holds a chunk of trees; ok is false if the plan has no such chunk.
func treesKeyOf(h *plan.Header, chunk int) (key string, ok bool) {
	for _, part := range h.StoredParts() {
		if chunk >= 0 && chunk < part.TreeChunks {
			return PartTreesKey(h.ID, chunk, part.Name), true
		}
		chunk -= part.TreeChunks
	}
	return "", false
}

// readPiece reads cells, with the Values of the plan's axes.
func (l *Ledger) readPiece(ctx context.Context, h *plan.Header, p piece) ([]grid.Cell, error) {
	cells, err := storage.Read(ctx, l.store, p.key, maxObject, func(b []byte) ([]grid.Cell, error) {
		cells, err := decodeChunk(b)
		if err == nil && len(cells) < p.stored {
			err = fmt.Errorf("%w: %d cells of %d", storage.ErrCorrupt, len(cells), p.stored)
		}
		return cells, err
	})
	if err != nil {
		return nil, err
	}
	return h.Restate(cells[p.from:p.to], p.axes), nil
}

// A content is what a part is to hold. It is encoded chunk by chunk, since a plan may have a million cells.
type content struct {
	part   plan.Part // without its name
	cells  []grid.Cell
	first  int // number of the first cell
	trees  [][]plan.Tree
	source []byte // the grid of an extension
}

func newContent(cells []grid.Cell, first int, axes []string, trees [][]plan.Tree, source []byte) *content {
	part := plan.Part{Cells: len(cells), TreeChunks: len(trees), Axes: axes}
	return &content{part, cells, first, trees, source}
}

// each encodes all objects of a part of some name, one after the other. cells is how many cells the object has, or 0
// for one of trees.
func (c *content) each(sweep, name string, do func(key string, b []byte, cells int) error) error {
	for i := 0; i*plan.ChunkSize < len(c.cells); i++ {
		chunk := c.cells[i*plan.ChunkSize : min((i+1)*plan.ChunkSize, len(c.cells))]
		b, err := encodeChunk(chunk)
		if err == nil {
			err = do(PartChunkKey(sweep, i, name), b, len(chunk))
		}
		if err != nil {
			return err
		}
	}
	for i, chunk := range c.trees {
		b, err := encodeTrees(chunk)
		if err == nil {
			err = do(PartTreesKey(sweep, i, name), b, 0)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// store stores a part under a name that follows from its content, and returns it. So what is there already has the same
// bytes, or is damaged.
func (c *content) store(ctx context.Context, s storage.Store, sweep string) (plan.Part, error) {
	sum := sha256.New()
	fmt.Fprintf(sum, "%d %q %x\n", c.first, c.part.Axes, sha256.Sum256(c.source))
	err := c.each(sweep, "", func(_ string, b []byte, _ int) error {
		fmt.Fprintf(sum, "%x\n", sha256.Sum256(b))
		return nil
	})
	part := c.part
	part.Name = hex.EncodeToString(sum.Sum(nil)[:8])
	if err == nil {
		err = c.each(sweep, part.Name, func(key string, b []byte, _ int) error {
			return storage.PutBytes(ctx, s, key, b)
		})
	}
	if err == nil && c.source != nil {
		err = storage.PutBytes(ctx, s, PartExtensionKey(sweep, c.first, part.Name), c.source)
	}
	return part, err
}

// fits makes sure that the objects of a part of another name hold this content, and stores those that are missing. It
// returns false if one of them holds something else: other spellings of the same settings, or damage.
func (c *content) fits(ctx context.Context, s storage.Store, sweep, name string) (bool, error) {
	err := c.each(sweep, name, func(key string, b []byte, n int) error {
		ok, err := holds(ctx, s, key, b, func(stored []byte) bool {
			// An earlier version may have died while it extended the sweep: its cells lie behind those of the part.
			cells, err := decodeChunk(stored)
			if n == 0 || err != nil || len(cells) <= n {
				return false
			}
			again, err := encodeChunk(cells[:n])
			return err == nil && bytes.Equal(again, b)
		})
		if err == nil && !ok {
			err = errOther
		}
		return err
	})
	if errors.Is(err, errOther) {
		return false, nil
	}
	return err == nil, err
}

// errOther says that an object holds something else.
var errOther = errors.New("it holds something else")

// holds stores an object where there is none, and reports whether the key then holds it, or what fits accepts.
func holds(ctx context.Context, s storage.Store, key string, b []byte, fits func([]byte) bool) (bool, error) {
	err := storage.PutNew(ctx, s, key, b)
	if !errors.Is(err, storage.ErrExists) {
		return err == nil, err
	}
	_, err = storage.Read(ctx, s, key, maxObject, func(stored []byte) (bool, error) {
		if !bytes.Equal(stored, b) && !fits(stored) {
			return false, storage.ErrCorrupt
		}
		return true, nil
	})
	if errors.Is(err, storage.ErrCorrupt) {
		return false, nil
	}
	return err == nil, err
}
