package ledger

import (
	"encoding/json"
	"fmt"
	"math"
	"strings"

	"github.com/topksweep/sweep/storage"
	"github.com/topksweep/sweep/sweep/grid"
	"github.com/topksweep/sweep/sweep/plan"
)

// decodeHeader reads a stored plan header. The error wraps
// storage.ErrNewerVersion if a newer build wrote it, and else storage.ErrCorrupt.
func decodeHeader(b []byte) (*plan.Header, error) {
	h := new(plan.Header)
	if err := json.Unmarshal(b, h); err != nil {
		return nil, storage.Mark(fmt.Errorf("decode plan: %w", err), storage.ErrCorrupt)
	}
	// A version without what it is for is one of which this program does not know all.
	known := plan.VersionOf(h)
	if h.Version > known {
		return nil, fmt.Errorf("decode plan %s: version %d, this build knows %d: %w",
			h.ID, h.Version, known, storage.ErrNewerVersion)
	}
	if h.Version != known {
		err := fmt.Errorf("decode plan: version %d, want %d", h.Version, known)
		return nil, storage.Mark(err, storage.ErrCorrupt)
	}
	if err := checkHeader(h); err != nil {
		return nil, storage.Mark(fmt.Errorf("decode plan %s: %w", h.ID, err), storage.ErrCorrupt)
	}
	return h, nil
}

// checkHeader refuses what no plan has, so that a damaged header can be used: the
// names of runs are parts of the ID, and chunks are counted from the cells.
func checkHeader(h *plan.Header) error {
	if !strings.HasPrefix(h.ID, h.Name+"-") {
		return fmt.Errorf("the name is %q", h.Name)
	}
	for _, in := range h.Inits {
		if !isInitHash(in.Hash) {
			return fmt.Errorf("cells begin from %q, which is no SHA-256", in.Hash)
		}
	}
	named := map[string]bool{}
	for _, s := range h.Sets {
		if s.Name == "" || named[s.Name] {
			return fmt.Errorf("two data sets are named %q, or one has no name", s.Name)
		}
		named[s.Name] = true
	}
	for _, n := range []int{h.CellCount, h.TreeChunks} {
		if n < 0 || n > math.MaxInt32 {
			return fmt.Errorf("%d cells, and trees in %d pieces", h.CellCount, h.TreeChunks)
		}
	}
	return checkParts(h)
}

// checkParts refuses parts that do not hold what the header counts.
func checkParts(h *plan.Header) error {
	if h.Number < 0 || h.Number > math.MaxInt32 {
		return fmt.Errorf("it is header %d", h.Number)
	}
	cells, chunks := 0, 0
	for i, part := range h.StoredParts() {
		if part.Cells < 0 || part.Cells > h.CellCount || part.TreeChunks < 0 || part.TreeChunks > h.TreeChunks {
			return fmt.Errorf("part %d of %d cells, and trees in %d pieces", i, part.Cells, part.TreeChunks)
		}
		if !isPartName(part.Name) && (i > 0 || part.Name != "") {
			return fmt.Errorf("part %d is named %q", i, part.Name)
		}
		cells, chunks = cells+part.Cells, chunks+part.TreeChunks
	}
	if cells != h.CellCount || chunks != h.TreeChunks {
		return fmt.Errorf("%d cells, and trees in %d pieces; its parts have %d, and %d",
			h.CellCount, h.TreeChunks, cells, chunks)
	}
	return nil
}

// isPartName reports whether a text may be the name of a part: 16 hex digits.
func isPartName(name string) bool {
	return len(name) == 16 && strings.Trim(name, "0123456789abcdef") == ""
}

// encodeChunk writes a chunk of cells as it is stored.
func encodeChunk(cells []grid.Cell) ([]byte, error) {
	if len(cells) > plan.ChunkSize {
		return nil, fmt.Errorf("encode chunk: %d cells, at most %d", len(cells), plan.ChunkSize)
	}
	b, err := json.Marshal(cells)
	if err != nil {
		return nil, fmt.Errorf("encode chunk: %w", err)
	}
	return b, nil
}

// decodeChunk reads what encodeChunk wrote. The error wraps storage.ErrCorrupt.
func decodeChunk(b []byte) ([]grid.Cell, error) {
	var cells []grid.Cell
	if err := json.Unmarshal(b, &cells); err != nil {
		return nil, storage.Mark(fmt.Errorf("decode chunk: %w", err), storage.ErrCorrupt)
	}
	if len(cells) > plan.ChunkSize {
		err := fmt.Errorf("decode chunk: %d cells, at most %d", len(cells), plan.ChunkSize)
		return nil, storage.Mark(err, storage.ErrCorrupt)
	}
	return cells, nil
}

// encodeTrees writes one chunk of a plan's trees as it is stored.
func encodeTrees(trees []plan.Tree) ([]byte, error) {
	b, err := json.Marshal(trees)
	if err != nil {
		return nil, fmt.Errorf("encode trees: %w", err)
	}
	return b, nil
}

// decodeTrees reads what encodeTrees wrote, and checks that it can be walked.
// The error wraps storage.ErrCorrupt.
func decodeTrees(b []byte) ([]plan.Tree, error) {
	trees, err := parseTrees(b)
	if err != nil {
		return nil, storage.Mark(fmt.Errorf("decode trees: %w", err), storage.ErrCorrupt)
	}
	return trees, nil
}

func parseTrees(b []byte) ([]plan.Tree, error) {
	var trees []plan.Tree
	if err := json.Unmarshal(b, &trees); err != nil {
		return nil, err
	}
	if len(trees) > plan.ChunkSize {
		return nil, fmt.Errorf("%d trees, at most %d", len(trees), plan.ChunkSize)
	}
	for _, t := range trees {
		if len(t.Cells) == 0 || len(t.Cells) > plan.MaxTreeCells {
			return nil, fmt.Errorf("a tree of %d cells, want 1 to %d", len(t.Cells), plan.MaxTreeCells)
		}
		for _, c := range t.Cells {
			if c.Cell < 0 || c.Decay < 0 || c.Decay > c.Steps || c.Steps < 1 {
				return nil, fmt.Errorf("cell %d with decay_start %d of %d steps", c.Cell, c.Decay, c.Steps)
			}
		}
	}
	return trees, nil
}
