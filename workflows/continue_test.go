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
		t.Fatal("continued as new without a continuation")
	}
	return in, true
}

// unfinishedCells returns unfinished trees that have one cell each.
func unfinishedCells(cells ...int) (out []protocol.UnfinishedTree) {
	for _, c := range cells {
		out = append(out, protocol.UnfinishedTree{Tree: c, Cells: []int{c}})
	}
	return out
}

// When the history is full, the stages in flight stop. The next history starts with their trees.
func TestContinueAsNew(t *testing.T) {
	f := newFake(10)
	env := f.env(t)
	stopped := make(chan struct{})
	t.Cleanup(func() { close(stopped) })
	inFlight := make(chan struct{}, 2)
	f.done = func(cell int) bool { return cell == 1 }
	f.train = func(ctx context.Context, cell, _ int) error {
		switch cell {
		case 0:
			return errFinal
		case 3, 4:
			inFlight <- struct{}{}
			<-stopped
		case 5: // ends when 3 and 4 are in flight, and the history is full then
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
	want := protocol.Continuation{
		Next: 6, Summary: protocol.Summary{Cells: 10, Completed: 2, Reused: 1, Failed: 1},
		Unfinished: unfinishedCells(3, 4, 5),
		Lost:       []protocol.LostTree{{Tree: 0, Failed: []int{0}}},
		Failures: []protocol.Failure{
			{Cell: 0, Label: "k=0", Status: plan.Failed, Error: "step 3: the loss is NaN"},
		},
		Seen: []protocol.SeenCell{{Cell: 2, Label: "k=2", Brief: plan.Brief{NMSE: new(0.003)}}},
		Told: c.Told,
	}
	if c.Told.IsZero() {
		t.Error("the next history does not know that people were told of a failure")
	}
	if !reflect.DeepEqual(*c, want) {
		t.Errorf("continues with %+v, want %+v", *c, want)
	}
	if f.collected != 0 || len(f.statuses(plan.Canceled)) > 0 {
		t.Errorf("collected %d times, recorded %v", f.collected, f.failures)
	}

	// Cell 3 has got its result since: its evaluation ended after the first history.
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
	if g.run(t, in); !slices.Equal(g.started, cellRange(3, 10)) {
		t.Errorf("started %v, want the unfinished trees first", g.started)
	}
}

// A sweep is canceled before the next history has started all unfinished trees. The cells of the others are recorded as
// canceled too.
func TestCancelAfterContinue(t *testing.T) {
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
	unfinished := []int{7, plan.ChunkSize, plan.ChunkSize + 2}
	in.Resume = &protocol.Continuation{
		Next: plan.ChunkSize + 3, Summary: protocol.Summary{Completed: plan.ChunkSize},
		Unfinished: unfinishedCells(unfinished...),
	}
	env.ExecuteWorkflow(protocol.WorkflowSweep, in)
	if got := f.statuses(plan.Canceled); !slices.Equal(got, unfinished) {
		t.Errorf("recorded as canceled: %v, want %v", got, unfinished)
	}
	wantSummary(t, progressOf(t, env).Summary, protocol.Summary{Cells: f.cells, Completed: plan.ChunkSize, Canceled: 3})
}

// A failure limit that an earlier history reached holds in the next one.
func TestFailureLimitAfterContinue(t *testing.T) {
	f := newFake(10)
	in := f.input(2)
	in.FailureLimit = 2
	in.Resume = &protocol.Continuation{
		Next: 5, Summary: protocol.Summary{Completed: 2, Failed: 2}, Unfinished: unfinishedCells(4),
	}
	s, err := f.run(t, in)
	if err == nil || len(f.started) > 0 {
		t.Errorf("ended with %v, started %v", err, f.started)
	}
	wantSummary(t, s, protocol.Summary{Cells: 10, Completed: 2, Failed: 2, Canceled: 1})
}

// The workflow continues as new before a history is full, whatever the number of slots, and every history completes a
// run.
func TestHistoryLength(t *testing.T) {
	for _, slots := range []int{1, 8, maxSlots + 1} {
		f := newFake(1000)
		// The environment does not wait for canceled evaluations: a cell may get its result after its history ended.
		f.done = f.evaluatedCell
		in, histories := f.input(slots), 0
		for ok := true; ok; histories++ {
			// The environment keeps no history. This counts the events as a server would, if each activity ended in a
			// workflow task of its own.
			env, length := f.env(t), 3
			add := func(n int) { length += n; env.SetCurrentHistoryLength(length) }
			env.SetOnActivityStartedListener(onStarted(func() { add(2) }))
			env.SetOnActivityCompletedListener(onCompleted(func() { add(4) }))
			env.SetOnActivityCanceledListener(onCanceled(func() { add(5) }))
			env.SetTestTimeout(time.Minute)
			env.ExecuteWorkflow(protocol.WorkflowSweep, in)
			if length >= maxHistory {
				t.Fatalf("%d slots: a history of %d events", slots, length)
			}
			before := in
			in, ok = nextInput(t, env)
			if ok && before.Resume != nil && in.Resume.Summary.Completed <= before.Resume.Summary.Completed {
				t.Fatalf("%d slots: a history in which no run is completed: %+v", slots, *in.Resume)
			}
			if !ok && env.GetWorkflowError() != nil {
				t.Fatal(env.GetWorkflowError())
			}
		}
		if len(f.evaluated) != f.cells {
			t.Errorf("%d slots: %d of %d cells evaluated", slots, len(f.evaluated), f.cells)
		}
		t.Logf("%d slots: %d histories", slots, histories)
	}
}
