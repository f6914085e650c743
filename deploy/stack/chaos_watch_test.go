//go:build unix

package stack_test

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"go.temporal.io/api/enums/v1"

	"github.com/topksweep/sweep/sweep/protocol"
)

// readLogs finds out which worker trains which run, and returns those that have begun or resumed one.
func (c *chaos) readLogs() (begun []*chaosWorker) {
	for _, w := range c.workers {
		for _, line := range w.newLines(c.t) {
			if !strings.Contains(line, "msg=training ") {
				continue
			}
			for _, f := range strings.Fields(line) {
				if cell, ok := strings.CutPrefix(f, "cell="); ok {
					for _, other := range c.workers { // the worker that trained it before has lost it
						if other.run == cell {
							other.run = ""
						}
					}
					w.run = cell
				}
			}
			begun = append(begun, w)
		}
	}
	return begun
}

// newLines returns the complete lines of the log that were not read before.
func (w *chaosWorker) newLines(t *testing.T) []string {
	b, err := os.ReadFile(w.log)
	if err != nil {
		t.Fatal(err)
	}
	b = b[w.read:]
	end := strings.LastIndexByte(string(b), '\n') + 1
	w.read += int64(end)
	return strings.Split(string(b[:end]), "\n")
}

// readStore looks for new objects in the store, and reports whether it could.
func (c *chaos) readStore(ctx context.Context) bool {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	objects, err := c.store.List(ctx, "")
	if err != nil {
		return false // MinIO is down
	}
	if err := c.claims.read(ctx, c.store, objects); err != nil {
		return false
	}
	there := map[string]bool{}
	for _, o := range objects {
		there[o.Key] = true
	}
	for _, o := range objects {
		if strings.HasPrefix(o.Key, "results/") {
			if _, ok := c.results[o.Key]; !ok {
				c.results[o.Key] = o
			}
		}
		part := strings.Split(o.Key, "/")
		if c.seen[o.Key] || len(part) != 4 || part[0] != "stages" {
			continue
		}
		c.seen[o.Key] = true
		at := strings.Join(strings.Split(part[3], "-")[:min(2, strings.Count(part[3], "-")+1)], "-")
		switch {
		case part[2] == "manifests":
			c.mayKill(saved, c.trainer(part[1]))
		case part[2] == "data" && !there[strings.Join(part[:2], "/")+"/manifests/"+at+".json"]:
			c.mayKill(uploaded, c.trainer(part[1]))
		}
	}
	return true
}

// trainer returns the worker that trains a run, or nil if none is known.
func (c *chaos) trainer(run string) *chaosWorker {
	i := slices.IndexFunc(c.workers, func(w *chaosWorker) bool { return w.run == run })
	if i < 0 {
		return nil
	}
	return c.workers[i]
}

// ended reports whether the sweep has ended. It also finds workers that evaluate.
func (c *chaos) ended(ctx context.Context) bool {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	d, err := c.temporal.DescribeWorkflowExecution(ctx, c.id, "")
	if err != nil {
		return false // Temporal is down
	}
	for _, a := range d.PendingActivities {
		key := fmt.Sprintf("activity %s attempt %d", a.ActivityId, a.Attempt)
		evaluates := a.ActivityType.GetName() == protocol.ActivityEval && a.State == enums.PENDING_ACTIVITY_STATE_STARTED
		if !evaluates || c.seen[key] {
			continue
		}
		c.seen[key] = true
		pid, _, _ := strings.Cut(a.LastWorkerIdentity, "@")
		for _, w := range c.workers {
			if strconv.Itoa(w.cmd.Process.Pid) == pid {
				w.run = "" // a worker has one slot: it trains nothing now
				if c.evaluations[a.ActivityId]++; c.evaluations[a.ActivityId] <= maxDeaths {
					c.mayKill(evaluating, w)
				}
			}
		}
	}
	return d.WorkflowExecutionInfo.Status != enums.WORKFLOW_EXECUTION_STATUS_RUNNING
}
