//go:build !noserver

package activities

import (
	"context"
	"fmt"
	"log/slog"
	"sync/atomic"
	"testing"
	"time"

	"go.temporal.io/api/common/v1"
	"go.temporal.io/api/enums/v1"
	workflowpb "go.temporal.io/api/workflow/v1"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/interceptor"
	sdklog "go.temporal.io/sdk/log"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"

	"github.com/topksweep/sweep/deploy/local"
	"github.com/topksweep/sweep/storage"
	"github.com/topksweep/sweep/sweep/protocol"
)

// startServer starts a real server and returns a client to it.
func startServer(t *testing.T) client.Client {
	t.Helper()
	return startServerLogging(t, slog.DiscardHandler)
}

// startServerLogging is startServer with a handler of what the SDK logs.
func startServerLogging(t *testing.T, h slog.Handler) client.Client {
	t.Helper()
	s, err := local.Start(t.Context(), local.Options{Dir: t.TempDir(), GRPCPort: -1, UIPort: -1})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Stop(); err != nil {
			t.Error(err)
		}
	})
	log := sdklog.NewStructuredLogger(slog.New(h))
	c, err := client.DialContext(t.Context(), client.Options{
		HostPort: s.HostPort, Logger: log, ConnectionOptions: client.ConnectionOptions{TLS: s.TLS},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

// IDs of the activities of trainAndEvaluate.
const (
	trainID    = "train"
	evaluateID = "evaluate"
)

// trainAndEvaluate is a workflow that trains a stage and evaluates its cell.
func trainAndEvaluate(ctx workflow.Context, ref protocol.StageRef) error {
	options := workflow.ActivityOptions{
		ActivityID: trainID, StartToCloseTimeout: time.Hour, HeartbeatTimeout: protocol.HeartbeatTimeout,
		RetryPolicy: &temporal.RetryPolicy{InitialInterval: time.Second, MaximumInterval: time.Second},
	}
	train := workflow.WithActivityOptions(ctx, options)
	if err := workflow.ExecuteActivity(train, protocol.ActivityTrain, ref).Get(ctx, nil); err != nil {
		return err
	}
	options.ActivityID = evaluateID
	evaluate := workflow.WithActivityOptions(ctx, options)
	return workflow.ExecuteActivity(evaluate, protocol.ActivityEval, ref.CellRef).Get(ctx, nil)
}

// An attemptWatch keeps the context of the newest attempt of a worker with one slot.
type attemptWatch struct {
	interceptor.WorkerInterceptorBase
	newest atomic.Value // of seenAttempt
}

type seenAttempt struct {
	ctx  context.Context
	info activity.Info
}

func (a *attemptWatch) InterceptActivity(
	_ context.Context, next interceptor.ActivityInboundInterceptor,
) interceptor.ActivityInboundInterceptor {
	return &watchedActivity{interceptor.ActivityInboundInterceptorBase{Next: next}, a}
}

type watchedActivity struct {
	interceptor.ActivityInboundInterceptorBase
	watch *attemptWatch
}

func (w *watchedActivity) ExecuteActivity(ctx context.Context, in *interceptor.ExecuteActivityInput) (any, error) {
	w.watch.newest.Store(seenAttempt{ctx, activity.GetInfo(ctx)})
	return w.Next.ExecuteActivity(ctx, in)
}

// serve runs the activities of w on a queue of a server, with one slot.
func (w *testWorker) serve(c client.Client, queue string, watch *attemptWatch) {
	w.Helper()
	w.beat = 5 * time.Millisecond
	run := worker.New(c, queue, worker.Options{
		MaxConcurrentActivityExecutionSize: 1, Interceptors: []interceptor.WorkerInterceptor{watch},
		MaxHeartbeatThrottleInterval: 20 * time.Millisecond, DefaultHeartbeatThrottleInterval: 20 * time.Millisecond,
	})
	run.RegisterWorkflow(trainAndEvaluate)
	w.RegisterTraining(run)
	if err := run.Start(); err != nil {
		w.Fatal(err)
	}
	w.Cleanup(run.Stop)
}

// start starts trainAndEvaluate of one cell on a queue.
func (w *testWorker) start(c client.Client, queue string, cell int) client.WorkflowRun {
	w.Helper()
	options := client.StartWorkflowOptions{ID: workflowID(queue, cell), TaskQueue: queue}
	run, err := c.ExecuteWorkflow(w.T.Context(), options, trainAndEvaluate, w.stage(cell))
	if err != nil {
		w.Fatal(err)
	}
	return run
}

func workflowID(queue string, cell int) string { return fmt.Sprint(queue, " ", cell) }

// pendingWhen waits until the one pending activity of a run is in a state.
func pendingWhen(
	t *testing.T, c client.Client, run client.WorkflowRun, state enums.PendingActivityState,
) *workflowpb.PendingActivityInfo {
	t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for {
		d, err := c.DescribeWorkflowExecution(t.Context(), run.GetID(), run.GetRunID())
		if err != nil {
			t.Fatal(err)
		}
		if p := d.PendingActivities; len(p) == 1 && p[0].State == state {
			return p[0]
		}
		if d.WorkflowExecutionInfo.Status != enums.WORKFLOW_EXECUTION_STATUS_RUNNING {
			t.Fatalf("the workflow has ended: %v", d.WorkflowExecutionInfo.Status)
		}
		<-tick.C
	}
}

// kept are the files of a run's model and its result in a store.
func kept(t *testing.T, s storage.Store, run string) map[string]string {
	t.Helper()
	all := map[string]string{}
	for _, prefix := range []string{"models/" + run, "results/" + run} {
		for _, key := range keys(t, s, prefix) {
			all[key] = string(read(t, s, key))
		}
	}
	return all
}

// A person pauses an activity in the Web UI, or resets it. Its state is saved, and its slot is free while it is paused.
// It goes on from there, and ends with the bytes of an undisturbed run.
func TestPausedAndResetByPeople(t *testing.T) {
	calm := submit(t, openDir(t), makePlan(t, nil))
	calm.finish()
	want := kept(t, calm.store, calm.id())
	if len(want) != 9 {
		t.Fatalf("an undisturbed run keeps %d objects", len(want))
	}
	c := startServer(t)
	for _, how := range []struct {
		name, id string
		at       int64 // steps done when it is paused; 0 for in evaluation
		reset    bool
	}{
		{"pause training", trainID, 10, false},
		{"pause before the last step", trainID, steps - 1, false},
		{"pause evaluation", evaluateID, 0, false},
		{"reset training", trainID, 10, true},
		{"reset evaluation", evaluateID, 0, true},
	} {
		t.Run(how.name, func(t *testing.T) {
			w := submit(t, openDir(t), makePlan(t, nil))
			var watch attemptWatch
			reached := make(chan struct{})
			// hold keeps the first attempt of an activity at one place until the server has ended its context.
			hold := func(id string) {
				a := watch.newest.Load().(seenAttempt)
				if a.info.ActivityID == id && a.info.WorkflowExecution.ID == workflowID(how.name, 1) && a.ctx.Err() == nil {
					select {
					case <-reached: // it is another attempt, or a later place
					default:
						close(reached)
						<-a.ctx.Done()
					}
				}
			}
			w.hooks.after = func(done int64) {
				if done == how.at {
					hold(trainID)
				}
			}
			w.hooks.encode = func() {
				if how.id == evaluateID {
					hold(evaluateID)
				}
			}
			goesOnWith := int64(-1)
			w.hooks.before = func(step int64) {
				a := watch.newest.Load().(seenAttempt)
				if a.info.Attempt == 2 && a.info.ActivityID == trainID && goesOnWith < 0 {
					goesOnWith = step
				}
			}
			w.serve(c, how.name, &watch)
			run := w.start(c, how.name, 1)
			<-reached
			execution := &common.WorkflowExecution{WorkflowId: run.GetID(), RunId: run.GetRunID()}
			if how.reset {
				if _, err := c.WorkflowService().ResetActivity(t.Context(), &workflowservice.ResetActivityRequest{
					Namespace: "default", Execution: execution, Activity: &workflowservice.ResetActivityRequest_Id{Id: how.id},
				}); err != nil {
					t.Fatal(err)
				}
			} else {
				w.pauseAndUnpause(c, how.name, run, execution, how.id, how.at)
			}
			if err := run.Get(t.Context(), nil); err != nil {
				t.Fatal(err)
			}
			if how.id == trainID && goesOnWith != how.at {
				t.Errorf("went on with step %d, want %d", goesOnWith, how.at)
			}
			wantUnchanged(t, how.name, kept(t, w.store, w.id()), want)
		})
	}
}

// pauseAndUnpause pauses the activity of a run, trains another cell on the slot, and lets the run go on.
func (w *testWorker) pauseAndUnpause(
	c client.Client, queue string, run client.WorkflowRun, execution *common.WorkflowExecution, id string, at int64,
) {
	w.Helper()
	ctx := w.T.Context()
	if _, err := c.WorkflowService().PauseActivity(ctx, &workflowservice.PauseActivityRequest{
		Namespace: "default", Execution: execution, Identity: "a person", Reason: "the machine is needed",
		Activity: &workflowservice.PauseActivityRequest_Id{Id: id},
	}); err != nil {
		w.Fatal(err)
	}
	// The attempt has ended: before that the state is PAUSE_REQUESTED.
	pending := pendingWhen(w.T, c, run, enums.PENDING_ACTIVITY_STATE_PAUSED)
	f := pending.LastFailure
	if f.GetApplicationFailureInfo().GetType() != "Paused" || f.GetMessage() != "activity paused" {
		w.Errorf("a paused activity shows the failure %v", f)
	}
	if at > 0 {
		m, err := w.newest()
		if err != nil || m.Step != at {
			w.Errorf("newest checkpoint %+v, %v, want that of step %d", m, err, at)
		}
	}
	if err := w.start(c, queue, 2).Get(ctx, nil); err != nil {
		w.Fatal(err)
	}
	pendingWhen(w.T, c, run, enums.PENDING_ACTIVITY_STATE_PAUSED)
	if _, err := c.WorkflowService().UnpauseActivity(ctx, &workflowservice.UnpauseActivityRequest{
		Namespace: "default", Execution: execution, Activity: &workflowservice.UnpauseActivityRequest_Id{Id: id},
	}); err != nil {
		w.Fatal(err)
	}
}
