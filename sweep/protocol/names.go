package protocol

import "time"

// Names of the workflow, its query and updates, and the activities.
const (
	WorkflowSweep   = "SweepWorkflow"
	QueryProgress   = "progress"      // → Progress
	UpdateExtend    = "extend"        // Extension → Steered
	UpdateRetry     = "retry"         // Selection → Steered
	UpdatePause     = "pause"         // → Steered
	UpdateResume    = "resume"        // → Steered
	UpdateSet       = "set"           // Settings → Steered
	UpdateCancel    = "cancel"        // Selection → Steered
	UpdatePriority  = "priority"      // Priority → Steered
	ActivityPrepare = "Prepare"       // ChunkRef → []plan.Tree
	ActivityTrain   = "TrainStage"    // StageRef → Trained
	ActivityEval    = "Evaluate"      // CellRef → Evaluated
	ActivityRuns    = "TrainRuns"     // RunsRef → Ran
	ActivityFail    = "RecordFailure" // FailInput → []int
	ActivityCollect = "Collect"       // the sweep's ID, and whether it is canceled
	ActivityLook    = "Look"          // LookInput → Live
)

// Queue is the task queue of workflows and of the activities that need no
// training device.
const Queue = "sweep"

// TrainQueue is the task queue of the activities that train on a backend. There is one
// queue per backend, so that a run never moves from a CPU to a GPU. Workers of several
// classes may share a queue, such as CPUs with AVX2 and with AVX-512, whose last bits
// differ. A worker refuses a stage that goes on from a checkpoint of a class that it does
// not have, unless StageRef.MixClasses is set, and another worker takes it.
func TrainQueue(backend string) string { return Queue + "-" + backend }

// Types of errors between activities, the workflow and whoever waits for it.
const (
	// ErrTypeLost: Evaluate found no checkpoint of the run's last step that
	// verifies. The run is to be trained again, from the checkpoint before.
	ErrTypeLost = "CheckpointLost"

	// ErrTypeNoPlan: no worker has the sweep's plan in its store.
	ErrTypeNoPlan = "NoPlan"

	// ErrTypeFailed: the sweep has ended and some of its runs failed. It is then
	// Failed in Temporal; submitting its grid again trains what has no result.
	ErrTypeFailed = "RunsFailed"

	// ErrTypeEnding: an update is refused because the sweep is ending. Once it has, it
	// can be started again.
	ErrTypeEnding = "SweepEnding"
)

// HeartbeatTimeout is how long TrainStage may send no heartbeat before its worker
// counts as dead. A shorter time finds a dead worker sooner. But a living worker was
// seen to send none for ten seconds, on a machine with many more busy processes than
// cores.
const HeartbeatTimeout = 20 * time.Second

// Bounds of TrainRuns. It gets as many runs as are forecast to take RunsFor, and begins no more after RunsMost. With
// longer ones a sweep would have fewer events, and its last runs would wait longer behind others while slots are idle.
const (
	RunsFor  = 30 * time.Second
	RunsMost = 2 * RunsFor
)
