//go:build !noserver

package observe_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"testing"
	"time"

	"go.temporal.io/api/common/v1"
	"go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/client"
	sdklog "go.temporal.io/sdk/log"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"

	"github.com/topksweep/sweep/deploy/local"
	"github.com/topksweep/sweep/sweep/observe"
	"github.com/topksweep/sweep/sweep/plan"
	"github.com/topksweep/sweep/sweep/protocol"
)

const (
	trainQueue = "sweep-test"
	namespace  = "default"
)

// startServer starts a real server with the search attributes and returns a client to it.
func startServer(t *testing.T, attributes map[string]enums.IndexedValueType) client.Client {
	t.Helper()
	s, err := local.Start(t.Context(), local.Options{
		Dir: t.TempDir(), GRPCPort: -1, UIPort: -1, SearchAttributes: attributes,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Stop(); err != nil {
			t.Error(err)
		}
	})
	quiet := sdklog.NewStructuredLogger(slog.New(slog.NewTextHandler(io.Discard, nil)))
	c, err := client.DialContext(t.Context(), client.Options{
		HostPort: s.HostPort, Logger: quiet, ConnectionOptions: client.ConnectionOptions{TLS: s.TLS},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

// ofSweeps are the search attributes that the tests use.
func ofSweeps() map[string]enums.IndexedValueType {
	return map[string]enums.IndexedValueType{
		protocol.AttrOwner: enums.INDEXED_VALUE_TYPE_KEYWORD, protocol.AttrState: enums.INDEXED_VALUE_TYPE_KEYWORD,
	}
}

// stages is a workflow that schedules activities, as a sweep does, and answers the query for its progress. Its state is
// paused where the search attribute is.
func stages(ctx workflow.Context, list []stage, state plan.Status) error {
	err := workflow.SetQueryHandler(ctx, protocol.QueryProgress, func() (protocol.Progress, error) {
		return protocol.Progress{Summary: protocol.Summary{Cells: len(list)}, State: state}, nil
	})
	if err != nil {
		return err
	}
	var futures []workflow.Future
	for _, s := range list {
		c := workflow.WithActivityOptions(ctx, workflow.ActivityOptions{
			ActivityID: s.ID, TaskQueue: s.Queue, StartToCloseTimeout: time.Hour, HeartbeatTimeout: time.Minute,
			RetryPolicy: &temporal.RetryPolicy{InitialInterval: time.Hour}, WaitForCancellation: true,
		})
		futures = append(futures, workflow.ExecuteActivity(c, s.Activity, s.Cell))
	}
	for _, f := range futures {
		_ = f.Get(ctx, nil) // those that are canceled
	}
	return ctx.Err()
}

type stage struct {
	ID, Queue, Activity string
	Cell                int
}

// train sends a heartbeat and waits until it is canceled; the cell 9 fails.
func train(ctx context.Context, cell int) error {
	if cell == 9 {
		return fmt.Errorf("read the data: %w", errors.New("EIO"))
	}
	beat := protocol.Heartbeat{
		Cell: cell, Run: fmt.Sprintf("k=%d", cell), Step: 7, Steps: 100, Loss: 0.5, Device: "a device",
		Saved: time.Unix(1000, 0).UTC(), At: 5,
	}
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		activity.RecordHeartbeat(ctx, beat)
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
	}
}

// startWorker runs a worker with a number of slots until the test ends.
func startWorker(t *testing.T, c client.Client, queue, identity string, slots int) {
	t.Helper()
	w := worker.New(c, queue, worker.Options{
		Identity: identity, MaxConcurrentActivityExecutionSize: slots, DisableWorkflowWorker: queue != protocol.Queue,
		MaxHeartbeatThrottleInterval: 20 * time.Millisecond, DefaultHeartbeatThrottleInterval: 20 * time.Millisecond,
		WorkerStopTimeout: 10 * time.Second,
	})
	if queue == protocol.Queue {
		w.RegisterWorkflowWithOptions(stages, workflow.RegisterOptions{Name: protocol.WorkflowSweep})
	}
	w.RegisterActivityWithOptions(train, activity.RegisterOptions{Name: protocol.ActivityTrain})
	w.RegisterActivityWithOptions(train, activity.RegisterOptions{Name: protocol.ActivityEval})
	if err := w.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.Stop)
}

// start starts a workflow, which is canceled and ended before the workers stop.
func start(
	t *testing.T, c client.Client, id string, list []stage, state plan.Status,
	attributes ...temporal.SearchAttributeUpdate,
) {
	t.Helper()
	options := client.StartWorkflowOptions{
		ID: id, TaskQueue: protocol.Queue, TypedSearchAttributes: temporal.NewSearchAttributes(attributes...),
	}
	run, err := c.ExecuteWorkflow(t.Context(), options, protocol.WorkflowSweep, list, state)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		err := c.TerminateWorkflow(context.Background(), id, run.GetRunID(), "the test is over")
		if ended := (*serviceerror.NotFound)(nil); err != nil && !errors.As(err, &ended) {
			t.Error(err)
		}
	})
}

// until looks until what it sees is as wanted. The time limit is that of the test.
func until(t *testing.T, c client.Client, in protocol.LookInput, as func(protocol.Live) bool) protocol.Live {
	t.Helper()
	looks := time.NewTicker(20 * time.Millisecond)
	defer looks.Stop()
	for ; ; <-looks.C {
		live, err := observe.Looker{Client: c}.Look(t.Context(), in)
		if err != nil {
			t.Fatal(err)
		}
		if as(live) {
			return live
		}
		if deadline, ok := t.Deadline(); ok && time.Until(deadline) < 10*time.Second {
			t.Fatalf("%+v: the server tells %+v", in, live)
		}
	}
}

// byID finds a stage by the ID of its activity.
func byID(live protocol.Live, id string) (s protocol.LiveStage) {
	for _, s = range live.Stages {
		if s.ID == id {
			return s
		}
	}
	return protocol.LiveStage{}
}

// A real server tells of stages that are started, wait, failed or are paused, and of the slots of two workers.
func TestLook(t *testing.T) {
	c := startServer(t, ofSweeps())
	first, second := observe.Identity(1, "gpu-7", "test", 2), observe.Identity(2, "gpu-8", "test", 3)
	startWorker(t, c, protocol.Queue, "light", 10)
	startWorker(t, c, trainQueue, first, 2)
	startWorker(t, c, trainQueue, second, 3)
	const none = "sweep-none" // no worker asks this queue
	list := []stage{
		{"cell 1 (k=1) steps 0-100", trainQueue, protocol.ActivityTrain, 1},
		{"evaluate cell 2 (k=2)", trainQueue, protocol.ActivityEval, 2},
		{"cells 3+5 (k=3) steps 10-50", none, protocol.ActivityTrain, 3},
		{"cell 9 (k=9) steps 0-100", trainQueue, protocol.ActivityTrain, 9},
		{"cell 4 (k=4) steps 0-100", none, protocol.ActivityTrain, 4},
	}
	before := time.Now().Add(-time.Minute)
	start(t, c, "s", list, "")
	in := protocol.LookInput{Sweep: "s", TrainQueue: trainQueue}
	live := until(t, c, in, func(l protocol.Live) bool {
		return len(l.Stages) == 5 && byID(l, list[0].ID).Step == 7 && byID(l, list[1].ID).Step == 7 &&
			byID(l, list[3].ID).Error != "" && l.Slots == 5
	})
	if live.Training != 2 || live.Waiting != 3 || live.OwnersSweeps != 0 {
		t.Errorf("%+v", live)
	}
	hosts := map[string]string{first: "gpu-7", second: "gpu-8"}
	for i, want := range []plan.Status{plan.Training, plan.Evaluating, plan.Waiting, plan.Waiting, plan.Waiting} {
		s := byID(live, list[i].ID)
		if s.State != want || s.Cell != list[i].Cell || s.Label != fmt.Sprintf("k=%d", s.Cell) || s.Since.Before(before) {
			t.Errorf("%s: %+v", list[i].ID, s)
		}
		if i >= 2 {
			if s.Worker+s.Host+s.Device != "" {
				t.Errorf("a worker of one that waits: %+v", s)
			}
			continue
		}
		if s.Host == "" || s.Host != hosts[s.Worker] || s.Device != "a device" || s.Loss != 0.5 ||
			s.SavedStep != 5 || !s.Saved.Equal(time.Unix(1000, 0)) {
			t.Errorf("%s: %+v", list[i].ID, s)
		}
	}
	if s := byID(live, list[2].ID); s.Cells != 6 || s.Steps != 50 || s.Attempt != 1 {
		t.Errorf("a stage that waits: %+v", s)
	}
	if s := byID(live, list[3].ID); s.Attempt != 2 || s.Error != "read the data: EIO" {
		t.Errorf("a stage that failed: %+v", s)
	}
	for i, s := range live.Stages {
		if i > 0 && s.State != plan.Waiting && live.Stages[i-1].State == plan.Waiting {
			t.Errorf("%s stands behind one that waits", s.ID)
		}
	}
	_, err := c.WorkflowService().PauseActivity(t.Context(), &workflowservice.PauseActivityRequest{
		Namespace: namespace, Execution: &common.WorkflowExecution{WorkflowId: "s"},
		Activity: &workflowservice.PauseActivityRequest_Id{Id: list[4].ID},
	})
	if err != nil {
		t.Fatal(err)
	}
	live = until(t, c, in, func(l protocol.Live) bool { return byID(l, list[4].ID).State == plan.Paused })
	if live.Waiting != 2 || live.Training != 2 || live.Stages[4].ID != list[4].ID {
		t.Errorf("with a stage that is paused: %+v", live)
	}
	// Without any queue the workers that have stages still count, each once.
	slots := map[string]int{first: 2, second: 3}
	want := slots[byID(live, list[0].ID).Worker]
	if a, b := byID(live, list[0].ID).Worker, byID(live, list[1].ID).Worker; a != b {
		want += slots[b]
	}
	live, err = observe.Looker{Client: c}.Look(t.Context(), protocol.LookInput{Sweep: "s", TrainQueue: none})
	if err != nil || live.Slots != want {
		t.Errorf("%d slots of the workers that have stages, want %d", live.Slots, want)
	}
	if _, err := (observe.Looker{Client: c}).Look(t.Context(), protocol.LookInput{Sweep: "unknown"}); err == nil {
		t.Error("a sweep that the server does not know is no error")
	}
}

// Of many stages a look returns MaxLive, or all.
func TestLookAtMany(t *testing.T) {
	c := startServer(t, nil)
	startWorker(t, c, protocol.Queue, "light", 10)
	var list []stage
	for i := range 3 * protocol.MaxLive {
		id := fmt.Sprintf("cell %d (k=%d) steps 0-9", i, i)
		list = append(list, stage{id, "sweep-none", protocol.ActivityTrain, i})
	}
	start(t, c, "many", list, "")
	all := func(l protocol.Live) bool { return l.Waiting == len(list) }
	live := until(t, c, protocol.LookInput{Sweep: "many"}, all)
	if len(live.Stages) != protocol.MaxLive || live.Slots != 0 {
		t.Errorf("%d stages, %d slots", len(live.Stages), live.Slots)
	}
	if live := until(t, c, protocol.LookInput{Sweep: "many", All: true}, all); len(live.Stages) != len(list) {
		t.Errorf("%d stages of all", len(live.Stages))
	}
}

// The running sweeps of an owner are counted whatever the owner's name is.
func TestOwnersSweeps(t *testing.T) {
	c := startServer(t, ofSweeps())
	owner := temporal.NewSearchAttributeKeyKeyword(protocol.AttrOwner)
	names := []string{
		"ann", "o'hara", `back\slash`, `\' OR 1=1 -- `, `"quoted"`, "it''s", "ünï çödé 名", "a%b_c", "`tick`", "x\ny",
		"*", "null", "12",
	}
	start(t, c, "nobody's", nil, "")
	for i, name := range names {
		for j := range i%2 + 1 {
			start(t, c, fmt.Sprintf("s-%d-%d", i, j), nil, "", owner.ValueSet(name))
		}
	}
	for i, name := range names {
		in := protocol.LookInput{Sweep: "s-0-0", Owner: name}
		want := i%2 + 1
		live := until(t, c, in, func(l protocol.Live) bool { return l.OwnersSweeps >= want })
		if live.OwnersSweeps != want {
			t.Errorf("%q has %d sweeps, want %d", name, live.OwnersSweeps, want)
		}
	}
	for _, name := range []string{"", "' OR 'a' = 'a", "' OR ExecutionStatus = 'Running' OR WorkflowId = '", `\`, "an"} {
		live, err := observe.Looker{Client: c}.Look(t.Context(), protocol.LookInput{Sweep: "s-0-0", Owner: name})
		if err != nil || live.OwnersSweeps != 0 {
			t.Errorf("%q has %d sweeps, %v", name, live.OwnersSweeps, err)
		}
	}
}

// Without the search attributes nothing is counted, and the workflow itself says whether it is paused.
func TestNoAttributes(t *testing.T) {
	c := startServer(t, nil)
	startWorker(t, c, protocol.Queue, "light", 10)
	list := []stage{{"cell 1 (k=1) steps 0-9", "sweep-none", protocol.ActivityTrain, 1}}
	start(t, c, "s", list, plan.Paused)
	live := until(t, c, protocol.LookInput{Sweep: "s", Owner: "ann"}, func(l protocol.Live) bool { return l.Waiting == 1 })
	if live.OwnersSweeps != 0 {
		t.Errorf("%+v", live)
	}
	wantState(t, c, "s", plan.Paused, plan.Training)
	o, err := observe.Sweep(t.Context(), c, "s", time.Minute)
	if err != nil || o.QueryErr != nil || o.Progress.Cells != 1 || o.State != plan.Paused || o.Ended() ||
		len(o.Activities) != 1 || !o.Activities[0].IsStage() {

		t.Errorf("%+v, %v", o, err)
	}
}

// A search attribute tells the state of many sweeps without a question to each workflow: here no worker could answer.
func TestStates(t *testing.T) {
	c := startServer(t, ofSweeps())
	key := temporal.NewSearchAttributeKeyKeyword(protocol.AttrState)
	for id, x := range map[string]struct{ attribute, want plan.Status }{
		"paused":    {plan.Paused, plan.Paused},
		"training":  {plan.Training, plan.Training},
		"continued": {protocol.StateContinued, plan.Training},
		"unheard":   {"unheard of", plan.Training},
	} {
		start(t, c, id, nil, "", key.ValueSet(string(x.attribute)))
		wantState(t, c, id, x.want, x.want)
	}
	start(t, c, "gone", nil, "")
	if err := c.TerminateWorkflow(t.Context(), "gone", "", "test"); err != nil {
		t.Fatal(err)
	}
	wantState(t, c, "gone", plan.Failed, plan.Failed)
	if _, err := observe.State(t.Context(), t.Context(), c, "unknown"); err == nil {
		t.Error("a sweep that the server does not know is no error")
	}
}

// wantState checks what State says if it may ask the workflow, and if it may not.
func wantState(t *testing.T, c client.Client, id string, asked, unasked plan.Status) {
	t.Helper()
	if got, err := observe.State(t.Context(), t.Context(), c, id); err != nil || got.State != asked {
		t.Errorf("%s is %s, %v, want %s", id, got.State, err, asked)
	}
	if got, err := observe.State(t.Context(), nil, c, id); err != nil || got.State != unasked {
		t.Errorf("%s, not asked itself, is %s, %v, want %s", id, got.State, err, unasked)
	}
}

// A worker lives also when its slots are full: it asks the queue of the activities without a device.
func TestWorkersOfServer(t *testing.T) {
	c := startServer(t, nil)
	const none = "sweep-none" // a backend that one worker has, whose slots are full: it does not ask the queue
	busy, other := observe.Identity(1, "gpu-7", "none", 1), observe.Identity(2, "gpu-8", "other", 1)
	startWorker(t, c, protocol.Queue, busy, 1)
	startWorker(t, c, protocol.TrainQueue("other"), other, 1)
	looker := observe.Looker{Client: c}
	for queue, want := range map[string]string{protocol.Queue: busy, none: busy, protocol.TrainQueue("other"): other} {
		for {
			got, err := looker.Workers(t.Context(), queue)
			if err != nil {
				t.Fatal(err)
			}
			if slices.Equal(got, []string{want}) {
				break
			}
			if len(got) > 1 {
				t.Fatalf("%s: %q, want %q", queue, got, want)
			}
		}
	}
}
