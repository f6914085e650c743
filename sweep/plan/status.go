package plan

// A Status says where a run of a plan stands, or a whole sweep. There is one word for each state, in tables, files, the
// Web UI and queries.
type Status string

const (
	Pending    Status = "pending"    // not begun
	Waiting    Status = "waiting"    // for a worker that takes it
	Training   Status = "training"   // of a sweep: it has runs in training, evaluation or waiting
	Evaluating Status = "evaluating" // of a run only
	Completed  Status = "completed"
	Failed     Status = "failed"
	Canceled   Status = "canceled"
	Paused     Status = "paused"  // nothing starts until the sweep is resumed
	Idle       Status = "idle"    // of a sweep only: it has runs without results, and no server runs it
	Unknown    Status = "unknown" // of a sweep only: the server that may run it does not answer
)

// SweepCanceled is why a run has no result whose sweep was canceled as a whole.
const SweepCanceled = "the sweep was canceled"
