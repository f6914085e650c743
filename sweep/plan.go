package sweep

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"math"
	"slices"

	"github.com/topksweep/sweep/trainer"
)

// A Plan is what a sweep will do: its cells in order, and what they take.
type Plan struct {
	PlanHeader
	Cells []Cell `json:"cell_list"`
	Trees []Tree `json:"trees"` // in the order in which they begin

	todo  []Tree // without the cells that are reused
	added []Tree // by Extend: stored behind those of before
}

// A PlanHeader is a Plan without its cells, which are kept apart, in chunks.
type PlanHeader struct {
	Version int              `json:"version"`
	Name    string           `json:"name"`
	ID      string           `json:"id"`   // name-hash, the hash over the cell IDs in order
	Axes    []string         `json:"axes"` // the keys that vary, in the order of Cell.Values
	Data    trainer.DataSpec `json:"data"`
	Info    trainer.DataInfo `json:"data_info"`
	Run     RunOptions       `json:"run"`

	TreeChunks int `json:"tree_chunks"` // stored pieces of Plan.Trees
	Totals
}

// Totals are what a plan comes to. Steps, stages and tokens are those that are
// to be trained: without the cells whose result is there already. Where stages
// are shared they are the most that it can come to: a trunk forks where the first
// latent is dead, and that shows in training only.
type Totals struct {
	CellCount       int      `json:"cells"`
	Duplicates      int      `json:"duplicates"`         // settings that come to a cell that is there already
	Reused          int      `json:"reused"`             // cells whose result is there already
	Stages          int      `json:"stages"`             // spans of steps that are trained once
	Forks           int      `json:"forks"`              // checkpoints at which others than the stage itself go on
	StepsUnshared   int64    `json:"steps_unshared"`     // training each cell alone
	StepsShared     int64    `json:"steps_shared"`       // training what cells share once
	StepsLeast      int64    `json:"steps_shared_least"` // the same, if no latent is ever dead
	Tokens          int64    `json:"tokens"`             // in steps_shared
	EpochsMin       float64  `json:"epochs_min"`         // of one run over the training rows
	EpochsMax       float64  `json:"epochs_max"`
	Bytes           int64    `json:"bytes"`             // device memory of the largest run; 0 if not known
	HostBytes       int64    `json:"host_bytes"`        // what the host needs besides
	CheckpointBytes int64    `json:"checkpoint_bytes"`  // one checkpoint of the largest run
	ForkBytes       int64    `json:"fork_bytes"`        // all forks, kept until sweep gc
	Seconds         float64  `json:"seconds,omitempty"` // of the sweep, at max_concurrent runs at a time; 0 if not known
	SecondsUnshared float64  `json:"seconds_unshared,omitempty"`
	Warnings        []string `json:"warnings,omitempty"`
}

// Estimates are what a plan asks about cells. Any of them may be nil.
type Estimates struct {
	Reused  func(cellID string) bool                    // a result is there already
	Bytes   func(c trainer.Config) (device, host int64) // trainer.Backend.Bytes
	Seconds func(c trainer.Config) (training float64)   // of a run among as many as there are slots
	Slots   int                                         // runs at a time where Seconds is measured; 0: as many as the grid allows
}

// slots returns how many runs train at a time.
func (e Estimates) slots(maxConcurrent int) int {
	if e.Slots > 0 {
		return min(e.Slots, maxConcurrent)
	}
	return maxConcurrent
}

// planVersion is that of the stored form. Version 1 is the first.
const planVersion = 1

// NewPlan lays out the cells of g on the data that info describes.
func NewPlan(g *Grid, info trainer.DataInfo, est Estimates) (*Plan, error) {
	cells, err := g.Cells(info)
	if err != nil {
		return nil, err
	}
	hash := sha256.New()
	for _, c := range cells {
		fmt.Fprintln(hash, c.ID)
	}
	if !g.Run.ReuseResults { // its runs are its own: see RunID
		fmt.Fprintln(hash, "own results")
	}
	if !g.Run.SharePrefixes { // its stages are others
		fmt.Fprintln(hash, "alone")
	}
	p := &Plan{Cells: cells, PlanHeader: PlanHeader{
		Version: planVersion,
		Name:    g.Name,
		ID:      g.Name + "-" + hex.EncodeToString(hash.Sum(nil)[:4]),
		Axes:    g.Varying(),
		Data:    g.Data,
		Info:    info,
		Run:     g.Run,
	}}
	p.count(est)
	p.warn()
	return p, nil
}

// count lays the cells out as trees and fills the totals in.
func (p *Plan) count(est Estimates) {
	t := &p.Totals
	t.CellCount = len(p.Cells)
	t.EpochsMin = math.Inf(1)
	reused := make([]bool, len(p.Cells))
	for i := range p.Cells {
		c := &p.Cells[i]
		t.Duplicates += c.Duplicates
		epochs := p.epochs(c.Config)
		t.EpochsMin, t.EpochsMax = min(t.EpochsMin, epochs), max(t.EpochsMax, epochs)
		if p.Run.ReuseResults && est.Reused != nil && est.Reused(c.ID) {
			t.Reused++
			reused[i] = true
			continue
		}
		t.StepsUnshared += int64(c.Config.Steps)
		t.CheckpointBytes = max(t.CheckpointBytes, StateBytes(c.Config))
		if est.Bytes != nil {
			device, host := est.Bytes(c.Config)
			t.Bytes, t.HostBytes = max(t.Bytes, device), max(t.HostBytes, host)
		}
	}
	p.Trees = newTrees(&p.PlanHeader, p.Cells)
	p.TreeChunks = len(chunkTrees(p.Trees))
	p.countStages(p.Trees, reused, est)
}

// countStages adds what depends on trees. A cell that is reused takes no part.
func (p *Plan) countStages(trees []Tree, reused []bool, est Estimates) {
	t := &p.Totals
	todo := make([]forecast, len(trees))
	for i, tree := range trees {
		c := p.Cells[tree.Cells[0].Cell].Config
		f := forecast{Tree: tree, dead: firstDead(c), perStep: 1}
		f.Cells = slices.DeleteFunc(slices.Clone(tree.Cells), func(c TreeCell) bool { return reused[c.Cell] })
		if est.Seconds != nil {
			f.perStep = est.Seconds(c) / float64(c.Steps)
		}
		todo[i] = f
		if len(f.Cells) > 0 {
			p.todo = append(p.todo, f.Tree)
		}
		f.walk(func(s Stage, reached int) {
			steps := int64(reached - s.From)
			t.Stages++
			t.StepsShared += steps
			t.Tokens += min(steps*int64(c.BatchSize), math.MaxInt64-t.Tokens) // an absurd grid must not come out negative
			if !s.Ends(reached) {
				t.Forks++
				t.ForkBytes += min(StateBytes(c), math.MaxInt64-t.ForkBytes)
			}
		})
		f.dead = math.MaxInt
		f.walk(func(s Stage, reached int) { t.StepsLeast += int64(reached - s.From) })
	}
	if est.Seconds != nil {
		slots := est.slots(p.Run.MaxConcurrent)
		t.Seconds = makespan(todo, slots)
		t.SecondsUnshared = makespan(alone(todo), slots)
	}
}

// epochs returns how often a run goes over the training rows.
func (p *Plan) epochs(c trainer.Config) float64 {
	rows := p.Info.Rows - p.Info.EvalRows
	if rows < 1 {
		return 0
	}
	return float64(c.Tokens()) / float64(rows)
}

// StateBytes is the size of a checkpoint: the weights and two moments in
// float32, and a counter of 64 bits for each latent.
func StateBytes(c trainer.Config) int64 {
	return c.StateBytes()
}

// warn notes what is sound but likely not meant.
func (p *Plan) warn() {
	var neverDead, noAuxK, bigBatch int
	rows := p.Info.Rows - p.Info.EvalRows
	for _, c := range p.Cells {
		if r, err := trainer.RecipeByName(c.Config.Recipe); err == nil && !r.Dead(c.Config.Tokens(), c.Config.DeadFeatureThreshold) {
			neverDead++
			if c.Config.AuxKAlpha > 0 {
				noAuxK++
			}
		}
		if rows > 0 && int64(c.Config.BatchSize) > rows {
			bigBatch++
		}
	}
	warn := func(n int, format string, args ...any) {
		if n > 0 {
			who := fmt.Sprintf("%s of %s cells ", grouped(int64(n)), grouped(int64(len(p.Cells))))
			if n == len(p.Cells) {
				who = "all cells "
			}
			p.Warnings = append(p.Warnings, who+fmt.Sprintf(format, args...))
		}
	}
	if noAuxK > 0 {
		warn(neverDead, "train on fewer tokens than dead_feature_threshold: no latent can be dead, and AuxK never acts")
	} else {
		warn(neverDead, "train on fewer tokens than dead_feature_threshold: no latent can be dead")
	}
	warn(bigBatch, "have a batch_size above the %s rows to train on", grouped(rows))
	if p.EpochsMax > 1 {
		p.Warnings = append(p.Warnings, fmt.Sprintf("a run sees each row up to %.3g times: the data has %s rows to train on", p.EpochsMax, grouped(rows)))
	}
}
