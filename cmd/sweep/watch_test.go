package main

import (
	"bytes"
	"context"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go.temporal.io/api/common/v1"
	"go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/api/workflow/v1"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/converter"

	"github.com/topksweep/sweep/storage"
	"github.com/topksweep/sweep/sweep/ledger"
	"github.com/topksweep/sweep/sweep/plan"
	"github.com/topksweep/sweep/sweep/protocol"
)

const (
	statusRunning   = enums.WORKFLOW_EXECUTION_STATUS_RUNNING
	statusCompleted = enums.WORKFLOW_EXECUTION_STATUS_COMPLETED
)

// A fakeServer answers polls as a test wants it, or gives no answer until the
// client gives up. Polls are counted from 1.
type fakeServer struct {
	client.Client
	polls    int
	describe func(poll int) (enums.WorkflowExecutionStatus, error)
	progress func(poll int) *protocol.Progress // nil: no worker answers
	waiting  int                               // polls at first in which a run waits for a slot
	held     int                               // polls at first in which a run is paused by itself
	pending  []*workflow.PendingActivityInfo   // that all polls tell
	quick    bool                              // a query that no worker answers ends at once
}

// errNoAnswer makes the server give no answer.
var errNoAnswer = errors.New("no answer")

func (f *fakeServer) DescribeWorkflowExecution(ctx context.Context, _, _ string) (
	*workflowservice.DescribeWorkflowExecutionResponse, error) {

	f.polls++
	status, err := f.describe(f.polls)
	if err == errNoAnswer {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	d := &workflowservice.DescribeWorkflowExecutionResponse{
		WorkflowExecutionInfo: &workflow.WorkflowExecutionInfo{Status: status},
	}
	if f.polls <= f.waiting {
		d.PendingActivities = append(d.PendingActivities, &workflow.PendingActivityInfo{
			ActivityType: &common.ActivityType{Name: protocol.ActivityTrain},
			State:        enums.PENDING_ACTIVITY_STATE_SCHEDULED,
			Attempt:      1,
		})
	}
	d.PendingActivities = append(d.PendingActivities, f.pending...)
	if f.polls <= f.held {
		d.PendingActivities = append(d.PendingActivities, &workflow.PendingActivityInfo{
			ActivityType: &common.ActivityType{Name: protocol.ActivityTrain},
			State:        enums.PENDING_ACTIVITY_STATE_PAUSED,
			Paused:       true,
			Attempt:      2,
		})
	}
	return d, err
}

func (f *fakeServer) QueryWorkflow(ctx context.Context, _, _, _ string, _ ...any) (converter.EncodedValue, error) {
	p := f.progress(f.polls)
	if p == nil {
		if !f.quick {
			<-ctx.Done()
		}
		return nil, serviceerror.NewDeadlineExceeded("no poller")
	}
	b, err := converter.GetDefaultDataConverter().ToPayloads(p)
	return client.NewValue(b), err
}

// statusUntil is the status of a workflow that completes with a poll.
func statusUntil(end int) func(int) (enums.WorkflowExecutionStatus, error) {
	return func(poll int) (enums.WorkflowExecutionStatus, error) {
		if poll < end {
			return statusRunning, nil
		}
		return statusCompleted, nil
	}
}

// watch tells once of a server or a worker that does not answer, and of a run that
// gets no slot, and once of the end of that. It ends when the server is gone for too
// long, and at once if the store has all results.
func TestWatchOutages(t *testing.T) {
	const noServer, serverBack, noWorker = "the server does not answer", "the server answers again", "no worker answers"
	one := &protocol.Progress{Summary: protocol.Summary{Cells: 2, Completed: 1}}
	two := &protocol.Progress{Summary: protocol.Summary{Cells: 2, Completed: 2}}
	alwaysOne := func(int) *protocol.Progress { return one }
	alwaysTwo := func(int) *protocol.Progress { return two }
	killed := func(poll int) (enums.WorkflowExecutionStatus, error) {
		if poll > 1 {
			return 0, errNoAnswer
		}
		return statusRunning, nil
	}
	for _, x := range []struct {
		name        string
		server      fakeServer
		results     int    // in the store
		err         string // that it ends with, or empty
		least, most time.Duration
		lines       map[string]int // how often they come
	}{
		{
			name:    "server killed",
			server:  fakeServer{describe: killed, progress: alwaysOne},
			results: 1, err: "no answer within 3m0s", least: serverTimeout, most: serverTimeout + 3*pollTimeout,
			lines: map[string]int{noServer: 1, serverBack: 0, "1 of 2 runs done": 1},
		},
		{
			name:    "server killed, all results in the store",
			server:  fakeServer{describe: killed, progress: alwaysOne},
			results: 2, most: 2 * pollTimeout,
			lines: map[string]int{noServer: 0, "2 of 2 runs done": 1, "0 of 0": 0},
		},
		{
			name: "server restarted",
			server: fakeServer{
				describe: func(poll int) (enums.WorkflowExecutionStatus, error) {
					switch poll {
					case 1, 10:
						return statusRunning, nil
					case 11:
						return statusCompleted, nil
					}
					return 0, errNoAnswer
				},
				progress: func(poll int) *protocol.Progress {
					if poll == 11 {
						return two
					}
					return one
				},
			},
			results: 1, least: 8 * pollTimeout, most: serverTimeout,
			lines: map[string]int{noServer: 1, serverBack: 1, "2 of 2 runs done": 1},
		},
		{
			name: "worker gone before it told the end",
			server: fakeServer{describe: statusUntil(2), progress: func(poll int) *protocol.Progress {
				if poll == 1 {
					return one
				}
				return nil
			}},
			results: 2, most: 2 * pollTimeout,
			lines: map[string]int{noServer: 0, noWorker: 0, "2 of 2 runs done": 1, "0 of 0": 0},
		},
		{
			name: "no worker for long",
			server: fakeServer{describe: statusUntil(200), progress: func(poll int) *protocol.Progress {
				if poll < 199 {
					return nil
				}
				return two
			}},
			results: 1, least: 3 * serverTimeout, most: 10 * serverTimeout,
			lines: map[string]int{noServer: 0, noWorker: 1, "a worker answers": 1, "2 of 2 runs done": 1},
		},
		{
			name:    "no slot for long",
			server:  fakeServer{waiting: 100, describe: statusUntil(200), progress: alwaysTwo},
			results: 1, most: serverTimeout,
			lines: map[string]int{"no worker takes its runs yet": 1, "a worker takes them": 1},
		},
		{
			name:    "a slot soon",
			server:  fakeServer{waiting: 15, describe: statusUntil(30), progress: alwaysTwo},
			results: 1, most: serverTimeout,
			lines: map[string]int{"no worker takes": 0, "a worker takes": 0},
		},
		{
			name: "paused",
			server: fakeServer{waiting: 80, describe: statusUntil(200), progress: func(poll int) *protocol.Progress {
				switch {
				case poll == 20 || poll == 60 || poll == 120: // a worker that is busy misses a query
					return nil
				case poll < 5 || poll > 100:
					return two
				}
				return &protocol.Progress{Summary: one.Summary, State: plan.Paused}
			}},
			results: 2, most: serverTimeout,
			lines: map[string]int{
				"paused: nothing starts until sweep resume bad-": 1, "resumed: it goes on": 1, "no worker takes": 0,
				"a worker takes": 0, noWorker: 0, "unpause": 0,
			},
		},
		{
			name: "canceled while it is paused",
			server: fakeServer{
				describe: func(poll int) (enums.WorkflowExecutionStatus, error) {
					if poll < 10 {
						return statusRunning, nil
					}
					return enums.WORKFLOW_EXECUTION_STATUS_CANCELED, nil
				},
				progress: func(int) *protocol.Progress {
					return &protocol.Progress{Summary: one.Summary, State: plan.Paused}
				},
			},
			results: 1, err: "was canceled", most: serverTimeout,
			lines: map[string]int{"sweep resume bad-": 1, "resumed": 0},
		},
		{
			name:    "each run is paused by itself",
			server:  fakeServer{held: 100, describe: statusUntil(200), progress: alwaysTwo},
			results: 2, most: serverTimeout,
			lines: map[string]int{"unpause them in the Web UI": 1, "an activity goes on": 1, "no worker takes": 0, "resume": 0},
		},
		{
			name: "unknown to the server",
			server: fakeServer{describe: func(int) (enums.WorkflowExecutionStatus, error) {
				return 0, serviceerror.NewNotFound("workflow not found")
			}},
			results: 1, err: "workflow not found", most: pollInterval,
			lines: map[string]int{noServer: 0},
		},
	} {
		t.Run(x.name, func(t *testing.T) {
			l, header := planWithResults(t, x.results)
			synctest.Test(t, func(t *testing.T) {
				var out bytes.Buffer
				began := time.Now()
				srv := &server{client: &x.server, alive: alwaysAlive}
				_, err := watch(t.Context(), &environment{errOut: &out}, srv, l, header)
				if x.err == "" && err != nil || x.err != "" && (err == nil || !strings.Contains(err.Error(), x.err)) {
					t.Errorf("error %v, want %q", err, x.err)
				}
				if took := time.Since(began); took < x.least || took > x.most {
					t.Errorf("took %v, want %v to %v", took, x.least, x.most)
				}
				for line, n := range x.lines {
					if got := strings.Count(out.String(), line); got != n {
						t.Errorf("%q came %d times, want %d:\n%s", line, got, n, out.String())
					}
				}
			})
		})
	}
}

// storePlan stores the plan of a grid in a store at path.
func storePlan(t *testing.T, path, src string) (storage.Store, *plan.Plan) {
	t.Helper()
	store, err := openStore(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	backend, err := backendFor("cpu")
	if err != nil {
		t.Fatal(err)
	}
	env := &environment{errOut: io.Discard}
	planned, err := planGrid(t.Context(), env, gridOptions{path: writeGrid(t, src)}, plan.Estimates{Bytes: backend.bytes})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := planned.store(t.Context(), env, ledger.New(store)); err != nil {
		t.Fatal(err)
	}
	return store, planned.plan
}

// planWithResults is a store with a plan of two cells and results of the first n.
func planWithResults(t *testing.T, n int) (*ledger.Ledger, *plan.Header) {
	t.Helper()
	store, p := storePlan(t, t.TempDir(), gridWith())
	l := ledger.New(store)
	for _, c := range p.Cells[:n] {
		if err := l.StoreResult(t.Context(), p.RunID(c.ID), ledger.Result{}); err != nil {
			t.Fatal(err)
		}
	}
	return l, &p.Header
}
