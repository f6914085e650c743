package activities

import (
	"context"
	"errors"
	"strings"
	"time"

	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/temporal"

	"github.com/topksweep/sweep/activities/hostmem"
	"github.com/topksweep/sweep/storage"
	"github.com/topksweep/sweep/sweep/protocol"
	"github.com/topksweep/sweep/trainer"
	"github.com/topksweep/sweep/trainer/data"
)

// Errors that activities themselves meet.
var (
	// ErrConfig says that a stored plan asks for what cannot be trained.
	ErrConfig = errors.New("bad config")
	// ErrDataChanged says that the data is not what the sweep was planned on.
	ErrDataChanged = errors.New("the data has changed since the sweep was planned")
	// ErrNoPlan says that the worker's store does not hold a sweep's plan. Another
	// worker may use another store, which holds it.
	ErrNoPlan = errors.New("this worker's store does not hold the plan")
	// ErrStopping says that the worker is told to stop. It has saved the state of the
	// stage, and another worker goes on from there.
	ErrStopping = errors.New("the worker is stopping")
	// ErrLost says that the checkpoint of a run's last step is missing or damaged.
	// The run is to be trained again, from an earlier checkpoint.
	ErrLost = errors.New("the checkpoint of the last step is lost")
)

// A fault says whose fault an error is, and so what happens next.
type fault int

const (
	ofCell    fault = iota // no worker can train it: final
	ofWorker               // another worker may be able to
	ofNobody               // it passes: tried again, here or elsewhere
	ofUnknown              // tried again a few times
)

// An errorKind describes errors of one kind, and says what Temporal is to do about an error.
type errorKind struct {
	matches func(error) bool
	name    string // the type that Temporal and its UI show
	of      fault
	after   time.Duration // before the next try; 0 = the activity's retry policy
}

// errorKinds tells errors apart by whether another try can succeed. The first
// kind that matches counts. An error of no kind is tried again, at growing
// intervals, for as long as it takes: a store that is down today must not cost a
// run.
//
// What is final must be proved. ErrConfig and ErrNewerVersion come of two reads that gave
// the same, ErrLost of checkpoints that two reads proved to be damaged, and ErrFormat of
// data whose SHA-256 is right. storage.ErrCorrupt is of no kind: a damaged plan can be
// stored again while its runs wait.
func errorKinds() []errorKind {
	return []errorKind{
		{is(ErrStopping), "WorkerStopping", ofNobody, time.Second},
		{is(ErrStuck), "Stuck", ofWorker, 10 * time.Second},
		// Somebody has paused the activity, in the Web UI or by a rule: no attempt begins until it is unpaused. Or it is
		// reset, and the next attempt is its first. A stage has saved its state in both cases.
		{is(activity.ErrActivityPaused), "Paused", ofNobody, 0},
		{is(activity.ErrActivityReset), "Reset", ofNobody, time.Second},
		// An attempt that was replaced by a later one of the same activity reports to
		// nobody. So Temporal learns of a fence only if another sweep trains the same
		// cell. If that one has ended at the next try, its result is found.
		{is(storage.ErrFenced), "Fenced", ofNobody, 5 * time.Minute},
		{is(ErrConfig), "BadConfig", ofCell, 0},
		{is(ErrDataChanged), "DataChanged", ofCell, 0},
		{is(data.ErrTouched), "DataTouched", ofNobody, time.Second},
		// Before BadData: where some shards cannot be read, the others count at the next try.
		{as[*data.ReadError], "ReadFailed", ofNobody, 10 * time.Second},
		{is(data.ErrBad), "BadData", ofCell, 0},
		{as[*trainer.NumericError], "NotFinite", ofCell, 0},
		{is(trainer.ErrUnsupported), "Unsupported", ofCell, 0},
		{is(trainer.ErrMemory), "OutOfMemory", ofCell, 0},
		{is(hostmem.ErrBusy), "MemoryBusy", ofNobody, 30 * time.Second},
		{is(ErrLost), protocol.ErrTypeLost, ofCell, 0},
		{is(storage.ErrNewerVersion), "NewerVersion", ofCell, 0},
		{is(trainer.ErrFormat), "CheckpointFormat", ofCell, 0},
		{is(storage.ErrNoSpace), "NoSpace", ofNobody, time.Minute},
		{is(storage.ErrReadOnly), "ReadOnly", ofNobody, time.Minute},
	}
}

// is matches the errors that wrap target.
func is(target error) func(error) bool {
	return func(err error) bool { return errors.Is(err, target) }
}

// as matches the errors that wrap one of type T.
func as[T error](err error) bool {
	var t T
	return errors.As(err, &t)
}

// maxMessage bounds in bytes the messages that go into a history: the error of a
// data set lists each of its shards.
const maxMessage = 4 << 10

// brief leaves out the middle of a message that is longer than maxMessage: what went
// wrong is at its beginning, and the cause at its end.
func brief(message string) string {
	if len(message) <= maxMessage {
		return message
	}
	head, tail := message[:maxMessage/2], message[len(message)-maxMessage/2:]
	return strings.ToValidUTF8(head, "") + " … " + strings.ToValidUTF8(tail, "")
}

// outcome turns an activity's error into the one that Temporal is to act on.
func outcome(ctx context.Context, err error) error {
	if err == nil {
		return nil
	}
	if k, ok := kindOf(err); ok {
		return k.application(err)
	}
	if !isInterruption(ctx, err) {
		return err
	}
	why := context.Cause(ctx)
	if k, ok := kindOf(why); ok {
		return k.application(why)
	}
	return ctx.Err() // the activity was canceled: the SDK says so to the server
}

// kindOf returns the kind of an error, and whether it has one.
func kindOf(err error) (errorKind, bool) {
	for _, k := range errorKinds() {
		if k.matches(err) {
			return k, true
		}
	}
	return errorKind{}, false
}

// application returns an error of the kind as Temporal knows it. Where somebody has asked for the end of the attempt,
// the SDK's log does not name it an error.
func (k errorKind) application(err error) error {
	o := temporal.ApplicationErrorOptions{NonRetryable: k.of == ofCell, NextRetryDelay: k.after}
	if errors.Is(err, activity.ErrActivityPaused) || errors.Is(err, activity.ErrActivityReset) {
		o.Category = temporal.ApplicationErrorCategoryBenign
	}
	return temporal.NewApplicationErrorWithOptions(brief(err.Error()), k.name, o)
}
