package grid

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/topksweep/sweep/trainer"
)

// A Grid is a grid.yaml that has been read and found sound.
type Grid struct {
	Name string
	Data trainer.DataSpec
	Run  RunOptions
	Axes []Axis // the lists under parameters, in file order

	file    string
	schema  *schema
	base    []value // one for each field of schema: the constants, else the defaults
	groups  []group // the axes that advance as one, in file order; the last is the fastest
	exclude []exclusion
	include []inclusion
	params  position // of the section parameters, for errors that are about no one key
	source  position // of the value of data.source or data.synthetic
}

// DataErrors reports what opening the grid's data met, where the grid names them.
func (g *Grid) DataErrors(errs []error) Errors {
	var out Errors
	for _, err := range errs {
		out = append(out, Error{File: g.file, Line: g.source.line, Column: g.source.column, Msg: clip(err.Error(), 1000)})
	}
	return out
}

// An Axis is one swept key with its values as a reader sees them: in the
// shortest form, fractions as fractions.
type Axis struct {
	Key    string
	Values []string

	field  int // in schema
	values []value
	class  []int          // for each value: the index of the first equal one
	index  map[string]int // of the first value of each text
	pos    position       // of the key
	broken bool           // some value could not be read
}

// A group is a set of axes that advance together: one axis, or those of a zip.
type group struct {
	axes []int
	n    int // settings
}

// An exclusion is an entry of exclude: cells whose axes have these values are
// dropped.
type exclusion struct {
	value []int // for each axis: the class of its value, or −1 for any
	pos   position
}

// An inclusion is an entry of include: one more setting, laid over the
// constants and defaults.
type inclusion struct {
	fields []int
	values []value
}

// over lays the entry over a setting.
func (in inclusion) over(setting []value) {
	for i, f := range in.fields {
		setting[f] = in.values[i]
	}
}

// RunOptions is the section run of a grid: how the sweep is carried out. None
// of it changes a result.
type RunOptions struct {
	MaxConcurrent int               `json:"max_concurrent"` // runs at a time
	MaxFailed     int               `json:"max_failed"`     // failed runs at which the sweep starts no more; 0 is no limit
	FailFast      bool              `json:"fail_fast"`      // the same as max_failed: 1
	Checkpoint    CheckpointOptions `json:"checkpoint"`
	SharePrefixes bool              `json:"share_prefixes"` // train a prefix that cells share once
	ReuseResults  bool              `json:"reuse_results"`  // take results that the store has already
}

// CheckpointOptions says how often a run is saved and how many of its
// checkpoints are kept.
type CheckpointOptions struct {
	Every time.Duration `json:"every"` // as 5m0s in JSON
	Keep  int           `json:"keep"`
}

// DefaultRunOptions are those of a grid without a section run.
func DefaultRunOptions() RunOptions {
	return RunOptions{
		MaxConcurrent: 8,
		Checkpoint:    CheckpointOptions{Every: 5 * time.Minute, Keep: 2},
		SharePrefixes: true,
		ReuseResults:  true,
	}
}

// FailureLimit returns the number of failed runs at which the sweep starts no
// more, or 0 for no limit.
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

// MarshalJSON writes the interval as grid.yaml does.
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
