//go:build !noserver

package workflows

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"slices"
	"strings"
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
	"github.com/topksweep/sweep/sweep/plan"
	"github.com/topksweep/sweep/sweep/protocol"
)

var update = flag.Bool("update", false, "record the histories in testdata anew")

// identity is what recorded histories name as client and worker.
const identity = "recorded"

// serve starts a real server and returns a client to it.
func serve(t *testing.T) client.Client {
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
	c, err := client.DialContext(t.Context(), client.Options{HostPort: s.HostPort, Identity: identity, Logger: silent()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

// work runs workers with the fake's activities until the test ends.
func (f *fake) work(t *testing.T, c client.Client) {
	t.Helper()
	for _, queue := range []string{protocol.Queue, protocol.TrainQueue("cpu")} {
		w := worker.New(c, queue, worker.Options{
			Identity: identity, DisableWorkflowWorker: queue != protocol.Queue,
			MaxHeartbeatThrottleInterval: 50 * time.Millisecond, DefaultHeartbeatThrottleInterval: 50 * time.Millisecond,
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

func start(t *testing.T, c client.Client, id string, in protocol.SweepInput) client.WorkflowRun {
	t.Helper()
	run, err := c.ExecuteWorkflow(t.Context(), client.StartWorkflowOptions{ID: id, TaskQueue: protocol.Queue}, protocol.WorkflowSweep, in)
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
		for it := c.GetWorkflowHistory(t.Context(), id, run, false, enums.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT); it.HasNext(); {
			e, err := it.Next()
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

func recordHistory(t *testing.T, name string, h *historypb.History) {
	t.Helper()
	if !*update {
		return
	}
	b, err := temporalproto.CustomJSONMarshalOptions{Indent: " "}.Marshal(h)
	if err != nil {
		t.Fatal(err)
	}
	if host, err := os.Hostname(); err == nil { // the SDK names queues after it
		b = bytes.ReplaceAll(b, []byte(host), []byte(identity))
	}
	if err := os.WriteFile(filepath.Join("testdata", name+".json"), append(b, '\n'), 0o644); err != nil {
		t.Fatal(err)
	}
}

// untilCanceled heartbeats until the server says that the activity is canceled.
func untilCanceled(ctx context.Context) error {
	beat := time.NewTicker(10 * time.Millisecond)
	defer beat.Stop()
	for {
		activity.RecordHeartbeat(ctx)
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-beat.C:
		}
	}
}

// A real server takes what the workflow asks of it: failures, retries, reused
// cells and labels longer than it would show.
func TestOnServer(t *testing.T) {
	c := serve(t)
	t.Run("runs", func(t *testing.T) {
		f := newFake(12)
		f.label = strings.Repeat("dict_size=4096 ", 100)
		f.done = func(cell int) bool { return cell == 1 || cell == 8 }
		f.train = func(_ context.Context, cell, try int) error {
			switch {
			case cell == 3:
				return errNever
			case cell == 5 && try < 4:
				return later(time.Millisecond)
			}
			return nil
		}
		f.eval = func(_ context.Context, cell, try int) error {
			if cell == 6 && try == 1 {
				return temporal.NewNonRetryableApplicationError("lost", protocol.ErrTypeLost, nil)
			}
			return nil
		}
		f.work(t, c)
		run := start(t, c, "runs", f.input(3))
		var app *temporal.ApplicationError
		if err := run.Get(t.Context(), nil); !errors.As(err, &app) || app.Type() != protocol.ErrTypeFailed {
			t.Fatalf("ended with %v", err)
		}
		wantEach(t, "evaluated", f.evaluated, []int{0, 2, 4, 5, 6, 7, 9, 10, 11}, 1)
		recordHistory(t, "runs", histories(t, c, "runs", run.GetRunID())[0])
	})
	// Canceled runs are waited for: they save their state first. One that its
	// worker hands back at that moment is canceled all the same.
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
				return temporal.NewApplicationErrorWithOptions("the worker is stopping", "WorkerStopping", temporal.ApplicationErrorOptions{})
			}
			return err
		}
		f.work(t, c)
		run := start(t, c, "cancel", f.input(3))
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
		if got := f.statuses(plan.Canceled); !slices.Equal(got, []int{2, 3, 4}) || len(f.failures) != 3 || f.collected != 1 {
			t.Errorf("recorded %+v, collected %d times", f.failures, f.collected)
		}
		recordHistory(t, "cancel", histories(t, c, "cancel", run.GetRunID())[0])
	})
	t.Run("limit", func(t *testing.T) {
		f := newFake(12)
		f.train = func(ctx context.Context, cell, _ int) error {
			if cell == 2 {
				return errNever
			}
			return untilCanceled(ctx)
		}
		f.work(t, c)
		in := f.input(3)
		in.FailureLimit = 1
		run := start(t, c, "limit", in)
		var app *temporal.ApplicationError
		if err := run.Get(t.Context(), nil); !errors.As(err, &app) || app.Type() != protocol.ErrTypeFailed {
			t.Fatalf("ended with %v", err)
		}
		if got := f.statuses(plan.Canceled); !slices.Equal(got, []int{0, 1}) {
			t.Errorf("recorded as canceled: %v", got)
		}
		recordHistory(t, "limit", histories(t, c, "limit", run.GetRunID())[0])
	})
	// A tree forks by schedule and where a latent dies; the sweep is extended while
	// it runs.
	t.Run("tree", func(t *testing.T) {
		f := newTreeFake(4, oneTree(), []plan.Tree{{Family: "f", Weight: 1, Cells: []plan.TreeCell{{Cell: 4, Decay: 40, Steps: 100}}}})
		f.dead = 70
		began, extended := make(chan struct{}), make(chan struct{})
		f.train = func(_ context.Context, cell, try int) error {
			if cell == 0 && try == 1 {
				close(began)
				<-extended
			}
			return nil
		}
		f.work(t, c)
		in := f.input(2)
		in.TreeChunks = 1
		run := start(t, c, "tree", in)
		<-began
		h, err := c.UpdateWorkflow(t.Context(), client.UpdateWorkflowOptions{
			WorkflowID: "tree", UpdateName: protocol.UpdateExtend, Args: []any{plan.Size{Cells: 5, TreeChunks: 2}}, WaitForStage: client.WorkflowUpdateStageCompleted,
		})
		if err == nil {
			err = h.Get(t.Context(), nil)
		}
		if err != nil {
			t.Error(err)
		}
		close(extended)
		if err := run.Get(t.Context(), nil); err != nil {
			t.Fatal(err)
		}
		wantEach(t, "evaluated", f.evaluated, count(0, 5), 1)
		recordHistory(t, "tree", histories(t, c, "tree", run.GetRunID())[0])
	})
	// No history of a large grid reaches the length at which Temporal would
	// suggest a new one, each replays, and no run is lost at the seams.
	t.Run("large", func(t *testing.T) {
		f := newFake(800)
		f.work(t, c)
		run := start(t, c, "large", f.input(8))
		first := run.GetRunID() // Get goes on to later ones
		if err := run.Get(t.Context(), nil); err != nil {
			t.Fatal(err)
		}
		if len(f.evaluated) != f.cells {
			t.Errorf("%d of %d cells evaluated", len(f.evaluated), f.cells)
		}
		all := histories(t, c, "large", first)
		if len(all) < 2 {
			t.Fatalf("%d histories, want a seam", len(all))
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
	})
}
