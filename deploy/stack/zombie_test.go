//go:build unix

package stack_test

import (
	"context"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.temporal.io/api/enums/v1"

	"github.com/topksweep/sweep/storage"
)

// testZombie: a worker is suspended for longer than its heartbeat timeout, and continues
// only when another worker has finished the run. It must not change the store.
func testZombie(t *testing.T, s *stack) {
	const prefix = "zombie"
	grid := writeGrid(t, gridOf("zombie", "{k: [4]}", interruptedSteps))
	want, local := s.undisturbed(t, grid)
	store := s.store(t, prefix)

	zombie := s.startWorker(t, "zombie", prefix)
	id := strings.TrimSpace(s.sweep(t, prefix, "submit", grid, "--address", s.temporal.address))
	until(t, "the first attempt's first checkpoint", func() bool {
		return slices.ContainsFunc(list(t, store), func(o storage.Object) bool {
			return strings.Contains(o.Key, "/manifests/")
		})
	})
	zombie.signal(syscall.SIGSTOP)
	successor := s.startWorker(t, "successor", prefix)
	s.await(t, id)
	if !successor.logged("claim=2") {
		t.Error("the successor did not train: the run was over before its worker was suspended")
	}
	before := list(t, store)

	zombie.signal(syscall.SIGCONT)
	// The zombie logs when it notices. After SIGTERM it finishes what it still has to do.
	until(t, "notice of the zombie", func() bool {
		return zombie.logged("fenced") || zombie.logged("Activity error") || zombie.ended()
	})
	if !zombie.stop(t) {
		t.Errorf("the zombie after SIGTERM: %v", zombie.cmd.ProcessState)
	}
	if !zombie.logged("fenced off") {
		t.Error("the zombie was not fenced off: nothing kept it from writing")
	}
	if after := list(t, store); !slices.Equal(after, before) {
		t.Errorf("the zombie changed the store.\nbefore: %v\nafter:  %v", before, after)
	}
	if got := s.sweep(t, prefix, "results", id); got != want {
		t.Errorf("results:\n%s\nundisturbed:\n%s", got, want)
	}
	sameOutcome(t, store, local)
	successor.stop(t)
}

// list returns all objects of a store.
func list(t *testing.T, store storage.Store) []storage.Object {
	t.Helper()
	objects, err := store.List(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	return objects
}

// await waits for the end of a sweep, which must complete.
func (s *stack) await(t *testing.T, id string) {
	t.Helper()
	c := s.temporal.dial(t)
	defer c.Close()
	untilWithin(t, sweepLimit, "end of the sweep "+id, func() bool {
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		d, err := c.DescribeWorkflowExecution(ctx, id, "")
		if err != nil {
			return false
		}
		status := d.WorkflowExecutionInfo.Status
		if status != enums.WORKFLOW_EXECUTION_STATUS_RUNNING && status != enums.WORKFLOW_EXECUTION_STATUS_COMPLETED {
			t.Fatalf("the sweep ended as %v", status)
		}
		return status == enums.WORKFLOW_EXECUTION_STATUS_COMPLETED
	})
}
