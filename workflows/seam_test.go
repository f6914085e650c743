package workflows

import (
	"context"
	"errors"
	"reflect"
	"slices"
	"testing"
	"time"

	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/testsuite"
	"go.temporal.io/sdk/workflow"

	"github.com/topksweep/sweep/sweep/plan"
	"github.com/topksweep/sweep/sweep/protocol"
)

// nextInput returns the input with which a workflow continued as new.
func nextInput(t *testing.T, env *testsuite.TestWorkflowEnvironment) (in protocol.SweepInput, ok bool) {
	t.Helper()
	var next *workflow.ContinueAsNewError
	if !errors.As(env.GetWorkflowError(), &next) {
		return in, false
	}
	if err := converter.GetDefaultDataConverter().FromPayloads(next.Input, &in); err != nil {
		t.Fatal(err)
	}
	if in.Resume == nil {
		t.Fatal("continued as new with nothing carried")
	}
	return in, true
}

// left names trees of one cell that need something yet.
func left(cells ...int) (out []protocol.UnfinishedTree) {
	for _, c := range cells {
		out = append(out, protocol.UnfinishedTree{Tree: c, Cells: []int{c}})
	}
	return out
}

// At the seam what runs is handed back; the next history goes on with it first.
func TestSeam(t *testing.T) {
	f := newFake(10)
	env := f.env(t)
	stopped := make(chan struct{})
	t.Cleanup(func() { close(stopped) })
	inFlight := make(chan struct{}, 2)
	f.done = func(cell int) bool { return cell == 1 }
	f.train = func(ctx context.Context, cell, _ int) error {
		switch cell {
		case 0:
			return errNever
		case 3, 4:
			inFlight <- struct{}{}
			<-stopped
		case 5: // ends when 3 and 4 are in flight and the history is found full
			<-inFlight
			<-inFlight
			env.SetContinueAsNewSuggested(true)
		}
		return nil
	}
	env.ExecuteWorkflow(protocol.WorkflowSweep, f.input(3))
	in, ok := nextInput(t, env)
	if !ok {
		t.Fatalf("ended with %v, want to continue as new", env.GetWorkflowError())
	}
	c := in.Resume
	if c.Next != 6 || c.Summary != (protocol.Summary{Cells: 10, Completed: 2, Reused: 1, Failed: 1}) || !reflect.DeepEqual(c.Unfinished, left(3, 4, 5)) {
		t.Errorf("carried %+v", *c)
	}
	if f.collected != 0 || len(f.statuses(plan.Canceled)) > 0 {
		t.Errorf("collected %d times, recorded %v", f.collected, f.failures)
	}

	// The evaluation of 3 came to its end although its workflow had gone on.
	g := newFake(10)
	g.done = func(cell int) bool { return cell == 3 }
	s, err := g.run(t, in)
	if err == nil {
		t.Error("no error, but one run failed")
	}
	wantSummary(t, s, protocol.Summary{Cells: 10, Completed: 9, Reused: 1, Failed: 1})
	wantEach(t, "trained", g.trained, []int{4, 5, 6, 7, 8, 9}, 1)
	in.MaxConcurrent = 1
	g = newFake(10)
	if g.run(t, in); !slices.Equal(g.started, count(3, 10)) {
		t.Errorf("started %v, want what was handed back first", g.started)
	}
}

// Canceled while runs wait to go on in the next history, they are recorded too.
func TestCancelAfterTheSeam(t *testing.T) {
	f := newFake(plan.ChunkSize + 10)
	env := f.env(t)
	stopped := make(chan struct{})
	t.Cleanup(func() { close(stopped) })
	f.train = func(context.Context, int, int) error {
		env.CancelWorkflow()
		<-stopped
		return nil
	}
	in := f.input(1)
	again := []int{7, plan.ChunkSize, plan.ChunkSize + 2}
	in.Resume = &protocol.Continuation{Next: plan.ChunkSize + 3, Summary: protocol.Summary{Completed: plan.ChunkSize}, Unfinished: left(again...)}
	env.ExecuteWorkflow(protocol.WorkflowSweep, in)
	if got := f.statuses(plan.Canceled); !slices.Equal(got, again) {
		t.Errorf("recorded as canceled: %v, want %v", got, again)
	}
	wantSummary(t, progressOf(t, env).Summary, protocol.Summary{Cells: f.cells, Completed: plan.ChunkSize, Canceled: 3})
}

// A failure limit that was reached before the seam still holds behind it.
func TestStoppedBehindTheSeam(t *testing.T) {
	f := newFake(10)
	in := f.input(2)
	in.FailureLimit = 2
	in.Resume = &protocol.Continuation{Next: 5, Summary: protocol.Summary{Completed: 2, Failed: 2}, Unfinished: left(4)}
	s, err := f.run(t, in)
	if err == nil || len(f.started) > 0 {
		t.Errorf("ended with %v, started %v", err, f.started)
	}
	wantSummary(t, s, protocol.Summary{Cells: 10, Completed: 2, Failed: 2, Canceled: 1})
}

// A history is handed on before it is full, whatever the window, and every
// history gets something done.
func TestHistoryLength(t *testing.T) {
	for _, window := range []int{1, 8, maxWindow + 1} {
		f := newFake(1000)
		f.done = func(cell int) bool { // asked by Prepare; the environment does not wait for an evaluation that is canceled
			f.mu.Lock()
			defer f.mu.Unlock()
			return f.evaluated[cell] > 0
		}
		in, histories := f.input(window), 0
		for ok := true; ok; histories++ {
			// The environment keeps no history: this counts as a server would if
			// each activity came to its end in a workflow task of its own.
			env, length := f.env(t), 3
			add := func(n int) { length += n; env.SetCurrentHistoryLength(length) }
			env.SetOnActivityStartedListener(startedListener(func() { add(2) }))
			env.SetOnActivityCompletedListener(completedListener(func() { add(4) }))
			env.SetOnActivityCanceledListener(canceledListener(func() { add(5) }))
			env.SetTestTimeout(time.Minute)
			env.ExecuteWorkflow(protocol.WorkflowSweep, in)
			if length >= maxHistory {
				t.Fatalf("window %d: a history of %d events", window, length)
			}
			before := in
			if in, ok = nextInput(t, env); ok && before.Resume != nil && in.Resume.Summary.Completed <= before.Resume.Summary.Completed {
				t.Fatalf("window %d: a history in which no run is done: %+v", window, *in.Resume)
			}
			if !ok && env.GetWorkflowError() != nil {
				t.Fatal(env.GetWorkflowError())
			}
		}
		if len(f.evaluated) != f.cells {
			t.Errorf("window %d: %d of %d cells evaluated", window, len(f.evaluated), f.cells)
		}
		t.Logf("window %d: %d histories", window, histories)
	}
}
