package plan

import (
	"cmp"
	"math"
	"slices"

	"github.com/topksweep/sweep/sweep/grid"
	"github.com/topksweep/sweep/trainer"
)

// Totals are what a plan takes. Steps, stages and tokens are those that are to be
// trained, without the cells that have a result already. Where stages are shared
// they are upper bounds: a trunk forks where the first latent is dead, which shows
// only in training, and the bounds assume that it happens as early as it can.
type Totals struct {
	CellCount       int      `json:"cells"`
	Duplicates      int      `json:"duplicates"`         // settings that are equal to those of an earlier cell
	Reused          int      `json:"reused"`             // cells that have a result already
	Stages          int      `json:"stages"`             // spans of steps that are trained once
	Forks           int      `json:"forks"`              // checkpoints at which other stages begin
	StepsUnshared   int64    `json:"steps_unshared"`     // training each cell alone
	StepsShared     int64    `json:"steps_shared"`       // training what cells share once
	StepsLeast      int64    `json:"steps_shared_least"` // the same, if no latent is ever dead
	Tokens          int64    `json:"tokens"`             // in steps_shared
	EpochsMin       float64  `json:"epochs_min"`         // of one run over the training rows
	EpochsMax       float64  `json:"epochs_max"`
	Bytes           int64    `json:"bytes"`             // device memory of the largest run; 0 if not known
	HostBytes       int64    `json:"host_bytes"`        // what the host needs besides
	CheckpointBytes int64    `json:"checkpoint_bytes"`  // one checkpoint of the largest run
	ForkBytes       int64    `json:"fork_bytes"`        // all forks, kept for seven days or until sweep gc
	Seconds         float64  `json:"seconds,omitempty"` // of the sweep, at max_concurrent runs at a time; 0 if not known
	SecondsUnshared float64  `json:"seconds_unshared,omitempty"`
	Warnings        []string `json:"warnings,omitempty"`
}

// Estimates are what a plan asks about its cells. Any of the functions may be nil.
type Estimates struct {
	Reused func(cellID string) bool                    // the cell has a result already
	Bytes  func(c trainer.Config) (device, host int64) // trainer.Backend.Bytes

	// Costs is called once. What it returns says what runs of a model cost that are evaluated on so many rows, as far as
	// that is known; else it is 0.
	Costs func(Work) func(c trainer.Config, evalRows int64) Cost

	// Unsupported says why a run cannot be trained; nil where it can, or need not because
	// it has its result.
	Unsupported func(run string, c trainer.Config) error

	// Slots is how many runs train at a time for which Costs holds; 0: as many
	// as the grid allows.
	Slots int

	// WorkerSlots is how many slots a worker on this machine has, for max_concurrent: auto; 0 where that is not known.
	WorkerSlots int
}

// slots returns how many runs train at a time.
func (e Estimates) slots(r grid.RunOptions) int {
	n := r.Concurrent(cmp.Or(e.WorkerSlots, e.Slots))
	if e.Slots > 0 {
		n = min(e.Slots, n)
	}
	return n
}

// count lays the cells out as trees and fills the totals in.
func (p *Plan) count(est Estimates) {
	t := &p.Totals
	t.CellCount = len(p.Cells)
	t.EpochsMin = math.Inf(1)
	reused := make([]bool, len(p.Cells))
	of := p.dataOf()
	for i := range p.Cells {
		c := &p.Cells[i]
		t.Duplicates += c.Duplicates
		epochs := epochsOf(c.Config, of(*c).Info)
		t.EpochsMin, t.EpochsMax = min(t.EpochsMin, epochs), max(t.EpochsMax, epochs)
		if p.Run.ReuseResults && est.Reused != nil && est.Reused(c.ID) {
			t.Reused++
			reused[i] = true
			continue
		}
		t.StepsUnshared += int64(c.Config.Steps)
		t.CheckpointBytes = max(t.CheckpointBytes, c.Config.StateBytes())
		if est.Bytes != nil {
			device, host := est.Bytes(c.Config)
			t.Bytes, t.HostBytes = max(t.Bytes, device), max(t.HostBytes, host)
		}
	}
	p.Trees = newTrees(&p.Header, p.Cells)
	p.TreeChunks = len(chunkTrees(p.Trees))
	p.countStages(p.Trees, reused, est)
}

// countStages adds what depends on trees, without the cells that are reused.
func (p *Plan) countStages(trees []Tree, reused []bool, est Estimates) {
	t := &p.Totals
	todo := make([]forecast, len(trees))
	for i, tree := range trees {
		c := p.Cells[tree.Cells[0].Cell].Config
		f := forecast{Tree: tree, dead: firstDead(c)}
		if isReused := func(c TreeCell) bool { return reused[c.Cell] }; slices.ContainsFunc(f.Cells, isReused) {
			f.Cells = slices.DeleteFunc(slices.Clone(f.Cells), isReused)
		}
		todo[i] = f
		if len(f.Cells) > 0 {
			p.todo = append(p.todo, f.Tree)
		}
		f.walk(func(s Stage, reached int) {
			steps := int64(reached - s.From)
			t.Stages++
			t.StepsShared += steps
			t.Tokens += min(steps*int64(c.BatchSize), math.MaxInt64-t.Tokens) // must not overflow
			if !s.CompletesRuns(reached) {
				t.Forks++
				t.ForkBytes += min(c.StateBytes(), math.MaxInt64-t.ForkBytes)
			}
		})
		f.dead = math.MaxInt
		f.walk(func(s Stage, reached int) { t.StepsLeast += int64(reached - s.From) })
	}
	if est.Costs != nil {
		p.countSeconds(todo, est)
	}
}

// countSeconds adds how long the trees that are left take, if that is known.
func (p *Plan) countSeconds(todo []forecast, est Estimates) {
	todo = slices.DeleteFunc(todo, func(f forecast) bool { return len(f.Cells) == 0 })
	left, shares := 0, false
	for _, f := range todo {
		left += len(f.Cells)
		shares = shares || len(f.Cells) > 1
	}
	first := func(f forecast) grid.Cell { return p.Cells[f.Cells[0].Cell] }
	of, rows := p.dataOf(), int64(0)
	for _, f := range todo {
		rows = max(rows, of(first(f)).Info.EvalRows)
	}
	cost := est.Costs(Work{Cells: left, EvalRows: rows, Models: func(yield func(trainer.Config) bool) {
		for _, f := range todo {
			if !yield(first(f).Config) {
				return
			}
		}
	}})
	for i, f := range todo {
		todo[i].cost = cost(first(f).Config, of(first(f)).Info.EvalRows)
	}
	slots := est.slots(p.Run)
	p.Seconds = makespan(todo, slots)
	if p.SecondsUnshared = p.Seconds; shares {
		p.SecondsUnshared = makespan(unshared(todo), slots)
	}
}

// epochsOf returns how often a run goes over the training rows of its data; 0 if there are none.
func epochsOf(c trainer.Config, info trainer.DataInfo) float64 {
	rows := info.Rows - info.EvalRows
	if rows < 1 {
		return 0
	}
	return float64(c.Tokens()) / float64(rows)
}
