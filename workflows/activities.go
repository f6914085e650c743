package workflows

import (
	"strings"
	"time"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"github.com/topksweep/sweep/sweep/plan"
	"github.com/topksweep/sweep/sweep/protocol"
)

// There is one typed function for each activity, because Temporal checks neither the arguments nor the result of a call
// by name. summary and label are what the Web UI shows.

func callPrepare(ctx workflow.Context, in protocol.ChunkRef) (out []plan.Tree, err error) {
	err = workflow.ExecuteActivity(withStoreOptions(ctx, "plan"), protocol.ActivityPrepare, in).Get(ctx, &out)
	return out, err
}

func callTrainStage(
	ctx workflow.Context, queue string, priority int, in protocol.StageRef, label string,
) (out protocol.Trained, err error) {
	ctx = withSlotOptions(ctx, queue, priority, label)
	err = workflow.ExecuteActivity(ctx, protocol.ActivityTrain, in).Get(ctx, &out)
	return out, err
}

// callEvaluate has the highest priority in the queue: a run is completed before another one starts.
func callEvaluate(ctx workflow.Context, queue string, in protocol.CellRef, label string) error {
	ctx = withSlotOptions(ctx, queue, 1, label)
	return workflow.ExecuteActivity(ctx, protocol.ActivityEval, in).Get(ctx, nil)
}

func callRecordFailure(ctx workflow.Context, in protocol.FailInput, label string) error {
	return workflow.ExecuteActivity(withStoreOptions(ctx, label), protocol.ActivityFail, in).Get(ctx, nil)
}

func callCollect(ctx workflow.Context, sweep string) error {
	return workflow.ExecuteActivity(withStoreOptions(ctx, "results"), protocol.ActivityCollect, sweep).Get(ctx, nil)
}

// maxSummary is the length of the longest summary for the Web UI, in bytes. A server refuses a summary of more than 400
// bytes, and with it the whole workflow task.
const maxSummary = 200

// shorten cuts a label to maxSummary bytes.
func shorten(label string) string {
	if len(label) <= maxSummary {
		return label
	}
	return strings.ToValidUTF8(label[:maxSummary-len("…")], "") + "…"
}

// retryPolicy retries without a limit. The activity decides which errors are final; package activities has a table of
// errors.
func retryPolicy() *temporal.RetryPolicy {
	return &temporal.RetryPolicy{InitialInterval: time.Second, BackoffCoefficient: 2, MaximumInterval: time.Minute}
}

// withStoreOptions is for activities that only read and write the store.
func withStoreOptions(ctx workflow.Context, summary string) workflow.Context {
	return workflow.WithActivityOptions(ctx, workflow.ActivityOptions{
		TaskQueue:           protocol.Queue,
		StartToCloseTimeout: 30 * time.Minute,
		HeartbeatTimeout:    3 * protocol.HeartbeatTimeout,
		RetryPolicy:         retryPolicy(),
		Summary:             shorten(summary),
		WaitForCancellation: true,
		Priority:            temporal.Priority{PriorityKey: 1},
	})
}

// withSlotOptions is for activities that take a training slot. A missing heartbeat shows that a worker is lost; the
// other timeout only has to be longer than any run.
func withSlotOptions(ctx workflow.Context, queue string, priority int, summary string) workflow.Context {
	return workflow.WithActivityOptions(ctx, workflow.ActivityOptions{
		TaskQueue:           queue,
		StartToCloseTimeout: 90 * 24 * time.Hour,
		HeartbeatTimeout:    protocol.HeartbeatTimeout,
		RetryPolicy:         retryPolicy(),
		Summary:             shorten(summary),
		WaitForCancellation: true,
		Priority:            temporal.Priority{PriorityKey: priority},
	})
}
