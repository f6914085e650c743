package protocol

import (
	"time"

	"github.com/topksweep/sweep/sweep/plan"
)

// SweepInput starts a SweepWorkflow.
type SweepInput struct {
	Sweep         string // the plan's ID, which is the workflow's too
	plan.Size            // of the stored plan
	TrainQueue    string
	MaxConcurrent int           // stages in flight at a time
	FailureLimit  int           // when so many runs failed, stop what is in flight and end; 0 = no limit
	Resume        *Continuation // set when the workflow continues as new

	Owner      string   `json:",omitempty"` // who submitted the sweep
	Priority   Priority `json:",omitempty"` // "" is PriorityNormal
	Attributes []string `json:",omitempty"` // search attributes that the namespace has, of those in attributes.go
	Store      string   `json:",omitempty"` // where the results lie, for people

	// MixClasses lets a run go on on hardware of another class than it began on (trainer.Hardware.Class).
	MixClasses bool `json:",omitempty"`

	// Encrypted says that the server is not to read what payloads hold: IDs of activities then name no settings.
	Encrypted bool `json:",omitempty"`

	// AutoConcurrent says that as many stages are in flight as the workers' slots need. MaxConcurrent is what that comes
	// to while the slots are not known, and for workers of earlier versions.
	AutoConcurrent bool `json:",omitempty"`
}

// A Continuation is what a SweepWorkflow passes on when it continues as new.
type Continuation struct {
	Next       int // number of the first tree never started
	Summary    Summary
	Unfinished []UnfinishedTree `json:"Again,omitempty"` // trees below Next that are started and not done, ascending
	Retry      bool             `json:",omitempty"`      // go through all trees once more when these are done
	Pass       int              `json:",omitempty"`      // how often it went through all trees before

	Paused     bool       `json:",omitempty"`
	Canceled   []int      `json:",omitempty"` // cells that were canceled before their tree began, ascending
	Lost       []LostTree `json:",omitempty"` // with cells that failed or were canceled, ascending by tree
	Failures   []Failure  `json:",omitempty"` // some of them, with the reason
	Seen       []SeenCell `json:",omitempty"` // cells that have their results, those with the least nmse
	Extensions []string   `json:",omitempty"` // grids by which the sweep was extended, for people

	Told   time.Time `json:",omitzero"`  // when people were last told that runs failed
	Untold int       `json:",omitempty"` // runs that failed since
}

// An UnfinishedTree names a tree and its cells that have neither result nor
// failure yet.
type UnfinishedTree struct {
	Tree  int
	Cells []int
}

// A LostTree names a tree and its cells that have no result and are not trained, unless UpdateRetry asks for it.
type LostTree struct {
	Tree     int
	Failed   []int `json:",omitempty"`
	Canceled []int `json:",omitempty"` // by UpdateCancel
}

// CellRef names one cell of a stored plan.
type CellRef struct {
	Sweep string
	Cell  int

	MixClasses bool `json:",omitempty"` // as in SweepInput
}

// StageRef names a stage by one of the cells that pass through it, its level and
// its span of steps.
type StageRef struct {
	CellRef
	Level plan.Level
	From  int // where it begins in its tree
	To    int
	Cells int // that pass through it

	// Evaluate says that the run is evaluated and recorded too, if the stage trains one run to its end.
	Evaluate bool `json:",omitempty"`
}

// Trained says how far a stage was trained.
type Trained struct {
	// Reached is the number of steps that are done: To, or less if a latent is dead in the step of this number (steps
	// count from 0). That step is not kept: the stages that follow train it, each with its own AuxK.
	Reached int
	Steps   int // trained for this sweep in the stage; 0 if its last checkpoint was in the store

	// Loss is the training loss of the last step that was trained; 0 if none was.
	Loss float64 `json:",omitempty"`

	// Of is the stage that this is the outcome of, so that the workflow sees if it takes it for another's. Workers of
	// earlier versions leave it out.
	Of *StageRef `json:",omitempty"`

	// Brief is set if the run was evaluated too, and has its result. Workers of earlier versions leave it out, and so
	// does an attempt that had nothing to train: Evaluate follows then.
	Brief   *plan.Brief `json:",omitempty"`
	Seconds float64     `json:",omitempty"` // that the attempt took for the run, if it evaluated it
}

// RunsRef names runs of which each is a tree of its own. They are trained, evaluated and recorded one after the other.
type RunsRef struct {
	Sweep string
	Cells []int // in the order in which they are trained

	MixClasses bool `json:",omitempty"` // as in SweepInput
}

// Ran is the outcome of TrainRuns. Runs that it does not name are to be trained again, like those of a TrainRuns that
// failed: nothing is said of why they have no result.
type Ran struct {
	Runs    []RanRun // that have their results, in the order of RunsRef.Cells
	Alone   []int    `json:",omitempty"` // cells that TrainRuns cannot train, whatever the reason: TrainStage is to
	Seconds float64  // that the attempt took
}

// RanRun is a run that has its result.
type RanRun struct {
	Cell  int
	Steps int         // trained; 0 if the result was in the store
	Brief *plan.Brief `json:",omitempty"` // of some: those with the least nmse
}

// Evaluated is what Evaluate returns.
type Evaluated struct {
	plan.Brief
	Of *CellRef `json:"of,omitempty"` // as in Trained
}

// ChunkRef names one chunk of a stored plan's trees.
type ChunkRef struct {
	Sweep string
	Chunk int
}

// FailInput records why runs have no result.
type FailInput struct {
	Sweep  string
	Cells  []int
	Status plan.Status // Failed, Canceled, or Pending for none
	Error  string

	// UnlessDone leaves out cells that have a result. RecordFailure returns those that it has not left out.
	UnlessDone bool `json:",omitempty"`

	News *News `json:",omitempty"` // nil if people are to be told nothing
}

// News is what people are told by a webhook while a sweep goes on: runs have failed for good. The workflow alone knows
// when it is time for that, however many workers there are.
type News struct {
	Summary
	Failures []Failure `json:"failures"`       // the newest of those that nobody was told of
	Best     *SeenCell `json:"best,omitempty"` // with the least nmse; nil if none is known
}

// Summary counts what a sweep has done.
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
	Running    []int `json:"running"` // cells of the stages in training or evaluation, ascending
	FirstCells []int `json:"leads"`   // for each of Running, the first cell of its stage: heartbeats name that one
	Ending     bool  `json:"ending"`  // nothing more is started: an update now would come too late

	State         plan.Status `json:"state,omitempty"` // of the sweep
	MaxConcurrent int         `json:"max_concurrent,omitempty"`
	Priority      Priority    `json:"priority,omitempty"`
	MixClasses    bool        `json:"mix_classes,omitempty"` // as in SweepInput
	Seen          []SeenCell  `json:"cells_done,omitempty"`  // cells that have their results, those with the least nmse
	Failures      []Failure   `json:"failures,omitempty"`    // some of those that failed
	Live          *Live       `json:"live,omitempty"`        // what the workflow saw last of the stages in flight

	// Auto says that max_concurrent is auto. MaxConcurrent is the number of the workers' slots then, where it is known.
	Auto bool `json:"auto_concurrent,omitempty"`
}

// Heartbeat is what TrainStage and Evaluate report every second; the SDK sends about
// every other one. It is a hint for people. The truth about progress is the newest verifying checkpoint.
type Heartbeat struct {
	Cell            int     `json:"cell"`            // the first of the stage's cells
	Run             string  `json:"run"`             // that cell's label
	Cells           int     `json:"cells,omitempty"` // that share the stage; 0 or 1 for a run of its own
	From            int64   `json:"from"`            // the step that the attempt began with
	Step            int64   `json:"step"`
	Steps           int64   `json:"steps"` // at the end of the stage
	Loss            float64 `json:"loss"`
	Dead            int     `json:"dead_latents"`
	TokensPerSecond float64 `json:"tokens_per_second"`
	StepsPerSecond  float64 `json:"steps_per_second"`
	Doing           string  `json:"doing,omitempty"` // what it does when it does not train

	Device string    `json:"device,omitempty"`          // that it trains on, as results name it
	Class  string    `json:"class,omitempty"`           // of that device
	Saved  time.Time `json:"checkpoint_at,omitzero"`    // when the newest checkpoint of the run was stored
	At     int64     `json:"checkpoint_step,omitempty"` // the step of that checkpoint

	// Refusals are those of earlier attempts of the activity, by workers at which it was their fault that the attempt
	// failed. Each attempt passes them on. One worker has one: its latest.
	Refusals []Refusal `json:"refusals,omitempty"`
}

// A Refusal says why a worker could not do an activity that another worker may be able to do.
type Refusal struct {
	Worker string    `json:"worker"` // as it names itself
	Why    string    `json:"why"`    // one line
	Since  time.Time `json:"since"`  // when the worker first refused the activity
}
