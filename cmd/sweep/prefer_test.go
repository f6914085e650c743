//go:build !noserver

package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.temporal.io/api/enums/v1"
	"go.temporal.io/api/taskqueue/v1"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"

	"github.com/topksweep/sweep/deploy/local"
	"github.com/topksweep/sweep/sweep/protocol"
)

// serve starts a real server and connects to it.
func serve(t *testing.T, dir string) *server {
	t.Helper()
	options := local.Options{Dir: dir, GRPCPort: -1, UIPort: -1, SearchAttributes: searchAttributes()}
	s, err := local.Start(t.Context(), options)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Stop(); err != nil {
			t.Error(err)
		}
	})
	to := embeddedOptions(s.HostPort, local.DefaultNamespace, s.TLS)
	srv, err := connect(t.Context(), to, nil, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(srv.close)
	return srv
}

// queuesStages is a workflow that asks for as many stages as a sweep has cells, all at once.
func queuesStages(ctx workflow.Context, in protocol.SweepInput) error {
	ctx = workflow.WithActivityOptions(ctx, workflow.ActivityOptions{
		TaskQueue: in.TrainQueue, StartToCloseTimeout: time.Minute,
		Priority: temporal.Priority{PriorityKey: 3, FairnessKey: protocol.FairnessKey(in.Sweep)},
	})
	var all []workflow.Future
	for range in.Size.Cells {
		all = append(all, workflow.ExecuteActivity(ctx, protocol.ActivityTrain, in.Sweep))
	}
	for _, f := range all {
		if err := f.Get(ctx, nil); err != nil {
			return err
		}
	}
	return nil
}

// stagesWaiting returns how many activities wait in a queue.
func stagesWaiting(ctx context.Context, srv *server, queue string) int {
	d, err := srv.client.WorkflowService().DescribeTaskQueue(ctx, &workflowservice.DescribeTaskQueueRequest{
		Namespace: srv.namespace, TaskQueue: &taskqueue.TaskQueue{Name: queue},
		TaskQueueType: enums.TASK_QUEUE_TYPE_ACTIVITY, ReportStats: true,
	})
	if err != nil {
		return -1
	}
	return int(d.GetStats().GetApproximateBacklogCount())
}

// The sweep that run was asked for does not wait behind one that was queued before.
func TestPreferred(t *testing.T) {
	srv, queue := serve(t, t.TempDir()), protocol.TrainQueue("cpu")
	light := worker.New(srv.client, protocol.Queue, worker.Options{})
	light.RegisterWorkflowWithOptions(queuesStages, workflow.RegisterOptions{Name: protocol.WorkflowSweep})
	if err := light.Start(); err != nil {
		t.Fatal(err)
	}
	defer light.Stop()
	const before, own = 60, 20
	start := func(id string, stages, waiting int) {
		in := protocol.SweepInput{Sweep: id, TrainQueue: queue}
		in.Size.Cells = stages
		options := client.StartWorkflowOptions{ID: id, TaskQueue: protocol.Queue}
		if _, err := srv.client.ExecuteWorkflow(t.Context(), options, protocol.WorkflowSweep, in); err != nil {
			t.Fatal(err)
		}
		waitFor(t, fmt.Sprintf("%d stages in the queue", waiting), func() bool {
			return stagesWaiting(t.Context(), srv, queue) == waiting
		})
	}
	log := slog.New(slog.DiscardHandler)
	start("before", before, before)
	prefer(t.Context(), srv, "cpu", "own", log)
	start("own", own, before+own)

	var mu sync.Mutex
	var trained []string
	training := worker.New(srv.client, queue, worker.Options{
		DisableWorkflowWorker: true, MaxConcurrentActivityExecutionSize: 1, MaxConcurrentActivityTaskPollers: 1,
	})
	training.RegisterActivityWithOptions(func(sweep string) error {
		mu.Lock()
		defer mu.Unlock()
		trained = append(trained, sweep)
		return nil
	}, activity.RegisterOptions{Name: protocol.ActivityTrain})
	if err := training.Start(); err != nil {
		t.Fatal(err)
	}
	defer training.Stop()
	for _, id := range []string{"before", "own"} {
		if err := srv.client.GetWorkflow(t.Context(), id, "").Get(t.Context(), nil); err != nil {
			t.Fatal(err)
		}
	}
	// Taking turns would take 2·own. The server may have handed out a few stages before.
	if first := trained[:own+5]; strings.Count(strings.Join(first, " "), "own") != own {
		t.Errorf("of the first %d stages: %v", own+5, first)
	}
}

// A preference ends with clearPreferred. A weight that somebody has set by hand stays.
func TestClearPreferred(t *testing.T) {
	srv, log := serve(t, t.TempDir()), slog.New(slog.DiscardHandler)
	prefer(t.Context(), srv, "cpu", "a", log)
	prefer(t.Context(), srv, "cuda", strings.Repeat("b", 100), log)
	for _, queue := range []string{"sweep-cpu", "sweep-cuda"} {
		if err := setWeights(t.Context(), srv, queue, map[string]float32{"hand": 3}, nil); err != nil {
			t.Fatal(err)
		}
		if keys, err := preferredKeys(t.Context(), srv, queue); err != nil || len(keys) != 1 {
			t.Errorf("%s prefers %v, %v", queue, keys, err)
		}
	}
	clearPreferred(t.Context(), srv, log)
	for _, queue := range []string{"sweep-cpu", "sweep-cuda"} {
		waitFor(t, "no preference in "+queue, func() bool {
			keys, err := preferredKeys(t.Context(), srv, queue)
			return err == nil && len(keys) == 0
		})
		if weight := weightOf(t, srv, queue, "hand"); weight != 3 {
			t.Errorf("%s: the weight set by hand is %v", queue, weight)
		}
	}
}

// weightOf returns the weight that a queue has for a fairness key; 0 for none.
func weightOf(t *testing.T, srv *server, queue, key string) float32 {
	t.Helper()
	d, err := srv.client.WorkflowService().DescribeTaskQueue(t.Context(), &workflowservice.DescribeTaskQueueRequest{
		Namespace: srv.namespace, TaskQueue: &taskqueue.TaskQueue{Name: queue},
		TaskQueueType: enums.TASK_QUEUE_TYPE_ACTIVITY, ReportConfig: true,
	})
	if err != nil {
		t.Fatal(err)
	}
	return d.GetConfig().GetFairnessWeightOverrides()[key]
}

// A server that knows no preference is no error, and the log says so.
func TestPreferenceRefused(t *testing.T) {
	_, srv := dialGRPCServer(t, "research")
	var text written
	log := slog.New(slog.NewTextHandler(&text, &slog.HandlerOptions{Level: slog.LevelDebug}))
	prefer(t.Context(), srv, "cpu", "a", log)
	clearPreferred(t.Context(), srv, log)
	if got := text.String(); strings.Count(got, "level=DEBUG") != 3 || strings.Count(got, "\n") != 3 {
		t.Errorf("log:\n%s", got)
	}
}

// run prefers its sweep, and the next server on the same state directory does not.
func TestRunPrefersItsSweep(t *testing.T) {
	dir := t.TempDir()
	long := writeGrid(t, changed(t, smallGrid, "steps: 1500", "steps: 1000000", "name: small", "name: long"))
	p := startProgram(t, dir, "run", long, "--no-ui", "--slots", "1")
	srv := connectTo(t, dir, p)
	var keys []string
	waitFor(t, "a preference", func() bool {
		var err error
		keys, err = preferredKeys(t.Context(), srv, protocol.TrainQueue("cpu"))
		return err == nil && len(keys) > 0
	})
	if len(keys) != 1 || !strings.HasPrefix(keys[0], "long-") {
		t.Errorf("run prefers %v", keys)
	}
	srv.close()
	p.Process.Kill()
	p.exitStatus(t)

	up, _ := startServer(t, dir, "--slots", "1")
	srv = connectTo(t, dir, up)
	waitFor(t, "the end of the preference", func() bool {
		keys, err := preferredKeys(t.Context(), srv, protocol.TrainQueue("cpu"))
		return err == nil && len(keys) == 0
	})
	srv.close()
	up.terminate(t)
}

// connectTo connects to the server that a program runs on a state directory.
func connectTo(t *testing.T, dir string, p *program) (srv *server) {
	t.Helper()
	withoutTemporalVariables(t)
	waitFor(t, "the server", func() bool {
		if len(p.done) > 0 {
			t.Fatalf("%v has ended:\n%s", p.Args[1:], p.err.String())
		}
		var err error
		srv, err = (&connection{}).dial(t.Context(), &environment{}, dir, nil)
		if err != nil && !errors.Is(err, errNoServer) {
			t.Log(err)
		}
		return err == nil
	})
	return srv
}

// A server whose database has no room for all search attributes starts, and says which are left out. One of an earlier
// version gets those that are new.
func TestAttributesOfOlderServers(t *testing.T) {
	const integer, keywordType = enums.INDEXED_VALUE_TYPE_INT, enums.INDEXED_VALUE_TYPE_KEYWORD
	quick := writeGrid(t, changed(t, smallGrid, "steps: 1500", "steps: 50"))
	for name, c := range map[string]struct {
		had   map[string]enums.IndexedValueType
		lacks []string
	}{
		"earlier version": {map[string]enums.IndexedValueType{"SweepName": keywordType, "SweepCells": integer}, nil},
		"no room": {
			map[string]enums.IndexedValueType{"A": integer, "B": integer, "C": integer},
			[]string{"SweepCells", "SweepDone", "SweepFailed"},
		},
		"other type": {map[string]enums.IndexedValueType{"SweepState": integer, "SweepOwner": integer},
			[]string{"SweepFailed", "SweepDone", "SweepOwner", "SweepState"}},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			s, err := local.Start(t.Context(), local.Options{Dir: dir, GRPCPort: -1, UIPort: -1, SearchAttributes: c.had})
			if err != nil {
				t.Fatal(err)
			}
			if err := s.Stop(); err != nil {
				t.Fatal(err)
			}
			p := startProgram(t, dir, "run", quick, "--no-ui")
			if status := p.exitStatus(t); status != exitOK {
				t.Fatalf("status %d\n%s", status, p.err.String())
			}
			text := p.err.String()
			if got := strings.Count(text, "search attribute"); got != len(c.lacks) {
				t.Errorf("%d notes, want %d:\n%s", got, len(c.lacks), text)
			}
			for _, name := range c.lacks {
				if !strings.Contains(text, "note: sweeps go without a search attribute "+name+": ") {
					t.Errorf("nothing about %s:\n%s", name, text)
				}
			}
			srv := serve(t, dir)
			known := knownAttributes(t.Context(), t.Output(), srv)
			if got := len(searchAttributes()) - len(known); got != len(c.lacks) {
				t.Errorf("it has %v", known)
			}
			if slices.Contains(known, protocol.AttrName) {
				countOf(t, srv, "SweepName = 'small'", 1)
			}
		})
	}
}

// countOf waits until a query finds as many sweeps: the server indexes them in the background.
func countOf(t *testing.T, srv *server, query string, want int64) {
	t.Helper()
	waitFor(t, fmt.Sprintf("%d sweeps by %s", want, query), func() bool {
		n, err := srv.client.CountWorkflow(t.Context(), &workflowservice.CountWorkflowExecutionsRequest{Query: query})
		if err != nil {
			t.Fatalf("%s: %v", query, err)
		}
		return n.Count == want
	})
}
