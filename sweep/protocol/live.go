package protocol

import (
	"time"

	"github.com/topksweep/sweep/sweep/plan"
)

// LookInput is the input of Look.
type LookInput struct {
	Sweep      string
	TrainQueue string
	Owner      string
	All        bool `json:",omitempty"` // return all stages, not only MaxLive

	News *News `json:",omitempty"` // as in FailInput
}

// Live is what the server tells of a sweep at one moment.
type Live struct {
	Stages       []LiveStage `json:"stages"`        // in flight, at most MaxLive of them; those that train first
	Training     int         `json:"training"`      // number of stages that a worker trains or evaluates
	Waiting      int         `json:"waiting"`       // number of stages that wait for a worker
	Slots        int         `json:"slots"`         // of the workers that take stages of this backend; 0 if not known
	OwnersSweeps int         `json:"owners_sweeps"` // sweeps of the same owner that run; 0 if not known
}

// MaxLive bounds the stages that Look returns: a history holds every answer.
const MaxLive = 16

// A LiveStage is a stage in flight: in training, in evaluation, or waiting.
type LiveStage struct {
	ID             string      `json:"id"`              // of the activity
	Cell           int         `json:"cell"`            // the first of its cells; -1 if not known
	Cells          int         `json:"cells,omitempty"` // that share it; 0 or 1 for one
	Label          string      `json:"label,omitempty"` // of the first cell
	State          plan.Status `json:"state"`           // Waiting, Training, Evaluating or Paused
	Step           int64       `json:"step,omitempty"`
	Steps          int64       `json:"steps,omitempty"` // at the end of the stage
	Loss           float64     `json:"loss,omitempty"`
	Dead           int         `json:"dead_latents,omitempty"`
	StepsPerSecond float64     `json:"steps_per_second,omitempty"`
	Doing          string      `json:"doing,omitempty"`
	Worker         string      `json:"worker,omitempty"` // as the worker names itself
	Host           string      `json:"host,omitempty"`
	Device         string      `json:"device,omitempty"`
	Class          string      `json:"class,omitempty"`        // of the device
	Since          time.Time   `json:"since,omitzero"`         // when the attempt began, or the wait
	Saved          time.Time   `json:"checkpoint_at,omitzero"` // when the newest checkpoint was stored
	SavedStep      int64       `json:"checkpoint_step,omitempty"`
	Attempt        int         `json:"attempt,omitempty"`
	Error          string      `json:"error,omitempty"` // of the attempt before
}

// A SeenCell is a cell that has its result.
type SeenCell struct {
	Cell  int        `json:"cell"`
	Label string     `json:"label"`
	Brief plan.Brief `json:"metrics"`
}

// A Failure is a cell that has no result, and why.
type Failure struct {
	Cell   int         `json:"cell"`
	Label  string      `json:"label"`
	Status plan.Status `json:"status"` // Failed or Canceled
	Error  string      `json:"error"`
}
