//go:build !noserver

package workflows

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"go.temporal.io/api/enums/v1"
	historypb "go.temporal.io/api/history/v1"
	"go.temporal.io/api/temporalproto"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/worker"

	"github.com/topksweep/sweep/deploy/local"
	"github.com/topksweep/sweep/sweep/goldentest"
	"github.com/topksweep/sweep/sweep/plan"
	"github.com/topksweep/sweep/sweep/protocol"
)

// recordedIdentity is the name of the client and of the workers in recorded histories.
const recordedIdentity = "recorded"

// startServer starts a real server and returns a client to it.
func startServer(t *testing.T) client.Client {
	t.Helper()
	return startServerWith(t, local.Options{})
}

// startServerWith is startServer with options of the server.
func startServerWith(t *testing.T, o local.Options) client.Client {
	t.Helper()
	o.Dir, o.GRPCPort, o.UIPort, o.SearchAttributes = t.TempDir(), -1, -1, searchAttributes()
	s, err := local.Start(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Stop(); err != nil {
			t.Error(err)
		}
	})
	options := client.Options{
		HostPort: s.HostPort, Identity: recordedIdentity, Logger: silent(),
		ConnectionOptions: client.ConnectionOptions{TLS: s.TLS},
	}
	c, err := client.DialContext(t.Context(), options)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

// sendUpdate sends an update to a workflow and waits until it is done.
func sendUpdate(t *testing.T, c client.Client, id, name string, args ...any) (did protocol.Steered, err error) {
	t.Helper()
	h, err := c.UpdateWorkflow(t.Context(), client.UpdateWorkflowOptions{
		WorkflowID: id, UpdateName: name, Args: args, WaitForStage: client.WorkflowUpdateStageCompleted,
	})
	if err == nil {
		err = h.Get(t.Context(), &did)
	}
	return did, err
}

// startWorkers runs workers with the fake's activities until the test ends.
func (f *fake) startWorkers(t *testing.T, c client.Client) {
	t.Helper()
	for _, queue := range []string{protocol.Queue, protocol.TrainQueue("cpu")} {
		w := worker.New(c, queue, worker.Options{
			Identity: recordedIdentity, DisableWorkflowWorker: queue != protocol.Queue,
			MaxHeartbeatThrottleInterval:     50 * time.Millisecond,
			DefaultHeartbeatThrottleInterval: 50 * time.Millisecond,
		})
		if queue == protocol.Queue {
			Register(w)
		}
		f.register(w)
		if err := w.Start(); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(w.Stop)
	}
}

func startSweep(t *testing.T, c client.Client, id string, in protocol.SweepInput) client.WorkflowRun {
	t.Helper()
	options := client.StartWorkflowOptions{ID: id, TaskQueue: protocol.Queue}
	run, err := c.ExecuteWorkflow(t.Context(), options, protocol.WorkflowSweep, in)
	if err != nil {
		t.Fatal(err)
	}
	return run
}

// histories returns the histories of a workflow, in order.
func histories(t *testing.T, c client.Client, id, run string) (all []*historypb.History) {
	t.Helper()
	for run != "" {
		h := &historypb.History{}
		events := c.GetWorkflowHistory(t.Context(), id, run, false, enums.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT)
		for events.HasNext() {
			e, err := events.Next()
			if err != nil {
				t.Fatal(err)
			}
			h.Events = append(h.Events, e)
		}
		all = append(all, h)
		run = h.Events[len(h.Events)-1].GetWorkflowExecutionContinuedAsNewEventAttributes().GetNewExecutionRunId()
	}
	return all
}

// recordHistory writes a history to testdata if -update is given. One that is there stays: it is that of an earlier
// version, which TestReplay replays. Without -update it must be there.
func recordHistory(t *testing.T, name string, h *historypb.History) {
	t.Helper()
	path := filepath.Join("testdata", name+".json")
	if !goldentest.Updating() {
		if _, err := os.Stat(path); err != nil {
			t.Errorf("no recorded history: %v (run with -update)", err)
		}
		return
	}
	b, err := temporalproto.CustomJSONMarshalOptions{Indent: " "}.Marshal(h)
	if err != nil {
		t.Fatal(err)
	}
	if host, err := os.Hostname(); err == nil { // the SDK puts it into the names of queues
		b = bytes.ReplaceAll(b, []byte(host), []byte(recordedIdentity))
	}
	file, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o644)
	if errors.Is(err, fs.ErrExist) {
		return
	}
	if err != nil {
		t.Fatal(err)
	}
	_, err = file.Write(append(b, '\n'))
	if err := errors.Join(err, file.Close()); err != nil {
		t.Fatal(err)
	}
}

// untilCanceled heartbeats until the server says that the activity is canceled.
func untilCanceled(ctx context.Context) error { return untilReleased(ctx, nil) }

// untilReleased heartbeats until then, or until release is closed.
func untilReleased(ctx context.Context, release <-chan struct{}) error {
	beat := time.NewTicker(10 * time.Millisecond)
	defer beat.Stop()
	for {
		activity.RecordHeartbeat(ctx)
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-release:
			return nil
		case <-beat.C:
		}
	}
}

// A real server accepts what the workflow does: failures, retries, reused cells, and labels that are too long for a
// summary.
func TestOnServer(t *testing.T) {
	c := startServer(t)
	t.Run("runs", func(t *testing.T) {
		f := newFake(12)
		f.label = strings.Repeat("dict_size=4096 ", 100)
		f.done = func(cell int) bool { return cell == 1 || cell == 8 }
		f.train = func(_ context.Context, cell, attempt int) error {
			switch {
			case cell == 3:
				return errFinal
			case cell == 5 && attempt < 4:
				return retryAfter(time.Millisecond)
			}
			return nil
		}
		f.eval = func(_ context.Context, cell, attempt int) error {
			if cell == 6 && attempt == 1 {
				return temporal.NewNonRetryableApplicationError("lost", protocol.ErrTypeLost, nil)
			}
			return nil
		}
		f.startWorkers(t, c)
		run := startSweep(t, c, "runs", f.input(3))
		var app *temporal.ApplicationError
		if err := run.Get(t.Context(), nil); !errors.As(err, &app) || app.Type() != protocol.ErrTypeFailed {
			t.Fatalf("ended with %v", err)
		}
		wantEach(t, "evaluated", f.evaluated, []int{0, 2, 4, 5, 6, 7, 9, 10, 11}, 1)
		recordHistory(t, "steered-runs", histories(t, c, "runs", run.GetRunID())[0])
	})
	// After a cancellation the workflow waits for the runs, which save their state. A run whose worker stops at that
	// moment is recorded as canceled too.
	t.Run("cancel", func(t *testing.T) {
		f := newFake(12)
		inFlight := make(chan struct{}, 3)
		f.train = func(ctx context.Context, cell, _ int) error {
			if cell < 2 {
				return nil
			}
			inFlight <- struct{}{}
			err := untilCanceled(ctx)
			if cell == 3 {
				return temporal.NewApplicationErrorWithOptions(
					"the worker is stopping", "WorkerStopping", temporal.ApplicationErrorOptions{})
			}
			return err
		}
		f.startWorkers(t, c)
		run := startSweep(t, c, "cancel", f.input(3))
		for range 3 {
			<-inFlight
		}
		if err := c.CancelWorkflow(t.Context(), "cancel", ""); err != nil {
			t.Fatal(err)
		}
		var canceled *temporal.CanceledError
		if err := run.Get(t.Context(), nil); !errors.As(err, &canceled) {
			t.Errorf("ended with %v, want canceled", err)
		}
		got := f.statuses(plan.Canceled)
		if !slices.Equal(got, []int{2, 3, 4}) || len(f.failures) != 3 || f.collected != 1 || !f.canceled {
			t.Errorf("recorded %+v, collected %d times, canceled: %t", f.failures, f.collected, f.canceled)
		}
		recordHistory(t, "steered-cancel", histories(t, c, "cancel", run.GetRunID())[0])
	})
	t.Run("limit", func(t *testing.T) {
		f := newFake(12)
		f.train = func(ctx context.Context, cell, _ int) error {
			if cell == 2 {
				return errFinal
			}
			return untilCanceled(ctx)
		}
		f.startWorkers(t, c)
		in := f.input(3)
		in.FailureLimit = 1
		run := startSweep(t, c, "limit", in)
		var app *temporal.ApplicationError
		if err := run.Get(t.Context(), nil); !errors.As(err, &app) || app.Type() != protocol.ErrTypeFailed {
			t.Fatalf("ended with %v", err)
		}
		if got := f.statuses(plan.Canceled); !slices.Equal(got, []int{0, 1}) {
			t.Errorf("recorded as canceled: %v", got)
		}
		recordHistory(t, "steered-limit", histories(t, c, "limit", run.GetRunID())[0])
	})
	// A tree forks where schedules differ and where a latent dies. The sweep is extended while it runs.
	t.Run("tree", func(t *testing.T) {
		f := newTreeFake(4, fourCellTree(), []plan.Tree{oneCellTree("f", 4, 40)})
		f.firstDead = 70
		started, extended := make(chan struct{}), make(chan struct{})
		f.train = func(_ context.Context, cell, attempt int) error {
			if cell == 0 && attempt == 1 {
				close(started)
				<-extended
			}
			return nil
		}
		f.startWorkers(t, c)
		in := f.input(2)
		in.TreeChunks = 1
		run := startSweep(t, c, "tree", in)
		<-started
		_, err := sendUpdate(t, c, "tree", protocol.UpdateExtend, plan.Size{Cells: 5, TreeChunks: 2})
		if err != nil {
			t.Error(err)
		}
		close(extended)
		if err := run.Get(t.Context(), nil); err != nil {
			t.Fatal(err)
		}
		wantEach(t, "evaluated", f.evaluated, cellRange(0, 5), 1)
		recordHistory(t, "steered-tree", histories(t, c, "tree", run.GetRunID())[0])
	})
	// A sweep is steered in every way: each update is answered, and the sweep ends with all its results.
	t.Run("steer", func(t *testing.T) {
		f := newFake(8)
		f.chunks = append(f.chunks, []plan.Tree{oneCellTree("extra", 8, 50)})
		begun := make(chan int, 100)
		var free atomic.Bool
		f.train = func(ctx context.Context, cell, _ int) error {
			begun <- cell
			if free.Load() {
				return nil
			}
			return untilCanceled(ctx)
		}
		f.startWorkers(t, c)
		in := f.input(3)
		in.TreeChunks = 1
		run := startSweep(t, c, "steer", in)
		steer := func(name string, args ...any) protocol.Steered { return steerSweep(t, c, "steer", name, args...) }
		for range 3 {
			<-begun
		}
		if did := steer(protocol.UpdateSet, protocol.Settings{MaxConcurrent: 2}); did.Stopped != 1 {
			t.Errorf("set: %+v", did)
		}
		if did := steer(protocol.UpdatePause); did.Stopped != 2 || did.State != plan.Paused {
			t.Errorf("pause: %+v", did)
		}
		if did := steer(protocol.UpdateCancel, protocol.Selection{Cells: []int{0, 7}}); did.Canceled != 2 {
			t.Errorf("cancel: %+v", did)
		}
		steer(protocol.UpdatePriority, protocol.PriorityHigh)
		steer(protocol.UpdateExtend, protocol.Extension{Size: plan.Size{Cells: 9, TreeChunks: 2}, Grid: "k: [9]"})
		if did := steer(protocol.UpdateRetry); !slices.Equal(did.Cells, []int{0, 7}) {
			t.Errorf("retry: %+v", did)
		}
		free.Store(true)
		if did := steer(protocol.UpdateResume); did.State != plan.Training {
			t.Errorf("resume: %+v", did)
		}
		var sum protocol.Summary
		if err := run.Get(t.Context(), &sum); err != nil {
			t.Fatal(err)
		}
		wantSummary(t, sum, protocol.Summary{Cells: 9, Completed: 9})
		wantEach(t, "evaluated", f.evaluated, cellRange(0, 9), 1)
		recordHistory(t, "steered-steer", histories(t, c, "steer", run.GetRunID())[0])
	})
	t.Run("steer tree", func(t *testing.T) { testSteerTree(t, c) })
	// A large grid takes several histories. Each is shorter than the length at which Temporal suggests to continue as
	// new, each replays, and no run is lost between two of them.
	t.Run("large", func(t *testing.T) {
		f := newFake(800)
		f.startWorkers(t, c)
		in := f.input(8)
		in.Attributes = slices.Sorted(maps.Keys(searchAttributes()))
		run := startSweep(t, c, "large", in)
		first := run.GetRunID() // Get follows the later histories
		for range 20 {
			steerSweep(t, c, "large", protocol.UpdatePause)
			steerSweep(t, c, "large", protocol.UpdateResume)
		}
		if err := run.Get(t.Context(), nil); err != nil {
			t.Fatal(err)
		}
		if len(f.evaluated) != f.cells {
			t.Errorf("%d of %d cells evaluated", len(f.evaluated), f.cells)
		}
		all := histories(t, c, "large", first)
		if len(all) < 2 {
			t.Fatalf("%d histories, want several", len(all))
		}
		for i, h := range all {
			t.Logf("history %d: %d events", i, len(h.Events))
			if len(h.Events) >= maxHistory {
				t.Errorf("history %d has %d events", i, len(h.Events))
			}
			if err := replayer().ReplayWorkflowHistory(silent(), h); err != nil {
				t.Errorf("history %d: %v", i, err)
			}
		}
		// A search by state finds the current history alone, and what its cells have reached.
		const large = "WorkflowId = 'large' AND "
		untilFound(t, c, large+"SweepState = 'continued'", int64(len(all)-1))
		untilFound(t, c, large+"SweepState = 'completed' AND SweepDone = 800 AND SweepBestNMSE = 0.001", 1)
		untilFound(t, c, large+"(SweepState = 'training' OR SweepState = 'paused')", 0)
	})
}
