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
