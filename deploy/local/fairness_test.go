//go:build !noserver

package local

import (
	"context"
	"fmt"
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
)

const (
	workflows = "workflows" // the queue of the workflows
	slots     = "slots"     // the queue of their activities
)

// batch asks for activities, all at once.
type batch struct {
	Name     string // of the activities, and their fairness key
	N        int
	Priority int
}

// runBatch is a workflow that runs the activities of a batch.
func runBatch(ctx workflow.Context, b batch) error {
	ctx = workflow.WithActivityOptions(ctx, workflow.ActivityOptions{
		TaskQueue: slots, StartToCloseTimeout: time.Minute,
		Priority: temporal.Priority{PriorityKey: b.Priority, FairnessKey: b.Name},
	})
	var all []workflow.Future
	for range b.N {
		all = append(all, workflow.ExecuteActivity(ctx, "take", b.Name))
	}
	for _, f := range all {
		if err := f.Get(ctx, nil); err != nil {
			return err
		}
	}
	return nil
}

// startWorkflows runs a worker for batches, which runs none of their activities, until stop.
func startWorkflows(t *testing.T, c client.Client) (stop func()) {
	t.Helper()
	w := worker.New(c, workflows, worker.Options{})
	w.RegisterWorkflowWithOptions(runBatch, workflow.RegisterOptions{Name: "batch"})
	if err := w.Start(); err != nil {
		t.Fatal(err)
	}
	return func() {
		w.Stop()
		worker.PurgeStickyWorkflowCache() // it holds goroutines of workflows that have not ended
	}
}

// queue starts a batch and waits until all its activities are in the queue, where backlog
// lie then.
func queue(t *testing.T, c client.Client, b batch, backlog int64) {
	t.Helper()
	options := client.StartWorkflowOptions{ID: b.Name, TaskQueue: workflows}
	if _, err := c.ExecuteWorkflow(t.Context(), options, "batch", b); err != nil {
		t.Fatal(err)
	}
	eventually(t, fmt.Sprintf("%d tasks in the queue", backlog), func(ctx context.Context) (bool, error) {
		n, err := backlogOf(ctx, c)
		if n == backlog {
			return true, err
		}
		return false, fmt.Errorf("%d tasks, %w", n, err)
	})
}

// backlogOf returns how many activities wait.
func backlogOf(ctx context.Context, c client.Client) (int64, error) {
	const activities = enums.TASK_QUEUE_TYPE_ACTIVITY
	d, err := c.WorkflowService().DescribeTaskQueue(ctx, &workflowservice.DescribeTaskQueueRequest{
		Namespace: DefaultNamespace, TaskQueue: &taskqueue.TaskQueue{Name: slots}, TaskQueueType: activities,
		ReportStats: true,
	})
	return d.GetStats().GetApproximateBacklogCount(), err
}

// dispatched runs a worker with one slot until n activities have run, and returns their
// names in order.
func dispatched(t *testing.T, c client.Client, n int) []string {
	t.Helper()
	var mu sync.Mutex
	var names []string
	w := worker.New(c, slots, worker.Options{
		DisableWorkflowWorker: true, MaxConcurrentActivityExecutionSize: 1, MaxConcurrentActivityTaskPollers: 1,
	})
	w.RegisterActivityWithOptions(func(name string) error {
		mu.Lock()
		defer mu.Unlock()
		names = append(names, name)
		return nil
	}, activity.RegisterOptions{Name: "take"})
	if err := w.Start(); err != nil {
		t.Fatal(err)
	}
	defer w.Stop()
	eventually(t, "all activities", func(context.Context) (bool, error) {
		mu.Lock()
		defer mu.Unlock()
		return len(names) >= n, fmt.Errorf("%d of %d have run", len(names), n)
	})
	return names
}

// last returns the place of the last activity of a name, from 1.
func last(names []string, name string) int {
	for i, n := range slices.Backward(names) {
		if n == name {
			return i + 1
		}
	}
	return 0
}

// Few tasks of one key do not wait behind many of another, and a better priority goes
// before both.
func TestFairness(t *testing.T) {
	c := dial(t, start(t, t.TempDir(), nil), DefaultNamespace)
	defer startWorkflows(t, c)()
	queue(t, c, batch{"large", 200, 3}, 200)
	queue(t, c, batch{"small", 4, 3}, 204)
	queue(t, c, batch{"first", 3, 2}, 207)
	names := dispatched(t, c, 207)
	if got := last(names, "first"); got > 4 { // one task may have been taken before its priority was known
		t.Errorf("the first three were done after %d: %v", got, names[:10])
	}
	if got := last(names, "small"); got > 3+10 {
		t.Errorf("four tasks were done after %d", got)
	}
	if n := strings.Count(strings.Join(names, " "), "large"); n != 200 || len(names) != 207 {
		t.Errorf("%d of %d activities were of the large batch", n, len(names))
	}
}

// A server of an earlier version had queues without fairness. What waits in them is run.
func TestFairnessAfterNone(t *testing.T) {
	dir := t.TempDir()
	t.Run("without", func(t *testing.T) {
		c := dial(t, start(t, dir, func(o *Options) { o.withoutFairness = true }), DefaultNamespace)
		defer startWorkflows(t, c)()
		queue(t, c, batch{"old", 50, 3}, 50)
		queue(t, c, batch{"older", 20, 5}, 70)
	})
	t.Run("with", func(t *testing.T) {
		c := dial(t, start(t, dir, nil), DefaultNamespace)
		defer startWorkflows(t, c)()
		options := client.StartWorkflowOptions{ID: "new", TaskQueue: workflows}
		if _, err := c.ExecuteWorkflow(t.Context(), options, "batch", batch{"new", 4, 3}); err != nil {
			t.Fatal(err)
		}
		names := dispatched(t, c, 74)
		for name, want := range map[string]int{"old": 50, "older": 20, "new": 4} {
			if n := len(slices.DeleteFunc(slices.Clone(names), func(s string) bool { return s != name })); n != want {
				t.Errorf("%d activities of %s have run; want %d", n, name, want)
			}
		}
		for _, id := range []string{"old", "older", "new"} {
			if err := c.GetWorkflow(t.Context(), id, "").Get(t.Context(), nil); err != nil {
				t.Errorf("%s: %v", id, err)
			}
		}
	})
}
