package protocol

import "github.com/topksweep/sweep/sweep/plan"

// A Priority orders the sweeps of a server: stages of a higher one start before all stages of a lower one. Sweeps of
// one priority share the slots.
type Priority string

const (
	PriorityHigh   Priority = "high"
	PriorityNormal Priority = "normal"
	PriorityLow    Priority = "low"
)

// An Extension is the argument of UpdateExtend: how much the stored plan holds now.
type Extension struct {
	plan.Size
	Grid string `json:",omitempty"` // the grid that was added, for people
}

// A Selection is the argument of UpdateCancel and UpdateRetry: cells of the plan, ascending. For UpdateRetry none means
// all that failed or were canceled.
type Selection struct {
	Cells []int `json:"cells"`
}

// MaxSelection bounds the cells of a Selection, because histories hold it.
const MaxSelection = 100_000

// Settings are the argument of UpdateSet. What is 0 or nil stays. Workflow workers of earlier versions refuse a
// MaxConcurrent of 0, and know nothing of MixClasses and AutoConcurrent: see Steered.
type Settings struct {
	MaxConcurrent int   `json:"max_concurrent,omitempty"`
	MixClasses    *bool `json:"mix_classes,omitempty"` // as in SweepInput

	// AutoConcurrent is max_concurrent: auto, in place of a MaxConcurrent.
	AutoConcurrent bool `json:"auto_concurrent,omitempty"`
}

// Steered answers an update: what it did, and where the sweep stands since.
type Steered struct {
	Summary
	Did     string      `json:"did"` // a sentence
	State   plan.Status `json:"state"`
	Stopped int         `json:"stopped_stages"` // stages that it stopped; their state is saved
	Cells   []int       `json:"changed_cells"`  // that it canceled or trains again, ascending
}
