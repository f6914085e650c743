package sweep

import (
	"encoding/json"
	"fmt"
)

// ChunkSize is the number of cells in a stored chunk of a plan. Workflows pass
// ranges of cells, and an activity loads the one chunk that holds its cell: cell
// i is the i%ChunkSize-th of chunk i/ChunkSize.
const ChunkSize = 256

// Chunks returns the number of chunks of the plan.
func (h *PlanHeader) Chunks() int { return (h.CellCount + ChunkSize - 1) / ChunkSize }

// Chunk returns the cells of chunk i.
func (p *Plan) Chunk(i int) []Cell {
	return p.Cells[i*ChunkSize : min((i+1)*ChunkSize, len(p.Cells))]
}

// EncodeHeader writes the header as it is stored.
func EncodeHeader(h *PlanHeader) ([]byte, error) {
	b, err := json.Marshal(h)
	if err != nil {
		return nil, fmt.Errorf("encode plan %s: %w", h.ID, err)
	}
	return b, nil
}

// DecodeHeader reads what EncodeHeader wrote.
func DecodeHeader(b []byte) (*PlanHeader, error) {
	h := new(PlanHeader)
	if err := json.Unmarshal(b, h); err != nil {
		return nil, fmt.Errorf("decode plan: %w", err)
	}
	if h.Version != planVersion {
		return nil, fmt.Errorf("decode plan %s: version %d, want %d", h.ID, h.Version, planVersion)
	}
	return h, nil
}

// EncodeChunk writes a chunk of cells as it is stored.
func EncodeChunk(cells []Cell) ([]byte, error) {
	if len(cells) > ChunkSize {
		return nil, fmt.Errorf("encode chunk: %d cells, at most %d", len(cells), ChunkSize)
	}
	b, err := json.Marshal(cells)
	if err != nil {
		return nil, fmt.Errorf("encode chunk: %w", err)
	}
	return b, nil
}

// DecodeChunk reads what EncodeChunk wrote.
func DecodeChunk(b []byte) ([]Cell, error) {
	var cells []Cell
	if err := json.Unmarshal(b, &cells); err != nil {
		return nil, fmt.Errorf("decode chunk: %w", err)
	}
	if len(cells) > ChunkSize {
		return nil, fmt.Errorf("decode chunk: %d cells, at most %d", len(cells), ChunkSize)
	}
	return cells, nil
}

// chunkTrees cuts the trees into the pieces in which they are stored: at most
// ChunkSize trees, and no more cells than that unless one tree has more. Tree
// i%ChunkSize of piece i/ChunkSize has the number i: numbers rise, with gaps.
func chunkTrees(trees []Tree) (chunks [][]Tree) {
	for from := 0; from < len(trees); {
		to, cells := from, 0
		for to < len(trees) && to-from < ChunkSize && (to == from || cells+len(trees[to].Cells) <= ChunkSize) {
			cells += len(trees[to].Cells)
			to++
		}
		chunks = append(chunks, trees[from:to])
		from = to
	}
	return chunks
}

// EncodeTrees writes the trees as they are stored, piece by piece, with labels
// for people. Of an extended plan it writes those that were added; first is the
// number of the first piece.
func (p *Plan) EncodeTrees() (first int, pieces [][]byte, err error) {
	trees := p.Trees
	if p.added != nil {
		trees = p.added
	}
	for _, chunk := range chunkTrees(trees) {
		labelled := make([]Tree, len(chunk))
		for i, t := range chunk {
			labelled[i] = t
			labelled[i].Cells = make([]TreeCell, len(t.Cells))
			for j, c := range t.Cells {
				c.Label = p.Label(p.Cells[c.Cell])
				labelled[i].Cells[j] = c
			}
		}
		b, err := json.Marshal(labelled)
		if err != nil {
			return 0, nil, fmt.Errorf("encode trees: %w", err)
		}
		pieces = append(pieces, b)
	}
	return p.TreeChunks - len(pieces), pieces, nil
}

// DecodeTrees reads one piece that EncodeTrees wrote.
func DecodeTrees(b []byte) ([]Tree, error) {
	var trees []Tree
	if err := json.Unmarshal(b, &trees); err != nil {
		return nil, fmt.Errorf("decode trees: %w", err)
	}
	if len(trees) > ChunkSize {
		return nil, fmt.Errorf("decode trees: %d trees, at most %d", len(trees), ChunkSize)
	}
	for _, t := range trees {
		if len(t.Cells) == 0 || len(t.Cells) > maxTree {
			return nil, fmt.Errorf("decode trees: a tree of %d cells, want 1 to %d", len(t.Cells), maxTree)
		}
		for _, c := range t.Cells {
			if c.Cell < 0 || c.Decay < 0 || c.Decay >= c.Steps {
				return nil, fmt.Errorf("decode trees: cell %d with decay_start %d of %d steps", c.Cell, c.Decay, c.Steps)
			}
		}
	}
	return trees, nil
}
