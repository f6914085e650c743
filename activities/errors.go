package activities

import (
	"context"
	"errors"
	"io/fs"
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

// errOtherPlan marks errors of a plan that does not fit what the workflow or this build asks of it. The worker may have
// another store, or another build. Such errors are ErrConfig too.
var errOtherPlan = errors.New("the plan is another one")

// errOtherData marks errors of data that cannot be opened here. They could be when the sweep was planned. So what is
// here is not what was planned on: an empty mount point, or a copy that is not whole.
var errOtherData = errors.New("the data here are not those of the plan")

// storeFailed is the type of the errors of a store that prove nothing.
const storeFailed = "StoreFailed"

// A fault says whose fault an error is, and so what happens next.
type fault int

const (
	ofCell    fault = iota // no worker can train it: final
	ofWorker               // another worker may be able to
	ofNobody               // it passes: tried again, here or elsewhere
	ofUnknown              // tried again a few times
)

func (f fault) String() string { return [...]string{"cell", "worker", "nobody", "unknown"}[f] }

// An errorKind describes errors of one kind, and says what Temporal is to do about an error.
type errorKind struct {
	matches func(error) bool
	name    string // the type that Temporal and its UI show
	of      fault
	after   time.Duration // before the next try; 0 = the activity's retry policy
	lacks   bool          // ofWorker: the device lacks something for this stage, and may have it for the next
	mends   bool          // ofWorker: never final, as it may pass for all workers at once, like a disk that hangs
}

// errorKinds tells errors apart by whose fault they are. The first kind that matches
// counts. What is ofCell is final. What is ofWorker is refused: another worker may be able
// to (refusals.go). What is ofNobody is tried again, for as long as it takes: a store that
// is down today must not cost a run.
//
// An error of no kind is the worker's before the attempt has its claim: what comes before
// is the same for all cells. After that it is not known whose fault it is.
//
// What is ofCell must be proved. ErrConfig comes of two reads that gave the same, and
// ErrLost of checkpoints that two reads proved to be damaged. storage.ErrCorrupt is
// ofNobody: a damaged plan can be stored again while its runs wait.
func errorKinds() []errorKind {
	const soon = time.Second
	return []errorKind{
		{matches: is(ErrStopping), name: "WorkerStopping", of: ofNobody, after: soon},
		{matches: is(ErrStuck), name: "Stuck", of: ofWorker, after: refuseFor, mends: true},
		// Somebody has paused the activity, in the Web UI or by a rule: no attempt begins until it is unpaused. Or it is
		// reset, and the next attempt is its first. A stage has saved its state in both cases.
		{matches: is(activity.ErrActivityPaused), name: "Paused", of: ofNobody},
		{matches: is(activity.ErrActivityReset), name: "Reset", of: ofNobody, after: soon},
		// An attempt that was replaced by a later one of the same activity reports to
		// nobody. So Temporal learns of a fence only if another sweep trains the same
		// cell. The next try looks whether that one is alive, before it claims anything.
		{matches: is(storage.ErrFenced), name: "Fenced", of: ofNobody, after: 5 * time.Second},
		{matches: is(ErrElsewhere), name: "HeldElsewhere", of: ofNobody, after: 5 * time.Second},
		// A suspected stage trains alone for some ten seconds. Meanwhile another worker may take the attempt.
		{matches: is(ErrSteppedAside), name: "SteppedAside", of: ofNobody, after: 5 * time.Second},
		{matches: is(ErrAloneHere), name: "AloneHere", of: ofNobody, after: 5 * time.Second},
		{matches: is(ErrDied), name: "Died", of: ofCell},
		{matches: is(errDiedHere), name: "DiedHere", of: ofWorker, after: refuseFor, lacks: true},
		// Before what is ofCell and has the same name: another store or build may have the plan, another machine the data.
		{matches: is(errOtherPlan), name: "BadConfig", of: ofWorker, after: refuseFor},
		{matches: is(ErrNoPlan), name: protocol.ErrTypeNoPlan, of: ofWorker, after: refuseFor},
		{matches: is(ErrConfig), name: "BadConfig", of: ofCell},
		{matches: is(ErrDataChanged), name: "DataChanged", of: ofWorker, after: refuseFor},
		{matches: is(data.ErrTouched), name: "DataTouched", of: ofNobody, after: soon},
		// Before BadData: where some shards cannot be read, the others count at the next try.
		{matches: as[*data.ReadError], name: "ReadFailed", of: ofNobody, after: 10 * time.Second},
		{matches: is(data.ErrMissing), name: "BadData", of: ofWorker, after: refuseFor},
		{matches: is(errOtherData), name: "BadData", of: ofWorker, after: refuseFor},
		{matches: is(data.ErrBad), name: "BadData", of: ofCell},
		{matches: as[*trainer.NumericError], name: "NotFinite", of: ofCell},
		{matches: is(trainer.ErrUnsupported), name: "Unsupported", of: ofWorker, after: refuseFor, lacks: true},
		{matches: is(trainer.ErrOtherClass), name: "OtherClass", of: ofWorker, after: refuseFor, lacks: true},
		{matches: is(trainer.ErrBroken), name: "DeviceBroken", of: ofUnknown, after: refuseFor},
		{matches: is(trainer.ErrMemory), name: "OutOfMemory", of: ofWorker, after: refuseFor, lacks: true},
		{matches: is(hostmem.ErrBusy), name: "MemoryBusy", of: ofNobody, after: 30 * time.Second},
		{matches: is(trainer.ErrBusy), name: "MemoryBusy", of: ofNobody, after: 30 * time.Second},
		{matches: is(ErrLost), name: protocol.ErrTypeLost, of: ofCell},
		{matches: is(storage.ErrNewerVersion), name: "NewerVersion", of: ofWorker, after: refuseFor},
		{matches: is(trainer.ErrFormat), name: "CheckpointFormat", of: ofWorker, after: refuseFor},
		{matches: is(storage.ErrNoSpace), name: "NoSpace", of: ofNobody, after: time.Minute},
		{matches: is(storage.ErrReadOnly), name: "ReadOnly", of: ofNobody, after: time.Minute},
		{matches: is(fs.ErrPermission), name: "NoPermission", of: ofWorker, after: refuseFor, mends: true},
		{matches: ofStore, name: storeFailed, of: ofNobody},
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

// ofStore matches the errors of a store. They prove nothing. One that only says that a context has ended is not the
// store's.
func ofStore(err error) bool { return as[*storage.OpError](err) && !errors.Is(err, context.Canceled) }

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

// outcome turns an activity's error into the one that Temporal is to act on, for an activity that no other worker can
// do better. See Activities.settle for the others.
func outcome(ctx context.Context, err error) error {
	if err == nil {
		return nil
	}
	switch k, why, ok := resolve(ctx, err); {
	case ok:
		return k.application(why)
	case isInterruption(ctx, err):
		return ctx.Err() // the activity was canceled: the SDK says so to the server
	}
	return err
}

// resolve returns the kind of an error, and the error: that which ended ctx where err only says that it has ended.
// ok is false for an error of no kind.
func resolve(ctx context.Context, err error) (k errorKind, why error, ok bool) {
	if k, ok = kindOf(err); ok || !isInterruption(ctx, err) {
		return k, err, ok
	}
	why = context.Cause(ctx)
	k, ok = kindOf(why)
	return k, why, ok
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
