package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"go.temporal.io/api/common/v1"
	"go.temporal.io/api/enums/v1"
	"go.temporal.io/api/workflow/v1"
	"go.temporal.io/sdk/converter"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/topksweep/sweep/storage"
	"github.com/topksweep/sweep/sweep/ledger"
	"github.com/topksweep/sweep/sweep/observe"
	"github.com/topksweep/sweep/sweep/plan"
	"github.com/topksweep/sweep/sweep/protocol"
	"github.com/topksweep/sweep/trainer"
)

// stageOf is a stage that a worker trains or evaluates, as a server tells of it.
func stageOf(t *testing.T, id, kind string, beat protocol.Heartbeat) *workflow.PendingActivityInfo {
	t.Helper()
	details, err := converter.GetDefaultDataConverter().ToPayloads(beat)
	if err != nil {
		t.Fatal(err)
	}
	return &workflow.PendingActivityInfo{
		ActivityId: id, ActivityType: &common.ActivityType{Name: kind}, State: enums.PENDING_ACTIVITY_STATE_STARTED,
		Attempt: 1, LastStartedTime: timestamppb.New(time.Unix(100, 0)),
		LastHeartbeatTime: timestamppb.New(time.Unix(200, 0)), LastWorkerIdentity: observe.Identity(1, "gpu-7", "cpu", 4),
		HeartbeatDetails: details,
	}
}

// Status tells of each run in flight who has it, also of those that share a stage, and with -o json under these keys.
func TestStatusOfRunsInFlight(t *testing.T) {
	beat := protocol.Heartbeat{
		Cell: 0, Cells: 2, Step: 7, Steps: 100, Loss: 0.5, Device: "a device", Saved: time.Unix(150, 0), At: 5,
	}
	trunk := stageOf(t, "cells 0+1 (k=1) steps 0-100", protocol.ActivityTrain, beat)
	ofFirst := stageOf(t, "evaluate cell 0 (k=1)", protocol.ActivityEval, protocol.Heartbeat{Cell: 0, Step: 1, Steps: 1})
	both := &protocol.Progress{Running: []int{0, 1}, FirstCells: []int{0, 0}}
	for _, x := range []struct {
		name     string
		pending  *workflow.PendingActivityInfo
		progress *protocol.Progress // nil: no worker answers
		want     []plan.Status
		shared   bool // what is said of the second run is that of the first
	}{
		{"a stage of both", trunk, both, []plan.Status{plan.Training, plan.Training}, true},
		{"evaluated one by one", ofFirst, both, []plan.Status{plan.Evaluating, plan.Waiting}, false},
		{"no worker answers", trunk, nil, []plan.Status{plan.Training, plan.Pending}, false},
		{"before a stage is scheduled", nil, both, []plan.Status{plan.Waiting, plan.Waiting}, false},
		{"nothing in flight", nil, &protocol.Progress{State: plan.Paused}, []plan.Status{plan.Pending, plan.Pending}, false},
	} {
		t.Run(x.name, func(t *testing.T) {
			l, header := planWithResults(t, 0)
			fake := &fakeServer{
				describe: func(int) (enums.WorkflowExecutionStatus, error) { return statusRunning, nil },
				progress: func(int) *protocol.Progress { return x.progress },
				quick:    true,
			}
			if x.pending != nil {
				fake.pending = append(fake.pending, x.pending)
			}
			var errOut bytes.Buffer
			env := &environment{errOut: &errOut}
			s, _, err := statusOf(t.Context(), env, l, &server{client: fake}, header, plan.Idle, true)
			if err != nil {
				t.Fatal(err)
			}
			if got := strings.Contains(errOut.String(), "no worker answers"); got != (x.progress == nil) {
				t.Errorf("note: %q", errOut.String())
			}
			want := plan.Training
			if x.progress != nil && x.progress.State != "" {
				want = x.progress.State
			}
			if s.State != want || len(s.Runs) != 2 || s.Runs[0].Status != x.want[0] || s.Runs[1].Status != x.want[1] {
				t.Errorf("%s: %+v", s.State, s.Runs)
			}
			if x.pending == nil {
				return
			}
			if r := s.Runs[0]; r.Host != "gpu-7" || r.Worker != "1@gpu-7 (cpu, 4 slots)" || !r.Since.Equal(time.Unix(100, 0)) {
				t.Errorf("%+v", r)
			}
			if r := s.Runs[1]; (r.Host != "") != x.shared || (r.sharedWith == s.Runs[0].Cell) != x.shared {
				t.Errorf("the second run: %+v", r)
			}
			text, err := json.Marshal(s.Runs[0])
			if err != nil {
				t.Fatal(err)
			}
			for _, key := range []string{"cell", "label", "status", "progress", "worker", "host", "since"} {
				if !strings.Contains(string(text), `"`+key+`":`) {
					t.Errorf("no %s in %s", key, text)
				}
			}
			if x.pending != trunk {
				return
			}
			for _, part := range []string{
				`"device":"a device"`, `"checkpoint_at":"1970-01-01T`, `"checkpoint_step":5`,
			} {
				if !strings.Contains(string(text), part) {
					t.Errorf("no %s in %s", part, text)
				}
			}
		})
	}
}

// Metrics are read where they are asked for. A result that is damaged, or gone since it was listed, is no error.
func TestStatusMetrics(t *testing.T) {
	l, header := planWithResults(t, 0)
	cells, err := l.Cells(t.Context(), header, 0)
	if err != nil {
		t.Fatal(err)
	}
	nmse := 0.25
	r := ledger.NewResult(header, cells[0], plan.Completed)
	r.Metrics = trainer.Metrics{NMSE: &nmse, L2Loss: 2, L0: 3, DeadLatents: 4, DeadFraction: 0.5}
	if err := l.StoreResult(t.Context(), header.RunID(cells[0].ID), r); err != nil {
		t.Fatal(err)
	}
	if err := l.StoreResult(t.Context(), header.RunID(cells[1].ID), ledger.Result{}); err != nil { // another run's
		t.Fatal(err)
	}
	for _, metrics := range []bool{false, true} {
		s, _, err := statusOf(t.Context(), &environment{}, l, nil, header, plan.Idle, metrics)
		if err != nil {
			t.Fatal(err)
		}
		if got := s.Runs[0].Metrics; (got != nil) != metrics || metrics && (*got.NMSE != nmse || got.AuxKLoss != nil) {
			t.Errorf("metrics %+v", got)
		}
		if damaged := s.Runs[1]; metrics && (damaged.Status != plan.Pending || damaged.Error != ledger.DamagedResult) {
			t.Errorf("a damaged result: %+v", damaged)
		}
	}
}

// An error of a read ends them all.
func TestReadsEnd(t *testing.T) {
	l, header := planWithResults(t, 0)
	r := newReads(t.Context(), l, header)
	broken := errors.New("the disk is broken")
	for i := range 100 {
		r.start(func() (func([]runState), error) {
			if i == 3 {
				return nil, broken
			}
			return func([]runState) {}, nil
		})
	}
	if err := r.wait(nil); !errors.Is(err, broken) {
		t.Errorf("%v", err)
	}
}

// A meetingStore counts the reads of results and notes, and holds each up until so many are under way at once.
type meetingStore struct {
	storage.Store
	reads, together atomic.Int32
	met             chan struct{}
	size            int32
}

func (s *meetingStore) Get(ctx context.Context, key string) (io.ReadCloser, error) {
	if strings.HasPrefix(key, "results/") || strings.Contains(key, "/failures/") {
		s.reads.Add(1)
		if s.together.Add(1) == s.size {
			close(s.met)
		}
		select {
		case <-s.met:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	return s.Store.Get(ctx, key)
}

// Status reads no result unless metrics are asked for, and then several at a time; of pending cells it reads no note.
func TestStatusReads(t *testing.T) {
	const many = 300 // cells, of more than one chunk
	store, p := storePlan(t, t.TempDir(), gridWith("parameters: {seed: ["+numbers(many)+"], k: [2]}"))
	header, env := &p.Header, &environment{errOut: io.Discard}
	const done = 2 * readsAtATime
	for _, c := range p.Cells[:done] {
		r := ledger.NewResult(header, c, plan.Completed)
		if err := ledger.New(store).StoreResult(t.Context(), header.RunID(c.ID), r); err != nil {
			t.Fatal(err)
		}
	}
	for _, x := range []struct {
		metrics bool
		reads   int32
	}{{false, 0}, {true, done}} {
		meeting := &meetingStore{Store: store, met: make(chan struct{}), size: readsAtATime}
		s, _, err := statusOf(t.Context(), env, ledger.New(meeting), nil, header, plan.Idle, x.metrics)
		if err != nil || s.Completed != done || len(s.Runs) != many {
			t.Fatalf("%d of %d runs, %v", s.Completed, len(s.Runs), err)
		}
		if got := meeting.reads.Load(); got != x.reads {
			t.Errorf("metrics %t: %d reads, want %d", x.metrics, got, x.reads)
		}
	}
	failed := ledger.NewResult(header, p.Cells[many-1], plan.Failed)
	if err := ledger.New(store).StoreFailure(t.Context(), header.ID, failed); err != nil {
		t.Fatal(err)
	}
	meeting := &meetingStore{Store: store, met: make(chan struct{}), size: 1}
	s, _, err := statusOf(t.Context(), env, ledger.New(meeting), nil, header, plan.Idle, false)
	if err != nil || s.Runs[many-1].Status != plan.Failed {
		t.Fatalf("%+v, %v", s.Runs[many-1], err)
	}
	if got := meeting.reads.Load(); got > 2 { // one to count it, one to tell why
		t.Errorf("%d reads for one note", got)
	}
}
