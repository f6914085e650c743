package observe

import (
	"cmp"
	"math"
	"slices"
	"time"

	"go.temporal.io/api/enums/v1"
	"go.temporal.io/api/workflow/v1"
	"go.temporal.io/sdk/converter"

	"github.com/topksweep/sweep/sweep/plan"
	"github.com/topksweep/sweep/sweep/protocol"
)

// An Activity is an activity of a sweep that has not ended.
type Activity struct {
	Type string // such as protocol.ActivityTrain
	protocol.LiveStage

	From     int64               // the step at which its stage begins; 0 if its ID does not say that
	Beat     *protocol.Heartbeat // the newest, maybe of the attempt before; nil for none
	Said     time.Time           // when its worker was last heard of, by the server's clock; zero if it has none
	Fresh    bool                // Beat is of this attempt
	Started  bool                // a worker has it
	Stopping bool                // a worker has it, and was or will be told to stop
	Cause    string              // why the attempt before failed, whole; "" if its worker only stopped

	identity string // of the worker that has it, whole
}

// IsStage reports whether the activity takes a training slot.
func (a Activity) IsStage() bool {
	return a.Type == protocol.ActivityTrain || a.Type == protocol.ActivityEval
}

// Causes of a new attempt that no message of the server says in words for people.
const (
	workerGone  = "its worker is gone"
	errStopping = "WorkerStopping" // type of the error of an attempt that saved its state because its worker stopped
	errPaused   = "Paused"         // because somebody paused the activity
	errReset    = "Reset"          // because somebody reset it
)

// isInterruption says that an attempt ended with an error of this type because it was told to, and saved its state.
func isInterruption(errorType string) bool {
	return errorType == errStopping || errorType == errPaused || errorType == errReset
}

// newActivity reads what the server tells of an activity. The worker may be of another version: what it says is not
// trusted to be sound.
func newActivity(p *workflow.PendingActivityInfo) Activity {
	a := Activity{Type: p.GetActivityType().GetName()}
	state := p.GetState()
	a.Stopping = state == enums.PENDING_ACTIVITY_STATE_CANCEL_REQUESTED ||
		state == enums.PENDING_ACTIVITY_STATE_PAUSE_REQUESTED
	a.Started = a.Stopping || state == enums.PENDING_ACTIVITY_STATE_STARTED
	a.State = plan.Waiting
	switch {
	case p.GetPaused():
		a.State = plan.Paused
	case a.Started && a.Type == protocol.ActivityEval:
		a.State = plan.Evaluating
	case a.Started:
		a.State = plan.Training
	}
	a.ID = p.GetActivityId()
	a.nameCells(p)
	a.setProgress(p)
	a.setAttempt(p)
	return a
}

// nameCells sets which cells the activity is about: as its heartbeat says, or its ID.
func (a *Activity) nameCells(p *workflow.PendingActivityInfo) {
	id, ok := parseActivityID(p.GetActivityId())
	if !ok {
		id.cell = -1
	}
	a.Cell, a.Cells, a.Label, a.Step, a.Steps = id.cell, id.cells, short(id.label, maxLabel), id.from, id.to
	a.From = id.from
	var beat protocol.Heartbeat
	if p.GetHeartbeatDetails() == nil ||
		converter.GetDefaultDataConverter().FromPayloads(p.GetHeartbeatDetails(), &beat) != nil ||
		beat.Steps <= 0 || beat.Cell < 0 {
		return
	}
	a.Beat = &beat
	a.Cell, a.Cells, a.Steps = beat.Cell, beat.Cells, beat.Steps
	if beat.Run != "" {
		a.Label = short(beat.Run, maxLabel)
	}
}

// setProgress sets how far the activity is.
func (a *Activity) setProgress(p *workflow.PendingActivityInfo) {
	b := a.Beat
	if b == nil {
		return
	}
	a.Step, a.Loss, a.Dead = b.Step, finite(b.Loss), b.Dead
	a.Saved, a.SavedStep = b.Saved.UTC(), b.At
	// A heartbeat outlives its attempt: what is true of that one only is not told of the next.
	began, said := timeOf(p.GetLastStartedTime()), timeOf(p.GetLastHeartbeatTime())
	if a.Fresh = a.Started && !said.Before(began); !a.Fresh {
		return
	}
	a.StepsPerSecond, a.Doing, a.Device = finite(b.StepsPerSecond), short(b.Doing, maxLabel), short(b.Device, maxLabel)
	a.Class = short(b.Class, maxLabel)
}

// setAttempt sets who has the activity, since when, and why the attempt before failed.
func (a *Activity) setAttempt(p *workflow.PendingActivityInfo) {
	a.Attempt = int(p.GetAttempt())
	if a.Started {
		a.identity = p.GetLastWorkerIdentity()
		a.Worker = short(a.identity, maxLabel)
		a.Host = short(hostOf(a.identity), maxLabel)
		a.Since = timeOf(p.GetLastStartedTime())
		a.Said = a.Since
		if said := timeOf(p.GetLastHeartbeatTime()); said.After(a.Said) {
			a.Said = said
		}
	} else {
		// The time of a later attempt's schedule may be yet to come: the wait began when the attempt before ended.
		a.Since = timeOf(cmp.Or(p.GetLastAttemptCompleteTime(), p.GetScheduledTime()))
	}
	f := p.GetLastFailure()
	converter.DecodeCommonFailureAttributes(converter.GetDefaultDataConverter(), f) // of a sweep with encrypted payloads
	if f == nil || a.Attempt <= 1 || isInterruption(f.GetApplicationFailureInfo().GetType()) {
		return
	}
	a.Cause = oneLine(f.GetMessage())
	if f.GetTimeoutFailureInfo().GetTimeoutType() == enums.TIMEOUT_TYPE_HEARTBEAT {
		a.Cause = workerGone
	}
	a.Error = shortCause(a.Cause)
}

// sortActivities orders activities for people: those that a worker has, the longest-running first; then those that
// wait, then those that are paused.
func sortActivities(list []Activity) {
	rank := func(a Activity) int {
		switch {
		case a.Started:
			return 0
		case a.State == plan.Paused:
			return 2
		}
		return 1
	}
	slices.SortStableFunc(list, func(a, b Activity) int {
		return cmp.Or(cmp.Compare(rank(a), rank(b)), a.Since.Compare(b.Since), cmp.Compare(a.Cell, b.Cell))
	})
}

// timeOf reads a timestamp of protobuf; for none it returns the zero time.
func timeOf(t interface {
	IsValid() bool
	AsTime() time.Time
}) time.Time {
	if !t.IsValid() {
		return time.Time{}
	}
	return t.AsTime()
}

// finite returns 0 in place of what JSON has no number for.
func finite(x float64) float64 {
	if math.IsNaN(x) || math.IsInf(x, 0) {
		return 0
	}
	return x
}
