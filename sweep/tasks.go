package sweep

import (
	"fmt"
	"strings"
	"time"
)

// What workflows ask of activities. Workflows and activities never import each
// other; these names and structs are all that they share. Cells travel as
// indices into the stored plan, never as lists of settings.

// Names of the workflow, its query and updates, and the activities.
const (
	WorkflowSweep   = "SweepWorkflow"
	QueryProgress   = "progress"
	UpdateExtend    = "extend"
	UpdateRetry     = "retry"
	ActivityPrepare = "Prepare"
	ActivityTrain   = "TrainStage"
	ActivityEval    = "Evaluate"
	ActivityFail    = "RecordFailure"
	ActivityCollect = "Collect"
)

// Queue is the task queue of workflows and of the activities that need no
// training device.
const Queue = "sweep"

// TrainQueue is the task queue of the activities that train on a backend: one
// queue per hardware class, so that a run stays on the class it began on.
func TrainQueue(backend string) string { return Queue + "-" + backend }

// SweepInput starts a SweepWorkflow.
type SweepInput struct {
	Sweep         string // the plan's ID, which is the workflow's too
	Extent               // of the stored plan
	TrainQueue    string
	MaxConcurrent int
	FailureLimit  int      // start no more runs when so many failed; 0 = no limit
	Resume        *Carried // set when the workflow continues as new
}

// Extent is how much a stored plan holds. A plan that is extended only grows:
// cells and trees keep their numbers.
type Extent struct {
	Cells      int
	TreeChunks int
}

// Extent returns how much the plan holds.
func (h *PlanHeader) Extent() Extent { return Extent{h.CellCount, h.TreeChunks} }

// Carried is what a SweepWorkflow passes on when it continues as new.
type Carried struct {
	Next    int // number of the first tree never begun
	Summary Summary
	Again   []TreeLeft `json:",omitempty"` // trees below Next that are begun and not done, ascending
	Retry   bool       `json:",omitempty"` // go over all trees once more when these are done
	Pass    int        `json:",omitempty"` // how often all trees were gone over before
}

// TreeLeft names a tree and its cells that need something yet.
type TreeLeft struct {
	Tree  int
	Cells []int
}

// ErrTypeLost is the type of the error with which Evaluate ends when no
// checkpoint of a run's last step verifies: the run is to be trained again, from
// the checkpoint before.
const ErrTypeLost = "CheckpointLost"

// ErrTypeNoPlan is the type of the error with which Prepare ends when no worker
// has the plan in its store.
const ErrTypeNoPlan = "NoPlan"

// CellRef names one cell of a stored plan.
type CellRef struct {
	Sweep string
	Cell  int
}

// StageRef names a stage: the span of a trajectory that ends at step To, by one
// of the cells that pass through it.
type StageRef struct {
	CellRef
	Level Level
	From  int // where it begins in its tree
	To    int
	Cells int // that pass through it
}

// Trained is what came of a stage.
type Trained struct {
	Reached int // its end: To, or before the first step in which a latent would be dead
	Steps   int // trained in it: 0 if its checkpoint was there
}

// ChunkRef names one piece of a stored plan's trees.
type ChunkRef struct {
	Sweep string
	Chunk int
}

// FailInput records why runs have no result.
type FailInput struct {
	Sweep  string
	Cells  []int
	Status Status
	Error  string
}

// Summary is what a sweep came to.
type Summary struct {
	Cells     int   `json:"cells"`
	Completed int   `json:"completed"` // with a result, reused ones among them
	Reused    int   `json:"reused"`    // of those, the ones that had a result before the sweep began
	Failed    int   `json:"failed"`
	Canceled  int   `json:"canceled"`
	Steps     int64 `json:"steps"` // trained
}

// Progress answers QueryProgress.
type Progress struct {
	Summary
	Running []int `json:"running"` // indices of the cells of stages in training or evaluation, ascending
	Leads   []int `json:"leads"`   // the cell by which the stage of each of them is known
	Ending  bool  `json:"ending"`  // nothing more is begun: what is asked of it now would not be done
}

// Heartbeat is what TrainStage reports every few seconds: a hint for people. The
// truth about progress is the newest verifying checkpoint.
type Heartbeat struct {
	Cell            int     `json:"cell"`
	Run             string  `json:"run"`             // the cell's label
	Cells           int     `json:"cells,omitempty"` // that share the stage; 0 or 1 for a run of its own
	From            int64   `json:"from"`            // the step that the attempt began with
	Step            int64   `json:"step"`
	Steps           int64   `json:"steps"` // at the end of the stage
	Loss            float64 `json:"loss"`
	Dead            int     `json:"dead_latents"`
	TokensPerSecond float64 `json:"tokens_per_second"`
	StepsPerSecond  float64 `json:"steps_per_second"`
	Doing           string  `json:"doing,omitempty"` // what it does when it does not train
}

// Keys of the objects in a store.

// PlanKey is the key of a sweep's plan header.
func PlanKey(sweep string) string { return "sweeps/" + sweep + "/plan.json" }

// GridKey is the key of the grid.yaml that a sweep was planned from.
func GridKey(sweep string) string { return "sweeps/" + sweep + "/grid.yaml" }

// ExtensionKey is the key of the grid by which a sweep of so many cells was
// extended.
func ExtensionKey(sweep string, cells int) string {
	return fmt.Sprintf("sweeps/%s/extension-%06d.yaml", sweep, cells)
}

// ChunkKey is the key of one chunk of a sweep's cells.
func ChunkKey(sweep string, chunk int) string {
	return fmt.Sprintf("sweeps/%s/cells-%06d.json", sweep, chunk)
}

// TreesKey is the key of one piece of a sweep's trees.
func TreesKey(sweep string, chunk int) string {
	return fmt.Sprintf("sweeps/%s/trees-%06d.json", sweep, chunk)
}

// FailurePrefix is what the keys of a sweep's failure notes begin with.
func FailurePrefix(sweep string) string { return "sweeps/" + sweep + "/failures/" }

// FailureKey is the key of the note that a cell of a sweep failed.
func FailureKey(sweep, cell string) string { return FailurePrefix(sweep) + cell + ".json" }

// ReportKey is the key of a collected result file of a sweep.
func ReportKey(sweep, file string) string { return "sweeps/" + sweep + "/results/" + file }

// ResultKey is the key of a run's result.
func ResultKey(run string) string { return "results/" + run + ".json" }

// ModelKey is the key of a file of a run's exported model.
func ModelKey(run, file string) string { return "models/" + run + "/" + file }

// HeartbeatTimeout is how long a silent TrainStage is taken to be alive. Shorter
// finds a dead worker sooner; a machine that is loaded many times over its cores
// has been seen to hold a living one's heartbeats back for ten seconds.
const HeartbeatTimeout = 20 * time.Second

// RunID names a cell's run in the store. With reuse_results: false a sweep keeps
// its runs apart from those of all others.
func (h *PlanHeader) RunID(cell string) string {
	if h.Run.ReuseResults {
		return cell
	}
	return cell + h.suffix()
}

// Label names a cell for people, by the keys that vary: "k=16 dict_size=4096".
func (h *PlanHeader) Label(c Cell) string {
	parts := make([]string, 0, len(h.Axes))
	for i, key := range h.Axes {
		if i < len(c.Values) {
			parts = append(parts, key+"="+c.Values[i])
		}
	}
	if len(parts) == 0 {
		return h.Name
	}
	return strings.Join(parts, " ")
}
