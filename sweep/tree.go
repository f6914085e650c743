package sweep

import (
	"cmp"
	"slices"

	"github.com/topksweep/sweep/trainer"
)

// A Tree is the cells that agree on everything except decay_start, steps and
// AuxK: they train identically at first, and their stages form a tree. See
// Hippo (VLDB 2022) for the static half of it.
type Tree struct {
	Family string     `json:"family"` // StageID at LevelTrunk; of a tree that shares nothing, the run's
	Weight float64    `json:"weight"` // of a step, against those of other trees: B·D·F
	Cells  []TreeCell `json:"cells"`
}

// A TreeCell is what a tree must know of a cell.
type TreeCell struct {
	Cell  int    `json:"cell"` // index in the plan
	ID    string `json:"id,omitempty"`
	Label string `json:"label,omitempty"` // for people; set in stored trees
	Decay int    `json:"decay_start"`
	Steps int    `json:"steps"`
	AuxK  int    `json:"auxk"`           // number of the AuxK setting, among the tree's
	Done  bool   `json:"done,omitempty"` // its result is there
}

func (c TreeCell) peel() int { return Peel(trainer.Config{DecayStart: c.Decay, Steps: c.Steps}) }

// maxTree is the number of cells in a tree: what workflows pass around of one
// must stay small. A larger family becomes several trees, which are trained one
// after the other, so that each finds what the one before has shared.
const maxTree = 1000

// newTrees lays the cells of a plan out as trees, those with the longest path
// first: what takes longest must not begin last.
func newTrees(h *PlanHeader, cells []Cell) []Tree {
	var trees []Tree
	if !h.Run.SharePrefixes {
		for i, c := range cells {
			trees = append(trees, Tree{h.RunID(c.ID), weight(c.Config), []TreeCell{h.treeCell(i, c)}})
		}
	} else {
		trees = h.families(cells)
	}
	slices.SortStableFunc(trees, func(a, b Tree) int { return cmp.Compare(b.longest(), a.longest()) })
	return trees
}

// families groups the cells by family. Families come in the order of their first
// cells.
func (h *PlanHeader) families(cells []Cell) []Tree {
	type setting struct {
		alpha float64
		k     int
	}
	type family struct {
		tree Tree
		auxk map[setting]int
	}
	index := map[trainer.Config]int{}
	var all []*family
	for i, c := range cells {
		key := c.Config
		key.DecayStart, key.Steps, key.AuxKAlpha, key.KAux = 0, 0, anyAuxK, 0
		at, ok := index[key]
		if !ok {
			at = len(all)
			index[key] = at
			all = append(all, &family{Tree{Family: h.StageID(c, LevelTrunk), Weight: weight(c.Config)}, map[setting]int{}})
		}
		f := all[at]
		s := setting{c.Config.AuxKAlpha, c.Config.KAux}
		n, ok := f.auxk[s]
		if !ok {
			n = len(f.auxk)
			f.auxk[s] = n
		}
		tc := h.treeCell(i, c)
		tc.AuxK = n
		f.tree.Cells = append(f.tree.Cells, tc)
	}
	var trees []Tree
	for _, f := range all {
		slices.SortFunc(f.tree.Cells, TreeCell.compare)
		for part := range slices.Chunk(f.tree.Cells, maxTree) {
			trees = append(trees, Tree{f.tree.Family, f.tree.Weight, part})
		}
	}
	return trees
}

func (h *PlanHeader) treeCell(i int, c Cell) TreeCell {
	return TreeCell{Cell: i, ID: c.ID, Decay: c.Config.DecayStart, Steps: c.Config.Steps}
}

// compare orders the cells of a tree as its stages leave it: the order of the
// grid's cells does not show.
func (c TreeCell) compare(o TreeCell) int {
	return cmp.Or(cmp.Compare(c.peel(), o.peel()), cmp.Compare(c.Decay, o.Decay), cmp.Compare(c.Steps, o.Steps), cmp.Compare(c.AuxK, o.AuxK), cmp.Compare(c.Cell, o.Cell))
}

// weight is what a step takes beside those of other cells: its one dense product.
func weight(c trainer.Config) float64 {
	return float64(c.BatchSize) * float64(c.ActivationDim) * float64(c.DictSize)
}

// longest is the weight of the longest path: the tree takes as long even with a
// slot for every stage.
func (t *Tree) longest() float64 { return t.Weight * float64(maxSteps(t.Cells)) }

func maxSteps(cells []TreeCell) int {
	most := 0
	for _, c := range cells {
		most = max(most, c.Steps)
	}
	return most
}

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
		s.Level, s.To = LevelTrunk, first.peel() // the least: of runs with another schedule from there on
		if oneAuxK {
			s.Level = LevelAuxK
		}
	}
	return s
}

// Ends says that cells are trained to their last step when the stage has reached
// that step.
func (s Stage) Ends(reached int) bool { return reached == s.Cells[0].Steps && s.Level >= LevelSchedule }

// Next returns the stages that begin where the stage ended: at To, or before the
// first step in which a latent would be dead. It returns none where the stage
// Ends.
func (s Stage) Next(reached int) []Stage {
	switch {
	case s.Ends(reached):
		return nil
	case reached < s.To:
		return split(s.Cells, reached, true, func(c TreeCell) TreeCell { return TreeCell{AuxK: c.AuxK} })
	}
	// Those that leave here, by schedule; and those that go on.
	return split(s.Cells, reached, s.Level == LevelAuxK, func(c TreeCell) TreeCell {
		if c.peel() > reached {
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
func (s Stage) Left() int { return maxSteps(s.Cells) - s.From }
