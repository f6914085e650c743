//go:build unix

package stack_test

import (
	"fmt"
	"path"
	"strings"
	"testing"

	"github.com/topksweep/sweep/storage"
)

// testWorkerStop: a worker that gets SIGTERM saves its state and ends with status 0. The
// next worker continues at the saved step, and the run ends as an undisturbed one does.
func testWorkerStop(t *testing.T, s *stack) {
	const prefix = "worker-stop"
	grid := writeGrid(t, gridOf("worker-stop", "{k: [4]}", interruptedSteps))
	want, local := s.undisturbed(t, grid)
	store := s.store(t, prefix)

	first := s.startWorker(t, "worker-stop-0", prefix)
	id := strings.TrimSpace(s.sweep(t, prefix, "submit", grid, "--address", s.temporal.address))
	until(t, "a checkpoint in the middle of the run", func() bool { return highest(t, store) > 0 })
	if !first.stop(t) {
		t.Errorf("after SIGTERM: %v", first.cmd.ProcessState)
	}
	saved := highest(t, store)
	second := s.startWorker(t, "worker-stop-1", prefix)
	s.await(t, id)
	if saved == 0 || saved == interruptedSteps {
		t.Fatalf("saved at step %d of %d: the run was over before its worker was stopped", saved, interruptedSteps)
	}
	if from := fmt.Sprintf(" from=%d to=%d claim=2", saved, interruptedSteps); !second.logged(from) {
		t.Errorf("saved at step %d, and the next worker did not continue with%s", saved, from)
	}
	if got := s.sweep(t, prefix, "results", id); got != want {
		t.Errorf("results:\n%s\nundisturbed:\n%s", got, want)
	}
	sameOutcome(t, store, local)
	second.stop(t)
}

// highest returns the highest step of any checkpoint in a store.
func highest(t *testing.T, store storage.Store) (step int64) {
	t.Helper()
	for _, o := range list(t, store) {
		var n int64
		if strings.Contains(o.Key, "/manifests/") {
			if _, err := fmt.Sscanf(path.Base(o.Key), "%d-", &n); err != nil {
				t.Fatal(err)
			}
			step = max(step, n)
		}
	}
	return step
}
