package grid

import (
	"encoding/json"
	"fmt"
	"time"
)

// MaxConcurrent is the largest RunOptions.MaxConcurrent: the stages that one sweep has in flight at most. With more of
// them too little of the history of its workflow would be left for new stages. Plans that earlier versions stored may
// have more, which comes to this.
const MaxConcurrent = 200

// CheckConcurrent returns an error if a sweep cannot have n stages in flight.
func CheckConcurrent(n int64) error {
	switch {
	case n < 1:
		return fmt.Errorf("%d is less than 1", n)
	case n > MaxConcurrent:
		return fmt.Errorf("%d is more than %d, the most that one sweep has in flight: "+
			"the history of its workflow has no room for more", n, MaxConcurrent)
	}
	return nil
}

// AutoConcurrent is what max_concurrent: auto comes to while it is not known how many slots the workers have.
const AutoConcurrent = 8

// RunOptions is the section run of a grid: how the sweep is carried out. No option changes a result.
type RunOptions struct {
	MaxConcurrent int               `json:"max_concurrent"` // runs at a time; 0 is auto: as many as the workers have slots
	MaxFailed     int               `json:"max_failed"`     // failed runs after which no more start; 0: no limit
	FailFast      bool              `json:"fail_fast"`      // the same as max_failed: 1
	Checkpoint    CheckpointOptions `json:"checkpoint"`
	SharePrefixes bool              `json:"share_prefixes"` // train once the first steps that cells have in common
	ReuseResults  bool              `json:"reuse_results"`  // use the results that the store has already
}

// CheckpointOptions says how often a run is saved and how many of its checkpoints are kept.
type CheckpointOptions struct {
	Every time.Duration `json:"every"` // in JSON a string such as 5m0s
	Keep  int           `json:"keep"`
}

// DefaultRunOptions returns the options of a grid without a section run.
func DefaultRunOptions() RunOptions {
	return RunOptions{
		Checkpoint:    CheckpointOptions{Every: 5 * time.Minute, Keep: 2},
		SharePrefixes: true,
		ReuseResults:  true,
	}
}

// Concurrent returns how many runs train at a time on workers with so many slots; 0 where that is not known.
func (r RunOptions) Concurrent(slots int) int {
	switch {
	case r.MaxConcurrent > 0:
		return min(r.MaxConcurrent, MaxConcurrent)
	case slots > 0:
		return min(slots, MaxConcurrent)
	}
	return AutoConcurrent
}

// FailureLimit returns the number of failed runs at which the sweep stops and ends, or 0 for no limit.
func (r RunOptions) FailureLimit() int {
	if r.FailFast {
		return 1
	}
	return r.MaxFailed
}

type checkpointJSON struct {
	Every string `json:"every"`
	Keep  int    `json:"keep"`
}

// MarshalJSON writes Every as text, as grid.yaml does.
func (c CheckpointOptions) MarshalJSON() ([]byte, error) {
	return json.Marshal(checkpointJSON{c.Every.String(), c.Keep})
}

// UnmarshalJSON reads what MarshalJSON wrote.
func (c *CheckpointOptions) UnmarshalJSON(b []byte) error {
	var j checkpointJSON
	if err := json.Unmarshal(b, &j); err != nil {
		return err
	}
	every, err := time.ParseDuration(j.Every)
	if err != nil {
		return fmt.Errorf("checkpoint every: %w", err)
	}
	*c = CheckpointOptions{every, j.Keep}
	return nil
}

// readRun reads the section run.
func (p *parser) readRun(root *node) {
	r := &p.grid.Run
	table := runOptions(r)
	if err := setDefaults(table); err != nil {
		p.errorf(root.pos, "run", "%v", err)
	}
	e := root.get("run")
	if e == nil || e.value.kind == nullNode {
		return
	}
	if e.value.kind != mapNode {
		p.wrongKind(e.value, "run", "want a map")
		return
	}
	p.readOptions(e.value, "run", table)
	if limit := e.value.get("max_failed"); limit != nil && r.FailFast && r.MaxFailed > 1 {
		p.errorf(limit.pos, "run.max_failed", "fail_fast is given too: want one of them")
	}
}
