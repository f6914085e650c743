//go:build unix

package stack_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"go.temporal.io/api/enums/v1"
	historypb "go.temporal.io/api/history/v1"
	"go.temporal.io/api/workflow/v1"

	"github.com/topksweep/sweep/storage"
	"github.com/topksweep/sweep/sweep/plan"
	"github.com/topksweep/sweep/sweep/protocol"
)

// The grid of testSteer. Two runs are so long that they train while most of the steering is done, and they begin first.
// Ten short ones follow, with the numbers 0 to 9, as the runs of include come last.
const (
	steerShort = 1500
	steerLong  = 2 * interruptedSteps
	steerAxes  = "{k: [8], seed: [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]}"
	steerExtra = "{k: [8], init: [%s], seed: [10, 11]}" // by which the sweep is extended: a model to begin from
)

var steerInclude = fmt.Sprintf("{k: 4, seed: 0, steps: %d}, {k: 4, seed: 1, steps: %[1]d}", steerLong)

// testSteer: a sweep is paused while its workers are killed and the server is started again, resumed, trains fewer runs
// at a time, loses cells and trains them again, is extended by cells that begin from a model, and gets another
// priority. It must end as a sweep of the same cells does that nobody steers.
func testSteer(t *testing.T, s *stack) {
	const prefix = "steer"
	grid := func(axes, include string) string {
		text := strings.Replace(gridOf(prefix, axes, steerShort), "max_concurrent: 64", "max_concurrent: 2", 1)
		if include != "" {
			text += "include: [" + include + "]\n"
		}
		return writeGrid(t, text)
	}
	model := writeModel(t, grid(steerAxes, ""), "model", 1)
	want, local := s.undisturbed(t, grid(steerAxes, fmt.Sprintf(
		"%s, {k: 8, seed: 10, init: %s}, {k: 8, seed: 11, init: %[2]s}", steerInclude, model)))
	if strings.Count(want, "completed") != 14 {
		t.Fatalf("the undisturbed sweep:\n%s", want)
	}
	store := s.store(t, prefix)
	st := &steered{t: t, s: s, prefix: prefix}

	first := []*process{s.startWorker(t, "steer-0", prefix), s.startWorker(t, "steer-1", prefix)}
	st.id = strings.TrimSpace(s.sweep(t, prefix, "submit", grid(steerAxes, steerInclude), "--address", s.temporal.address))
	until(t, "a checkpoint of both long runs", func() bool { return foldersWithCheckpoints(t, store) == 2 })
	if did := st.steer("pause"); did.State != plan.Paused || did.Stopped != 2 {
		t.Errorf("pause: %+v", did)
	}
	st.nothingTrains("paused")

	for _, w := range first {
		w.kill()
	}
	s.temporal.kill()
	s.temporal.restart(t)
	second := []*process{s.startWorker(t, "steer-2", prefix), s.startWorker(t, "steer-3", prefix)}
	// The new workers answer, so they have taken over the sweep.
	if did := st.steer("set", "max_concurrent=1"); did.State != plan.Paused || did.Stopped != 0 {
		t.Errorf("set while paused: %+v", did)
	}
	if did := st.steer("priority", "low"); did.State != plan.Paused {
		t.Errorf("priority while paused: %+v", did)
	}
	st.nothingTrains("paused, with new workers")
	if state := st.status(); state != plan.Paused {
		t.Errorf("status says %q, want paused", state)
	}
	for _, w := range second {
		if w.logged("msg=training ") {
			t.Errorf("%s trained while the sweep was paused", w.name)
		}
	}

	if did := st.steer("resume"); did.State != plan.Training {
		t.Errorf("resume: %+v", did)
	}
	st.untilTraining(1)
	st.steer("set", "max_concurrent=2")
	st.untilTraining(2)
	if did := st.steer("set", "max_concurrent=1"); did.Stopped != 1 {
		t.Errorf("set max_concurrent=1: %+v", did)
	}
	if n := len(st.stages()); n > 1 {
		t.Errorf("%d stages in flight with max_concurrent=1", n)
	}

	if did := st.steer("cancel", "--where", "k=4"); !slices.Equal(did.Cells, []int{10, 11}) || did.Stopped != 1 {
		t.Errorf("cancel of the long runs: %+v", did)
	}
	if did := st.steer("cancel", "--where", "seed=9"); !slices.Equal(did.Cells, []int{9}) || did.Stopped != 0 ||
		did.Canceled != 3 {
		t.Errorf("cancel of a run that has not begun: %+v", did)
	}
	if did := st.steer("retry"); !slices.Equal(did.Cells, []int{9, 10, 11}) || did.Canceled != 0 ||
		!strings.Contains(did.Did, "1 of them in turn") {
		t.Errorf("retry: %+v", did)
	}
	st.steer("set", "max_concurrent=2")
	s.sweep(t, prefix, "extend", st.id, grid(fmt.Sprintf(steerExtra, model), ""), "--address", s.temporal.address)
	if did := st.steer("priority", "high"); did.Cells == nil || did.Summary.Cells != 14 {
		t.Errorf("priority after extend: %+v", did)
	}

	s.await(t, st.id)
	st.retriedFirst()
	if state := st.status(); state != plan.Completed {
		t.Errorf("status at the end: %q", state)
	}
	if got := s.sweep(t, prefix, "results", st.id); got != want {
		t.Errorf("results:\n%s\nundisturbed:\n%s", got, want)
	}
	sameOutcome(t, store, local)
	for _, w := range second {
		w.stop(t)
	}
}

// steered is a sweep that a test steers.
type steered struct {
	t      *testing.T
	s      *stack
	prefix string
	id     string
}

// steer runs a verb with the sweep and returns its answer.
func (st *steered) steer(verb string, args ...string) (did protocol.Steered) {
	st.t.Helper()
	args = append([]string{verb, st.id}, append(args, "--address", st.s.temporal.address, "-o", "json")...)
	out := st.s.sweep(st.t, st.prefix, args...)
	if err := json.Unmarshal([]byte(out), &did); err != nil {
		st.t.Fatalf("%s: %v\n%s", verb, err, out)
	}
	return did
}

// status returns the state that the verb status tells.
func (st *steered) status() plan.Status {
	st.t.Helper()
	var is struct{ State plan.Status }
	out := st.s.sweep(st.t, st.prefix, "status", st.id, "--address", st.s.temporal.address, "-o", "json")
	if err := json.Unmarshal([]byte(out), &is); err != nil {
		st.t.Fatalf("status: %v\n%s", err, out)
	}
	return is.State
}

// stages returns the training activities that are in flight or wait.
func (st *steered) stages() []*workflow.PendingActivityInfo {
	st.t.Helper()
	c := st.s.temporal.dial(st.t)
	defer c.Close()
	d, err := c.DescribeWorkflowExecution(st.t.Context(), st.id, "")
	if err != nil {
		st.t.Fatal(err)
	}
	return slices.DeleteFunc(d.PendingActivities, func(a *workflow.PendingActivityInfo) bool {
		return a.ActivityType.GetName() != protocol.ActivityTrain
	})
}

// nothingTrains fails the test if a training activity is in flight. The answer to pause has been given, so that there
// is nothing to wait for.
func (st *steered) nothingTrains(when string) {
	st.t.Helper()
	if stages := st.stages(); len(stages) > 0 {
		st.t.Errorf("%s: in flight: %v", when, stages)
	}
}

// untilTraining waits until workers train n stages of the sweep.
func (st *steered) untilTraining(n int) {
	st.t.Helper()
	until(st.t, fmt.Sprintf("%d stages in training", n), func() bool {
		training := slices.DeleteFunc(st.stages(), func(a *workflow.PendingActivityInfo) bool {
			return a.State != enums.PENDING_ACTIVITY_STATE_STARTED
		})
		return len(training) == n
	})
}

// retriedFirst checks in the history that the runs that were begun, canceled and retried were trained before those that
// had not begun.
func (st *steered) retriedFirst() {
	st.t.Helper()
	begun := map[string]bool{}
	var after []string // cells whose stages were scheduled after the retry, but for those that had begun
	retried := false
	for _, e := range st.history() {
		switch {
		case e.EventType == enums.EVENT_TYPE_ACTIVITY_TASK_SCHEDULED:
			a := e.GetActivityTaskScheduledEventAttributes()
			if a.ActivityType.GetName() == protocol.ActivityTrain {
				cell, _, _ := strings.Cut(strings.TrimPrefix(a.ActivityId, "cell "), " ")
				long := cell == "10" || cell == "11"
				if retried && (long || !begun[cell]) && !slices.Contains(after, cell) {
					after = append(after, cell)
				}
				begun[cell] = true
			}
		case e.EventType == enums.EVENT_TYPE_WORKFLOW_EXECUTION_UPDATE_COMPLETED:
			id := e.GetWorkflowExecutionUpdateCompletedEventAttributes().GetAcceptedEventId()
			accepted := st.history()[id-1].GetWorkflowExecutionUpdateAcceptedEventAttributes()
			retried = retried || accepted.GetAcceptedRequest().GetInput().GetName() == protocol.UpdateRetry
		}
	}
	if len(after) < 4 {
		st.t.Fatalf("after the retry began only %v: nearly all runs had begun before it", after)
	}
	// The stages that are scheduled in the same workflow task as the answer stand before it in the history.
	for _, cell := range []string{"10", "11"} {
		if i := slices.Index(after, cell); i > 1 {
			st.t.Errorf("after the retry began, in this order: %v; want 10 and 11 first", after)
		}
	}
}

// history returns the events of the sweep's history.
func (st *steered) history() (all []*historypb.HistoryEvent) {
	st.t.Helper()
	c := st.s.temporal.dial(st.t)
	defer c.Close()
	events := c.GetWorkflowHistory(st.t.Context(), st.id, "", false, enums.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT)
	for events.HasNext() {
		e, err := events.Next()
		if err != nil {
			st.t.Fatal(err)
		}
		all = append(all, e)
	}
	return all
}

// foldersWithCheckpoints returns how many checkpoint folders of a store hold a checkpoint.
func foldersWithCheckpoints(t *testing.T, store storage.Store) int {
	t.Helper()
	folders := map[string]bool{}
	for _, o := range list(t, store) {
		if folder, _, ok := strings.Cut(o.Key, "/manifests/"); ok {
			folders[folder] = true
		}
	}
	return len(folders)
}
