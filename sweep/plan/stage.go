package plan

import "slices"

// A Stage is a span of steps [From, To) of a tree that is trained once, for one
// cell or for several. The package documentation follows one tree through its
// stages.
type Stage struct {
	Level    Level
	From, To int
	Cells    []TreeCell // whose runs pass through it, in the order of compare
}

// Roots returns the stages that a tree of cells begins with. That is one stage,
// except for runs of a single step, which share none.
func Roots(cells []TreeCell) []Stage {
	if len(cells) == 0 {
		return nil
	}
	if !slices.IsSortedFunc(cells, TreeCell.compare) {
		cells = slices.SortedFunc(slices.Values(cells), TreeCell.compare)
	}
	s := stageOf(cells, 0, false)
	if s.To == 0 {
		return s.Next(0)
	}
	return []Stage{s}
}

// stageOf returns the stage that goes on from step from, where all the cells
// have the same state. oneAuxK says that a latent is dead already, so that the
// cells have one AuxK setting.
func stageOf(cells []TreeCell, from int, oneAuxK bool) Stage {
	first := cells[0]
	s := Stage{Level: LevelRun, From: from, To: first.Steps, Cells: cells}
	otherSchedule := func(c TreeCell) bool { return c.Decay != first.Decay || c.Steps != first.Steps }
	switch {
	case len(cells) == 1:
	case !slices.ContainsFunc(cells, otherSchedule):
		s.Level = LevelSchedule
	default:
		// The first cell shares the fewest steps: cells are sorted by that.
		s.Level, s.To = LevelTrunk, first.prefixSteps()
		if oneAuxK {
			s.Level = LevelAuxK
		}
	}
	return s
}

// CompletesRuns says that the stage's cells are trained to their last step when
// the stage has ended at step reached.
func (s Stage) CompletesRuns(reached int) bool {
	return reached == s.Cells[0].Steps && s.Level >= LevelSchedule
}

// Next returns the stages that begin where the stage has ended: at To, or before
// the first step in which a latent would be dead. It returns none where the stage
// completes its runs.
func (s Stage) Next(reached int) []Stage {
	switch {
	case s.CompletesRuns(reached):
		return nil
	case reached < s.To: // a latent dies in the next step: AuxK acts from here on
		return split(s.Cells, reached, true, func(c TreeCell) TreeCell { return TreeCell{AuxK: c.AuxK} })
	}
	// The learning rate of some cells begins to fall: they go on by schedule. The
	// others go on together.
	return split(s.Cells, reached, s.Level == LevelAuxK, func(c TreeCell) TreeCell {
		if c.prefixSteps() > reached {
			return TreeCell{}
		}
		return TreeCell{Decay: c.Decay, Steps: c.Steps}
	})
}

// split groups the cells by a key and returns a stage for each group, in the order
// of the groups' first cells.
func split(cells []TreeCell, from int, oneAuxK bool, key func(TreeCell) TreeCell) []Stage {
	var index map[TreeCell]int // of groups; nil while there is one
	var groups [][]TreeCell
	var last TreeCell // the key of the cell before, which is in groups[at]
	at := 0
	for i, c := range cells {
		if k := key(c); i == 0 || k != last {
			if i > 0 && index == nil {
				index = map[TreeCell]int{last: 0}
			}
			n, ok := index[k]
			if at = n; !ok {
				at = len(groups)
				groups = append(groups, make([]TreeCell, 0, min(4, len(cells)-i)))
				if index != nil {
					index[k] = at
				}
			}
			last = k
		}
		groups[at] = append(groups[at], c)
	}
	out := make([]Stage, 0, len(groups))
	for _, g := range groups {
		out = append(out, stageOf(g, from, oneAuxK))
	}
	return out
}

// StepsLeft is the number of steps from the beginning of the stage to the end of
// the longest run that passes through it.
func (s Stage) StepsLeft() int { return maxSteps(s.Cells) - s.From }
