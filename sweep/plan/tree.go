package plan

import (
	"cmp"
	"slices"

	"github.com/topksweep/sweep/sweep/grid"
	"github.com/topksweep/sweep/trainer"
)

// A Tree is a family of cells: they agree on everything except decay_start, steps
// and AuxK, and train on one data set. They train alike at first, and their stages form a tree. Hippo (VLDB
// 2022) describes such trees where all forks are known in advance.
type Tree struct {
	Family string     `json:"family"` // checkpoint folder of the trunk, or the run's ID if nothing is shared
	Weight float64    `json:"weight"` // of a step beside those of other trees: B·D·F multiplications
	Cells  []TreeCell `json:"cells"`
}

// A TreeCell is what a tree must know of a cell.
type TreeCell struct {
	Cell  int    `json:"cell"` // index in the plan
	ID    string `json:"id,omitempty"`
	Label string `json:"label,omitempty"` // for people; set in stored trees
	Decay int    `json:"decay_start"`     // Steps for none
	Steps int    `json:"steps"`
	AuxK  int    `json:"auxk"`            // number of its AuxK setting among those of the tree
	Done  bool   `json:"done,omitempty"`  // its result is in the store
	Brief *Brief `json:"brief,omitempty"` // its metrics if it is done; Prepare gives them for some of the cells
}

// prefixSteps returns PrefixSteps of the cell.
func (c TreeCell) prefixSteps() int {
	return PrefixSteps(trainer.Config{DecayStart: c.Decay, Steps: c.Steps})
}

// MaxTreeCells bounds the cells of a tree, because workflows pass trees around. A
// larger family becomes several trees. They are trained one after the other, so
// that each begins at the checkpoints that the one before it has left.
const MaxTreeCells = 1000

// newTrees lays the cells of a plan out as trees, the one with the longest path
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

// families groups the cells by family, in the order of the families' first cells.
func (h *Header) families(cells []grid.Cell) []Tree {
	type setting struct {
		alpha float64
		k     int
	}
	type family struct {
		tree  Tree
		first setting         // number 0
		auxk  map[setting]int // numbers of the others; nil: there are none
	}
	index := map[string]int{}            // by the trajectory of the trunk
	hashers := map[string]*grid.Hasher{} // by data set: cells of two sets have no state in common
	of := h.dataOf()
	var all []*family
	for i, c := range cells {
		hasher := hashers[c.Data]
		if hasher == nil {
			hasher = grid.NewHasher(h.SemanticsVersion(), of(c).Info.Fingerprint)
			hashers[c.Data] = hasher
		}
		shared := sharedConfig(c.Config, LevelTrunk)
		trajectory := hasher.ID(&shared)
		s := setting{c.Config.AuxKAlpha, c.Config.KAux}
		at, ok := index[trajectory]
		if !ok {
			at = len(all)
			index[trajectory] = at
			all = append(all, &family{tree: Tree{Family: trajectory + h.suffix(), Weight: weight(c.Config)}, first: s})
		}
		f := all[at]
		n := f.auxk[s]
		if n == 0 && s != f.first {
			if f.auxk == nil {
				f.auxk = map[setting]int{}
			}
			n = len(f.auxk) + 1
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

// compare orders the cells of a tree as they leave its trunk, so that the stages do
// not depend on the order of the grid's axes.
func (c TreeCell) compare(o TreeCell) int {
	return cmp.Or(
		cmp.Compare(c.prefixSteps(), o.prefixSteps()),
		cmp.Compare(c.Decay, o.Decay),
		cmp.Compare(c.Steps, o.Steps),
		cmp.Compare(c.AuxK, o.AuxK),
		cmp.Compare(c.Cell, o.Cell),
	)
}

// weight is what a step costs beside those of other cells: the multiplications of
// its one dense product.
func weight(c trainer.Config) float64 {
	return float64(c.BatchSize) * float64(c.ActivationDim) * float64(c.DictSize)
}

// longest is the weight of the longest path from the root to the end of a run. The
// tree takes that long even with a slot for every stage.
func (t *Tree) longest() float64 { return t.Weight * float64(maxSteps(t.Cells)) }

// maxSteps is the number of steps of the longest run.
func maxSteps(cells []TreeCell) int {
	most := 0
	for _, c := range cells {
		most = max(most, c.Steps)
	}
	return most
}
