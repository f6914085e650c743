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
// by name. The Web UI shows the summary of an activity that is done, and the ID of one that is pending.

func callPrepare(ctx workflow.Context, ids *activityIDs, in protocol.ChunkRef) (out []plan.Tree, err error) {
	ctx = withStoreOptions(ctx, ids.ofChunk(in.Chunk), "plan")
	err = workflow.ExecuteActivity(ctx, protocol.ActivityPrepare, in).Get(ctx, &out)
	return out, err
}

func callTrainStage(
	ctx workflow.Context, at slot, id string, in protocol.StageRef,
) (out protocol.Trained, err error) {
	ctx = withSlotOptions(ctx, id, at)
	if err = workflow.ExecuteActivity(ctx, protocol.ActivityTrain, in).Get(ctx, &out); err == nil {
		checkTrained(in, out)
	}
	return out, err
}

func callEvaluate(ctx workflow.Context, at slot, id string, in protocol.CellRef) (out plan.Brief, err error) {
	ctx = withSlotOptions(ctx, id, at)
	var got protocol.Evaluated
	if err = workflow.ExecuteActivity(ctx, protocol.ActivityEval, in).Get(ctx, &got); err == nil {
		checkEvaluated(in, got.Of)
	}
	return got.Brief, err
}

// callTrainRuns trains several runs, once: those that come out without a result are trained one by one.
func callTrainRuns(ctx workflow.Context, at slot, id string, in protocol.RunsRef) (out protocol.Ran, err error) {
	ctx = withSlotOptions(ctx, id, at)
	ctx = workflow.WithRetryPolicy(ctx, temporal.RetryPolicy{MaximumAttempts: 1})
	if err = workflow.ExecuteActivity(ctx, protocol.ActivityRuns, in).Get(ctx, &out); err == nil {
		checkRan(in, out)
	}
	return out, err
}

func callRecordFailure(
	ctx workflow.Context, ids *activityIDs, in protocol.FailInput, label string,
) (noted []int, err error) {
	ctx = withStoreOptions(ctx, ids.of("record "+string(in.Status)), label)
	if err = workflow.ExecuteActivity(ctx, protocol.ActivityFail, in).Get(ctx, &noted); err == nil {
		checkNoted(in, noted)
	}
	return noted, err
}

func callCollect(ctx workflow.Context, ids *activityIDs, sweep string, canceled bool) error {
	ctx = withStoreOptions(ctx, ids.of("collect"), "results")
	return workflow.ExecuteActivity(ctx, protocol.ActivityCollect, sweep, canceled).Get(ctx, nil)
}

// lookTimeout is how long the server may take to tell what the workers do. Nothing depends on the answer, so that the
// workflow does without one that does not come.
const lookTimeout = 20 * time.Second

func callLook(ctx workflow.Context, ids *activityIDs, in protocol.LookInput) (out protocol.Live, err error) {
	ctx = workflow.WithActivityOptions(ctx, workflow.ActivityOptions{
		ActivityID:             ids.of("look"),
		TaskQueue:              protocol.Queue,
		ScheduleToCloseTimeout: lookTimeout,
		RetryPolicy:            &temporal.RetryPolicy{MaximumAttempts: 1},
		Summary:                "what the workers do",
		Priority:               temporal.Priority{PriorityKey: keyShort},
	})
	err = workflow.ExecuteActivity(ctx, protocol.ActivityLook, in).Get(ctx, &out)
	return out, err
}

// maxSummary is the length of the longest summary for the Web UI, in bytes. A server refuses a summary of more than 400
// bytes, and with it the whole workflow task.
const maxSummary = 200

// shorten cuts a text to a number of bytes.
func shorten(text string, most int) string {
	if len(text) <= most {
		return text
	}
	return strings.ToValidUTF8(text[:most-len("…")], "") + "…"
}

// retryPolicy retries without a limit. The activity decides which errors are final; package activities has a table of
// errors.
func retryPolicy() *temporal.RetryPolicy {
	return &temporal.RetryPolicy{InitialInterval: time.Second, BackoffCoefficient: 2, MaximumInterval: time.Minute}
}

// storeTimeout only has to be longer than any of these activities: the store may be slow, and a sweep large. What
// hangs is ended by the watch of package activities, and a worker that is gone by its heartbeat.
const storeTimeout = 24 * time.Hour

// withStoreOptions is for activities that only read and write the store.
func withStoreOptions(ctx workflow.Context, id, summary string) workflow.Context {
	return workflow.WithActivityOptions(ctx, workflow.ActivityOptions{
		ActivityID:          id,
		TaskQueue:           protocol.Queue,
		StartToCloseTimeout: storeTimeout,
		HeartbeatTimeout:    3 * protocol.HeartbeatTimeout,
		RetryPolicy:         retryPolicy(),
		Summary:             shorten(summary, maxSummary),
		WaitForCancellation: true,
		Priority:            temporal.Priority{PriorityKey: keyShort},
	})
}

// withSlotOptions is for activities that take a training slot. A missing heartbeat shows that a worker is lost; the
// other timeout only has to be longer than any run.
func withSlotOptions(ctx workflow.Context, id string, at slot) workflow.Context {
	return workflow.WithActivityOptions(ctx, workflow.ActivityOptions{
		ActivityID:          id,
		TaskQueue:           at.queue,
		StartToCloseTimeout: 90 * 24 * time.Hour,
		HeartbeatTimeout:    protocol.HeartbeatTimeout,
		RetryPolicy:         retryPolicy(),
		Summary:             shorten(at.summary, maxSummary),
		WaitForCancellation: true,
		Priority:            at.priority,
	})
}
