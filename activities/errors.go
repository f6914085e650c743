package activities

import (
	"context"
	"errors"
	"strings"
	"time"

	"go.temporal.io/sdk/temporal"

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
	// ErrNoPlan says that the worker's store does not hold a sweep's plan. The store
	// of another worker may.
	ErrNoPlan = errors.New("this worker's store does not hold the plan")
	// ErrStopping says that the worker is told to stop: it has saved the stage
	// and hands it back.
	ErrStopping = errors.New("the worker is stopping")
	// ErrLost says that the checkpoint of a run's last step is not there or not
	// whole: the run is to be trained again, from the checkpoint before.
	ErrLost = errors.New("the checkpoint of the last step is lost")
)

// table tells errors apart by what another try would give. The first row that
// matches counts; an error that is not here is tried again, at growing intervals,
// for as long as it takes: a store that is down today must not cost a run.
var table = []struct {
	is    func(error) bool
	name  string // the type that Temporal and its UI show
	retry bool
	after time.Duration // before the next try; 0 = the activity's retry policy
}{
	{is(ErrStopping), "WorkerStopping", true, time.Second},
	// A fence that Temporal hears of is one of another sweep that trains the same
	// cell at the same time: let it finish, and find its result.
	{is(storage.ErrFenced), "Fenced", true, 5 * time.Minute},
	{is(ErrConfig), "BadConfig", false, 0},
	{is(ErrDataChanged), "DataChanged", false, 0},
	{is(data.ErrBad), "BadData", false, 0},
	{as[*trainer.NumericError], "NotFinite", false, 0},
	{is(trainer.ErrUnsupported), "Unsupported", false, 0},
	{is(trainer.ErrMemory), "OutOfMemory", false, 0},
	{is(errBusy), "MemoryBusy", true, 30 * time.Second},
	{is(ErrLost), protocol.ErrTypeLost, false, 0},
	{is(storage.ErrNewerVersion), "NewerVersion", false, 0},
	{is(trainer.ErrFormat), "CheckpointFormat", false, 0},
	{is(storage.ErrNoSpace), "NoSpace", true, time.Minute},
}

func is(target error) func(error) bool {
	return func(err error) bool { return errors.Is(err, target) }
}

func as[T error](err error) bool {
	var t T
	return errors.As(err, &t)
}

// maxMessage bounds the messages that go into a history: the error of a data set
// lists each of its shards.
const maxMessage = 4 << 10

func brief(message string) string {
	if len(message) <= maxMessage {
		return message
	}
	return strings.ToValidUTF8(message[:maxMessage], "") + "…"
}

// outcome turns an activity's error into the one that Temporal is to act on.
func outcome(ctx context.Context, err error) error {
	if err == nil {
		return nil
	}
	for _, row := range table {
		if row.is(err) {
			return temporal.NewApplicationErrorWithOptions(brief(err.Error()), row.name, temporal.ApplicationErrorOptions{
				NonRetryable: !row.retry, NextRetryDelay: row.after,
			})
		}
	}
	if ctx.Err() != nil && errors.Is(err, context.Canceled) {
		return ctx.Err() // the activity was canceled: the SDK says so to the server
	}
	return err
}
