package sweep

import "github.com/topksweep/sweep/trainer"

// Status is where a run stands.
type Status string

const (
	Pending   Status = "pending"
	Running   Status = "running"
	Completed Status = "completed"
	Failed    Status = "failed"
	Canceled  Status = "canceled"
)

// A Result is what one run came to. It is kept in the store under the cell's
// ID, and only there: a workflow's history may be deleted without losing it.
type Result struct {
	Cell        string          `json:"cell"`
	Config      trainer.Config  `json:"config"`
	Metrics     trainer.Metrics `json:"metrics"`
	Status      Status          `json:"status"`
	Error       string          `json:"error,omitempty"`
	Tokens      int64           `json:"tokens"`
	WallSeconds float64         `json:"wall_seconds"` // time spent in training steps, over all attempts
	Data        string          `json:"data"`         // fingerprint
	LMName      string          `json:"lm_name,omitempty"`
	Layer       *int            `json:"layer,omitempty"`
	Submodule   string          `json:"submodule_name,omitempty"`
}
