package plan

import "slices"

// A Stage is a span of steps [From, To) that is trained once, for one cell or
// for several.
type Stage struct {
	Level    Level
	From, To int
	Cells    []TreeCell // whose runs pass through it, in the order of compare
}

// Roots returns the stages that a tree of cells begins with: one, but for runs
// of a single step, which share none.
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
// have the same state. oneAuxK says that a latent has been dead, so that they
// have one AuxK setting.
func stageOf(cells []TreeCell, from int, oneAuxK bool) Stage {
	first := cells[0]
	s := Stage{Level: LevelRun, From: from, To: first.Steps, Cells: cells}
	switch {
	case len(cells) == 1:
	case !slices.ContainsFunc(cells, func(c TreeCell) bool { return c.Decay != first.Decay || c.Steps != first.Steps }):
		s.Level = LevelSchedule
	default:
		s.Level, s.To = LevelTrunk, first.sharedSteps() // the least: of runs with another schedule from there on
		if oneAuxK {
			s.Level = LevelAuxK
		}
	}
	return s
}

// Ends says that cells are trained to their last step when the stage has reached
// that step.
func (s Stage) CompletesRuns(reached int) bool {
	return reached == s.Cells[0].Steps && s.Level >= LevelSchedule
}

// Next returns the stages that begin where the stage ended: at To, or before the
// first step in which a latent would be dead. It returns none where the stage
// Ends.
func (s Stage) Next(reached int) []Stage {
	switch {
	case s.CompletesRuns(reached):
		return nil
	case reached < s.To:
		return split(s.Cells, reached, true, func(c TreeCell) TreeCell { return TreeCell{AuxK: c.AuxK} })
	}
	// Those that leave here, by schedule; and those that go on.
	return split(s.Cells, reached, s.Level == LevelAuxK, func(c TreeCell) TreeCell {
		if c.sharedSteps() > reached {
			return TreeCell{}
		}
		return TreeCell{Decay: c.Decay, Steps: c.Steps}
	})
}

// split groups the cells by a key, in the order of the first of each, and
// returns a stage for each group.
func split(cells []TreeCell, at int, oneAuxK bool, key func(TreeCell) TreeCell) []Stage {
	groups := map[TreeCell]int{}
	var parts [][]TreeCell
	for _, c := range cells {
		i, ok := groups[key(c)]
		if !ok {
			i = len(parts)
			groups[key(c)] = i
			parts = append(parts, nil)
		}
		parts[i] = append(parts[i], c)
	}
	var out []Stage
	for _, p := range parts {
		out = append(out, stageOf(p, at, oneAuxK))
	}
	return out
}

// Left is the longest path from the beginning of the stage to the end of a run,
// in steps.
func (s Stage) StepsLeft() int { return maxSteps(s.Cells) - s.From }
