//go:build unix

package stack_test

import (
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"go.temporal.io/api/enums/v1"

	"github.com/topksweep/sweep/sweep/protocol"
)

const (
	fairSlots = 4
	fairCells = 10_000 // of the large sweep
	fairSteps = 3000   // of each of them: much longer than what comes between two stages
	fairMost  = 3      // stages of the large sweep that a slot may begin before the small one is done
	fairAhead = 3      // that all slots may begin while the first stage of the small one waits
)

// testFair: a sweep of four cells, submitted while one of ten thousand has all slots, is done before any slot begins a
// fourth stage of the large one.
//
// The large sweep has more stages in the queue than there are slots. The first stage of the small one waits behind none
// of them, but for such as begin in the moment in which it is queued; then the two sweeps take turns. With
// matching.enableFairness off it waits behind all of them, six, and the test fails.
func testFair(t *testing.T, s *stack) {
	const prefix = "fair"
	var seeds strings.Builder
	for i := range fairCells / 10 {
		fmt.Fprintf(&seeds, "%d, ", i)
	}
	axes := fmt.Sprintf("{k: [1, 2, 3, 4, 5, 6, 7, 8, 9, 10], seed: [%s]}", strings.TrimSuffix(seeds.String(), ", "))
	large := writeGrid(t, strings.Replace(gridOf("large", axes, fairSteps),
		"max_concurrent: 64", "max_concurrent: 200", 1))
	small := writeGrid(t, gridOf("small", "{k: [2, 4, 6, 8]}", 20))

	submit := func(grid string) string {
		return strings.TrimSpace(s.sweep(t, prefix, "submit", grid, "--address", s.temporal.address))
	}
	largeID := submit(large)
	var workers []*process
	for i := range fairSlots {
		workers = append(workers, s.startWorker(t, fmt.Sprintf("fair-%d", i), prefix))
	}
	for _, w := range workers {
		until(t, w.name+" to train", func() bool { return len(w.begun(t, fairSteps)) > 0 })
	}
	smallID := submit(small)
	s.await(t, smallID)
	c := s.temporal.dial(t)
	defer c.Close()
	d, err := c.DescribeWorkflowExecution(t.Context(), smallID, "")
	if err != nil {
		t.Fatal(err)
	}
	from, to := d.WorkflowExecutionInfo.StartTime.AsTime(), d.WorkflowExecutionInfo.CloseTime.AsTime()
	queued, started := firstStage(t, s, smallID)
	var counts []int
	ahead := 0
	for _, w := range workers {
		n := 0
		for _, at := range w.begun(t, fairSteps) {
			if at.After(from) && at.Before(to) {
				n++
			}
			if at.After(queued) && at.Before(started) {
				ahead++
			}
		}
		counts = append(counts, n)
		if n > fairMost {
			t.Errorf("%s began %d stages of the large sweep before the small one was done, want at most %d",
				w.name, n, fairMost)
		}
	}
	if ahead > fairAhead {
		t.Errorf("%d stages of the large sweep began while all of the small one waited, want at most %d",
			ahead, fairAhead)
	}
	t.Logf("the small sweep took %v; the slots began %v stages of the large one meanwhile, %d before its first stage",
		to.Sub(from), counts, ahead)

	s.sweep(t, prefix, "cancel", largeID, "--address", s.temporal.address)
	until(t, "the large sweep to end", func() bool {
		d, err := c.DescribeWorkflowExecution(t.Context(), largeID, "")
		return err == nil && d.WorkflowExecutionInfo.Status == enums.WORKFLOW_EXECUTION_STATUS_CANCELED
	})
	for _, w := range workers {
		w.stop(t)
	}
}

// firstStage returns when the first stage of a sweep that has ended was queued, and when a worker began the first one.
// Of stages that are queued at once any may come first.
func firstStage(t *testing.T, s *stack, id string) (queued, started time.Time) {
	t.Helper()
	st := &steered{t: t, s: s, id: id}
	stages := map[int64]bool{} // by the event that queued it
	for _, e := range st.history() {
		at := e.EventTime.AsTime()
		if e.GetActivityTaskScheduledEventAttributes().GetActivityType().GetName() == protocol.ActivityTrain {
			stages[e.EventId] = true
			if queued.IsZero() {
				queued = at
			}
		}
		if stages[e.GetActivityTaskStartedEventAttributes().GetScheduledEventId()] &&
			(started.IsZero() || at.Before(started)) {
			started = at
		}
	}
	if started.IsZero() {
		t.Fatal("the sweep trained nothing")
	}
	return queued, started
}

var trainingLine = regexp.MustCompile(`(?m)^time=(\S+) .*msg=training .* to=(\d+) `)

// begun returns when a worker began the stages that end at a step, as its log says.
func (p *process) begun(t *testing.T, to int) (times []time.Time) {
	t.Helper()
	b, err := os.ReadFile(p.log)
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range trainingLine.FindAllSubmatch(b, -1) {
		if string(m[2]) != fmt.Sprint(to) {
			continue
		}
		at, err := time.Parse(time.RFC3339, string(m[1]))
		if err != nil {
			t.Fatalf("%s: %v", m[0], err)
		}
		times = append(times, at)
	}
	return times
}
