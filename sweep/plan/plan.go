package plan

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"

	"github.com/topksweep/sweep/sweep/grid"
	"github.com/topksweep/sweep/trainer"
)

// A Plan is what a sweep will do: its cells in order, their trees, and the totals.
type Plan struct {
	Header
	Cells []grid.Cell `json:"cell_list"`
	Trees []Tree      `json:"trees"` // in the order in which they start

	// Preset is what the grid took of a preset. It is not stored: the cells have its settings.
	Preset *grid.Preset `json:"preset,omitempty"`

	slots int    // Estimates.WorkerSlots
	todo  []Tree // without the cells that have a result already
	added []Tree // by Extend: they are stored behind the trees that were there before
}

// MaxConcurrent is the largest max_concurrent, of a grid and of a sweep that runs.
const MaxConcurrent = grid.MaxConcurrent

// CheckConcurrent returns an error if a sweep cannot have that max_concurrent.
func CheckConcurrent(n int) error { return grid.CheckConcurrent(int64(n)) }

// A Header is a Plan without its cells and trees, which are stored apart from it,
// in chunks.
type Header struct {
	Version int              `json:"version"`
	Name    string           `json:"name"`
	ID      string           `json:"id"`   // name-hash, the hash over the cell IDs in order
	Axes    []string         `json:"axes"` // the keys that vary, in the order of Cell.Values
	Data    trainer.DataSpec `json:"data"` // of the one data set; without a value where Sets are
	Info    trainer.DataInfo `json:"data_info"`
	Run     grid.RunOptions  `json:"run"`

	// Sets are the data sets, where the grid names them: see DataSets and DataOf.
	Sets []DataSet `json:"data_sets,omitempty"`

	// Semantics is trainer.SemanticsVersion of the program that planned the sweep. Cell
	// IDs, and names of trajectories, are those of it.
	Semantics int `json:"semantics,omitempty"`

	// Inits lists the models that cells begin from, each once, in the order of the cells.
	Inits []Init `json:"inits,omitempty"`

	// Number counts the headers of a plan that has changed since it was first stored: the highest one counts. It is 0
	// where there is only one.
	Number int `json:"number,omitempty"`

	// Parts says in which objects cells and trees are stored, in their order. It is empty where all of them are in those
	// of the first submission: see Header.StoredParts.
	Parts []Part `json:"parts,omitempty"`

	TreeChunks int `json:"tree_chunks"` // stored chunks of Plan.Trees
	Totals
}

// VersionOf returns the version of the stored form of a plan. A plan has the oldest version that says all that it
// holds, so that older programs read what they can train:
//
//	1  the first
//	2  cells begin from models (Header.Inits), or the held-out rows have a source of their own
//	   (trainer.DataSpec.EvalSource): an older program would pass over both
//	3  the plan has changed since it was stored, so that other headers or other objects hold what counts (Header.Number,
//	   Header.Parts): an older program would not see them
//	4  the plan names its data sets (Header.Sets), or says of its rows what an older program would pass over: their order
//	   (trainer.DataSpec.Shuffle), the tensor that holds them, or that files hold bare numbers
func VersionOf(h *Header) int {
	if len(h.Sets) > 0 || h.Data.Shuffle != "" || h.Data.Tensor != "" || h.Data.Raw != nil {
		return 4
	}
	if h.Number > 0 || len(h.Parts) > 0 {
		return 3
	}
	if len(h.Inits) > 0 || h.Data.EvalSource != "" {
		return 2
	}
	return 1
}

// New is NewOf for a grid of one data set.
func New(g *grid.Grid, info trainer.DataInfo, est Estimates) (*Plan, error) {
	return NewOf(g, []trainer.DataInfo{info}, est)
}

// NewOf lays out the cells of g on the data that infos describe, one for each of Grid.Sets. The error is of type
// grid.Errors, or *UnsupportedError.
func NewOf(g *grid.Grid, infos []trainer.DataInfo, est Estimates) (*Plan, error) {
	cells, err := g.Cells(infos...)
	if err != nil {
		return nil, err
	}
	inits := initsOf(cells)
	hash := sha256.New()
	for _, c := range cells {
		io.WriteString(hash, c.ID+"\n") // a hash takes every write
	}
	if !g.Run.ReuseResults { // its runs have IDs of their own: see RunID
		fmt.Fprintln(hash, "own results")
	}
	if !g.Run.SharePrefixes { // its stages are others, and so are its checkpoints
		fmt.Fprintln(hash, "alone")
	}
	p := &Plan{Cells: cells, Header: Header{
		Name:  g.Name,
		ID:    g.Name + "-" + hex.EncodeToString(hash.Sum(nil)[:4]),
		Axes:  g.Varying(),
		Run:   g.Run,
		Inits: inits,

		Semantics: trainer.SemanticsVersion,
	}}
	p.setData(g.Sets, infos, cells)
	p.Version = VersionOf(&p.Header)
	if err := p.checkSupported(est); err != nil {
		return nil, err
	}
	p.Preset, p.slots = g.Preset, est.WorkerSlots
	p.count(est)
	p.warn()
	return p, nil
}
