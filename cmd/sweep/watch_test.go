package main

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	commonpb "go.temporal.io/api/common/v1"
	"go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"
	workflowpb "go.temporal.io/api/workflow/v1"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/converter"

	"github.com/topksweep/sweep/storage"
	"github.com/topksweep/sweep/sweep/ledger"
	"github.com/topksweep/sweep/sweep/plan"
	"github.com/topksweep/sweep/sweep/protocol"
)

const (
	running   = enums.WORKFLOW_EXECUTION_STATUS_RUNNING
	completed = enums.WORKFLOW_EXECUTION_STATUS_COMPLETED
)

// A moody server answers, or keeps silent until whoever asked gives up.
type moody struct {
	client.Client
	looks    int
	describe func(look int) (enums.WorkflowExecutionStatus, error)
	progress func(look int) *protocol.Progress // nil: no worker answers
	untaken  int                               // looks at first in which a run waits for a slot
}

var errSilent = errors.New("silent")

func (m *moody) DescribeWorkflowExecution(ctx context.Context, _, _ string) (*workflowservice.DescribeWorkflowExecutionResponse, error) {
	m.looks++
	status, err := m.describe(m.looks)
	if err == errSilent {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	d := &workflowservice.DescribeWorkflowExecutionResponse{WorkflowExecutionInfo: &workflowpb.WorkflowExecutionInfo{Status: status}}
	if m.looks <= m.untaken {
		d.PendingActivities = append(d.PendingActivities, &workflowpb.PendingActivityInfo{
			ActivityType: &commonpb.ActivityType{Name: protocol.ActivityTrain}, State: enums.PENDING_ACTIVITY_STATE_SCHEDULED, Attempt: 1,
		})
	}
	return d, err
}

func (m *moody) QueryWorkflow(ctx context.Context, _, _, _ string, _ ...any) (converter.EncodedValue, error) {
	p := m.progress(m.looks)
	if p == nil {
		<-ctx.Done()
		return nil, serviceerror.NewDeadlineExceeded("no poller")
	}
	b, err := converter.GetDefaultDataConverter().ToPayloads(p)
	return client.NewValue(b), err
}

// Who watches is told of a server or a worker that is silent, once, goes on when
// it is back, and ends when it is not, with the results if they are all there.
func TestWatchSilence(t *testing.T) {
	const gone, back, idle = "the server does not answer", "the server answers again", "no worker answers"
	some, all := &protocol.Progress{Summary: protocol.Summary{Cells: 2, Completed: 1}}, &protocol.Progress{Summary: protocol.Summary{Cells: 2, Completed: 2}}
	always := func(s enums.WorkflowExecutionStatus, err error) func(int) (enums.WorkflowExecutionStatus, error) {
		return func(int) (enums.WorkflowExecutionStatus, error) { return s, err }
	}
	dies := func(look int) (enums.WorkflowExecutionStatus, error) {
		if look > 1 {
			return 0, errSilent
		}
		return running, nil
	}
	for name, x := range map[string]struct {
		server  moody
		results int           // in the store
		err     string        // that it ends with, or none
		least   time.Duration // that it takes
		most    time.Duration
		said    map[string]int // how often
	}{
		"killed": {moody{describe: dies, progress: func(int) *protocol.Progress { return some }}, 1, "no answer within 3m0s", serverTimeout, serverTimeout + 3*pollTimeout,
			map[string]int{gone: 1, back: 0, "1 of 2 runs done": 1}},
		"killed, all results there": {moody{describe: dies, progress: func(int) *protocol.Progress { return some }}, 2, "", 0, 2 * pollTimeout,
			map[string]int{gone: 0, "2 of 2 runs done": 1, "0 of 0": 0}},
		"restarted": {moody{describe: func(look int) (enums.WorkflowExecutionStatus, error) {
			switch look {
			case 1, 10:
				return running, nil
			case 11:
				return completed, nil
			}
			return 0, errSilent
		}, progress: func(look int) *protocol.Progress {
			if look == 11 {
				return all
			}
			return some
		}}, 1, "", 8 * pollTimeout, serverTimeout, map[string]int{gone: 1, back: 1, "2 of 2 runs done": 1}},
		"worker gone before the end was told": {moody{describe: func(look int) (enums.WorkflowExecutionStatus, error) {
			if look == 1 {
				return running, nil
			}
			return completed, nil
		}, progress: func(look int) *protocol.Progress {
			if look == 1 {
				return some
			}
			return nil
		}}, 2, "", 0, 2 * pollTimeout, map[string]int{gone: 0, idle: 0, "2 of 2 runs done": 1, "0 of 0": 0}},
		"no worker for long": {moody{describe: func(look int) (enums.WorkflowExecutionStatus, error) {
			if look < 200 {
				return running, nil
			}
			return completed, nil
		}, progress: func(look int) *protocol.Progress {
			if look < 199 {
				return nil
			}
			return all
		}}, 1, "", 3 * serverTimeout, 10 * serverTimeout, map[string]int{gone: 0, idle: 1, "a worker answers": 1, "2 of 2 runs done": 1}},
		"no slot for long": {moody{untaken: 100, describe: func(look int) (enums.WorkflowExecutionStatus, error) {
			if look < 200 {
				return running, nil
			}
			return completed, nil
		}, progress: func(int) *protocol.Progress { return all }}, 1, "", 0, serverTimeout, map[string]int{"no worker takes its runs yet": 1, "a worker takes them": 1}},
		"a slot soon": {moody{untaken: 15, describe: func(look int) (enums.WorkflowExecutionStatus, error) {
			if look < 30 {
				return running, nil
			}
			return completed, nil
		}, progress: func(int) *protocol.Progress { return all }}, 1, "", 0, serverTimeout, map[string]int{"no worker takes": 0, "a worker takes": 0}},
		"unknown to the server": {moody{describe: always(0, serviceerror.NewNotFound("workflow not found"))}, 1, "workflow not found", 0, pollInterval,
			map[string]int{gone: 0}},
	} {
		t.Run(name, func(t *testing.T) {
			store, header := planAndResults(t, x.results)
			synctest.Test(t, func(t *testing.T) {
				var out bytes.Buffer
				began := time.Now()
				_, err := (&app{err: &out}).watch(t.Context(), &x.server, ledger.New(store), header, alwaysThere)
				if x.err == "" && err != nil || x.err != "" && (err == nil || !strings.Contains(err.Error(), x.err)) {
					t.Errorf("error %v, want %q", err, x.err)
				}
				if took := time.Since(began); took < x.least || took > x.most {
					t.Errorf("took %v, want %v to %v", took, x.least, x.most)
				}
				for line, n := range x.said {
					if got := strings.Count(out.String(), line); got != n {
						t.Errorf("%q came %d times, want %d:\n%s", line, got, n, out.String())
					}
				}
			})
		})
	}
}

// planAndResults is a store with a plan of two cells and results of the first n.
func planAndResults(t *testing.T, n int) (storage.Store, *plan.Header) {
	t.Helper()
	store, err := openStore(t.Context(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	_, bytes, err := backendFor("cpu")
	if err != nil {
		t.Fatal(err)
	}
	planned, err := (&gridFlags{}).plan(t.Context(), write(t, base(nil)), plan.Estimates{Bytes: bytes})
	if err != nil {
		t.Fatal(err)
	}
	header, _, err := planned.save(t.Context(), store)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range planned.plan.Cells[:n] {
		if err := storage.PutJSON(t.Context(), store, ledger.ResultKey(header.RunID(c.ID)), ledger.Result{}); err != nil {
			t.Fatal(err)
		}
	}
	return store, header
}
