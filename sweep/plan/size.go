package plan

// Size is how much a stored plan holds. A plan that is extended only grows:
// cells and trees keep their numbers.
type Size struct {
	Cells      int
	TreeChunks int
}

// Size returns how much the plan holds.
func (h *Header) Size() Size { return Size{h.CellCount, h.TreeChunks} }
