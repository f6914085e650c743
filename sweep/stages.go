package sweep

// StageIDs names the stages in the store that a cell's run needs: its own, and
// those of the trunks that it shares.
func (h *PlanHeader) StageIDs(c Cell) []string { return []string{h.RunID(c.ID)} }
