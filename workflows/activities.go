package workflows

import (
	"strings"
	"time"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"github.com/topksweep/sweep/sweep/plan"
	"github.com/topksweep/sweep/sweep/protocol"
)

// One typed call for each activity: a call by name checks neither arguments nor
// result.

func prepare(ctx workflow.Context, in protocol.ChunkRef) (out []plan.Tree, err error) {
	err = workflow.ExecuteActivity(light(ctx, "plan"), protocol.ActivityPrepare, in).Get(ctx, &out)
	return out, err
}

func train(ctx workflow.Context, queue string, priority int, in protocol.StageRef, label string) (out protocol.Trained, err error) {
	err = workflow.ExecuteActivity(heavy(ctx, queue, priority, label), protocol.ActivityTrain, in).Get(ctx, &out)
	return out, err
}

// evaluate goes before training in the queue: a run in hand is finished before
// another is begun.
func evaluate(ctx workflow.Context, queue string, in protocol.CellRef, label string) error {
	return workflow.ExecuteActivity(heavy(ctx, queue, 1, label), protocol.ActivityEval, in).Get(ctx, nil)
}

func recordFailure(ctx workflow.Context, in protocol.FailInput, label string) error {
	return workflow.ExecuteActivity(light(ctx, label), protocol.ActivityFail, in).Get(ctx, nil)
}

func collect(ctx workflow.Context, id string) error {
	ctx = light(ctx, "results")
	return workflow.ExecuteActivity(ctx, protocol.ActivityCollect, id).Get(ctx, nil)
}

// maxSummary is the longest summary given to the Web UI, in bytes. A server
// refuses more than 400, and with it the workflow task.
const maxSummary = 200

// brief cuts a label to what a summary may hold.
func brief(label string) string {
	if len(label) <= maxSummary {
		return label
	}
	return strings.ToValidUTF8(label[:maxSummary-len("…")], "") + "…"
}

// retry goes on for as long as it takes: which errors are not worth another try
// is said by the activity (package activities, its table of errors).
func retry() *temporal.RetryPolicy {
	return &temporal.RetryPolicy{InitialInterval: time.Second, BackoffCoefficient: 2, MaximumInterval: time.Minute}
}

// light is for activities that only read and write the store.
func light(ctx workflow.Context, summary string) workflow.Context {
	return workflow.WithActivityOptions(ctx, workflow.ActivityOptions{
		TaskQueue: protocol.Queue, StartToCloseTimeout: 30 * time.Minute, HeartbeatTimeout: 3 * protocol.HeartbeatTimeout,
		RetryPolicy: retry(), Summary: brief(summary), WaitForCancellation: true,
		Priority: temporal.Priority{PriorityKey: 1},
	})
}

// heavy is for activities that take a training slot. A lost worker is noticed by
// the missing heartbeat; the other limit only has to be longer than any run.
func heavy(ctx workflow.Context, queue string, priority int, summary string) workflow.Context {
	return workflow.WithActivityOptions(ctx, workflow.ActivityOptions{
		TaskQueue: queue, StartToCloseTimeout: 90 * 24 * time.Hour, HeartbeatTimeout: protocol.HeartbeatTimeout,
		RetryPolicy: retry(), Summary: brief(summary), WaitForCancellation: true,
		Priority: temporal.Priority{PriorityKey: priority},
	})
}
