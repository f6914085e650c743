package plan

import (
	"slices"

	"github.com/topksweep/sweep/sweep/grid"
)

// A Part is a row of cells of a stored plan, with their trees, in objects of its own that never change. The first part
// is what was submitted, and each extension adds one.
type Part struct {
	Name       string   `json:"name,omitempty"` // names its objects; "" for those of a first submission
	Cells      int      `json:"cells"`
	TreeChunks int      `json:"tree_chunks"`
	Axes       []string `json:"axes"` // those of Cell.Values in these objects
}

// StoredParts returns the parts of the plan, in the order of the cells. A plan without Parts is one part.
func (h *Header) StoredParts() []Part {
	if len(h.Parts) > 0 {
		return h.Parts
	}
	return []Part{{Cells: h.CellCount, TreeChunks: h.TreeChunks, Axes: h.Axes}}
}

// Restate returns cells whose Values are those of some axes with the Values of the plan's axes. The cells that it is
// given stay as they are.
func (h *Header) Restate(cells []grid.Cell, axes []string) []grid.Cell {
	if slices.Equal(axes, h.Axes) {
		return cells
	}
	out := slices.Clone(cells)
	h.setAxes(out, axes, h.Axes)
	return out
}
