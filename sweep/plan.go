package sweep

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"iter"
	"math"

	"github.com/topksweep/sweep/trainer"
)

// A Plan is what a sweep will do: its cells in order, and what they take.
type Plan struct {
	PlanHeader
	Cells []Cell `json:"cell_list"`
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
	Totals
}

// Totals are what a plan comes to. Steps, stages and tokens are those that are
// to be trained: without the cells whose result is there already.
type Totals struct {
	CellCount       int      `json:"cells"`
	Duplicates      int      `json:"duplicates"`     // settings that come to a cell that is there already
	Reused          int      `json:"reused"`         // cells whose result is there already
	Stages          int      `json:"stages"`         // spans of steps that are trained once
	StepsUnshared   int64    `json:"steps_unshared"` // training each cell alone
	StepsShared     int64    `json:"steps_shared"`   // training what cells share once
	Tokens          int64    `json:"tokens"`         // in steps_shared
	EpochsMin       float64  `json:"epochs_min"`     // of one run over the training rows
	EpochsMax       float64  `json:"epochs_max"`
	Bytes           int64    `json:"bytes"`             // device memory of the largest run; 0 if not known
	HostBytes       int64    `json:"host_bytes"`        // what the host needs besides
	CheckpointBytes int64    `json:"checkpoint_bytes"`  // one checkpoint of the largest run
	Seconds         float64  `json:"seconds,omitempty"` // of the sweep, at max_concurrent runs at a time; 0 if not known
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

// count fills the totals in.
func (p *Plan) count(est Estimates) {
	t := &p.Totals
	t.CellCount = len(p.Cells)
	t.EpochsMin = math.Inf(1)
	var todo []*Cell
	for i := range p.Cells {
		c := &p.Cells[i]
		t.Duplicates += c.Duplicates
		epochs := p.epochs(c.Config)
		t.EpochsMin, t.EpochsMax = min(t.EpochsMin, epochs), max(t.EpochsMax, epochs)
		if p.Run.ReuseResults && est.Reused != nil && est.Reused(c.ID) {
			t.Reused++
			continue
		}
		todo = append(todo, c)
		t.StepsUnshared += int64(c.Config.Steps)
		t.CheckpointBytes = max(t.CheckpointBytes, stateBytes(c.Config))
		if est.Bytes != nil {
			device, host := est.Bytes(c.Config)
			t.Bytes, t.HostBytes = max(t.Bytes, device), max(t.HostBytes, host)
		}
	}
	var seconds float64
	for s := range stages(todo) {
		steps := int64(s.To - s.From)
		t.Stages++
		t.StepsShared += steps
		t.Tokens += min(steps*int64(s.Config.BatchSize), math.MaxInt64-t.Tokens) // an absurd grid must not come out negative
		if est.Seconds != nil {
			seconds += est.Seconds(s.Config) * float64(steps) / float64(s.Config.Steps)
		}
	}
	t.Seconds = seconds / float64(max(1, min(est.slots(p.Run.MaxConcurrent), t.Stages)))
}

// A Stage is a span of steps [From, To) that is trained once, for one cell or
// for several.
type Stage struct {
	Config   trainer.Config
	From, To int
}

// stages lays the cells out as stages: one for each cell.
func stages(cells []*Cell) iter.Seq[Stage] {
	return func(yield func(Stage) bool) {
		for _, c := range cells {
			if !yield(Stage{c.Config, 0, c.Config.Steps}) {
				return
			}
		}
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

// stateBytes is the size of a checkpoint: the weights and two moments in
// float32, and a counter of 64 bits for each latent.
func stateBytes(c trainer.Config) int64 {
	return 3*4*c.Params() + 8*int64(c.DictSize)
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
