package plan

import (
	"cmp"
	"slices"

	"github.com/topksweep/sweep/sweep/grid"
	"github.com/topksweep/sweep/trainer"
)

// A Tree is the cells that agree on everything except decay_start, steps and
// AuxK: they train identically at first, and their stages form a tree. See
// Hippo (VLDB 2022) for the static half of it.
type Tree struct {
	Family string     `json:"family"` // CheckpointFolder at LevelTrunk; of a tree that shares nothing, the run's
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

func (c TreeCell) sharedSteps() int {
	return SharedSteps(trainer.Config{DecayStart: c.Decay, Steps: c.Steps})
}

// MaxTreeCells is the number of cells in a tree: what workflows pass around of one
// must stay small. A larger family becomes several trees, which are trained one
// after the other, so that each finds what the one before has shared.
const MaxTreeCells = 1000

// newTrees lays the cells of a plan out as trees, those with the longest path
// first: what takes longest must not begin last.
func newTrees(h *Header, cells []grid.Cell) []Tree {
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
func (h *Header) families(cells []grid.Cell) []Tree {
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
			all = append(all, &family{Tree{Family: h.CheckpointFolder(c, LevelTrunk), Weight: weight(c.Config)}, map[setting]int{}})
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
		for part := range slices.Chunk(f.tree.Cells, MaxTreeCells) {
			trees = append(trees, Tree{f.tree.Family, f.tree.Weight, part})
		}
	}
	return trees
}

func (h *Header) treeCell(i int, c grid.Cell) TreeCell {
	return TreeCell{Cell: i, ID: c.ID, Decay: c.Config.DecayStart, Steps: c.Config.Steps}
}

// compare orders the cells of a tree as its stages leave it: the order of the
// grid's cells does not show.
func (c TreeCell) compare(o TreeCell) int {
	return cmp.Or(cmp.Compare(c.sharedSteps(), o.sharedSteps()), cmp.Compare(c.Decay, o.Decay), cmp.Compare(c.Steps, o.Steps), cmp.Compare(c.AuxK, o.AuxK), cmp.Compare(c.Cell, o.Cell))
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
