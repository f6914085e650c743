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
)

const (
	fairSlots = 4
	fairCells = 10_000 // of the large sweep
	fairSteps = 2000   // of each of them, about a second and more if all slots train on fewer cores
	fairMost  = 3      // stages of the large sweep that a slot may begin before the small one is done
)

// testFair: a sweep of four cells, submitted while one of ten thousand has all slots, is done before any slot begins a
// fourth stage of the large one. Its runs part in pairs, so that its stages wait for a slot twice and its evaluations
// once. With matching.enableFairness off each of its stages waits behind all those that the large sweep has queued: the
// test then fails.
func testFair(t *testing.T, s *stack) {
	const prefix = "fair"
	var seeds strings.Builder
	for i := range fairCells / 10 {
		fmt.Fprintf(&seeds, "%d, ", i)
	}
	axes := fmt.Sprintf("{k: [1, 2, 3, 4, 5, 6, 7, 8, 9, 10], seed: [%s]}", strings.TrimSuffix(seeds.String(), ", "))
	large := writeGrid(t, strings.Replace(gridOf("large", axes, fairSteps),
		"max_concurrent: 64", "max_concurrent: 100000", 1))
	small := writeGrid(t, gridOf("small", "{dict_size: [32, 64], decay_start: [10, 12]}", 20))

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
	var counts []int
	for _, w := range workers {
		n := 0
		for _, at := range w.begun(t, fairSteps) {
			if at.After(from) && at.Before(to) {
				n++
			}
		}
		counts = append(counts, n)
		if n > fairMost {
			t.Errorf("%s began %d stages of the large sweep before the small one was done, want at most %d",
				w.name, n, fairMost)
		}
	}
	t.Logf("the small sweep took %v; the slots began %v stages of the large one meanwhile", to.Sub(from), counts)

	s.sweep(t, prefix, "cancel", largeID, "--address", s.temporal.address)
	until(t, "the large sweep to end", func() bool {
		d, err := c.DescribeWorkflowExecution(t.Context(), largeID, "")
		return err == nil && d.WorkflowExecutionInfo.Status == enums.WORKFLOW_EXECUTION_STATUS_CANCELED
	})
	for _, w := range workers {
		w.stop(t)
	}
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
