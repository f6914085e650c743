package workflows

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"go.temporal.io/sdk/testsuite"

	"github.com/topksweep/sweep/sweep/plan"
	"github.com/topksweep/sweep/sweep/protocol"
)

// oneTree is a tree of four cells: two settings of AuxK, and two schedules that
// part at step 31.
func oneTree() []plan.Tree {
	cells := []plan.TreeCell{
		{Cell: 0, Decay: 30, Steps: 100, AuxK: 0}, {Cell: 1, Decay: 60, Steps: 100, AuxK: 0},
		{Cell: 2, Decay: 30, Steps: 100, AuxK: 1}, {Cell: 3, Decay: 60, Steps: 100, AuxK: 1},
	}
	return []plan.Tree{{Family: "f", Weight: 1, Cells: cells}}
}

func TestTree(t *testing.T) {
	for name, c := range map[string]struct {
		dead int
		want []string
	}{
		"no latent dies": {0, []string{
			"0 schedule trunk → 100", "0 trunk → 31", "1 schedule trunk → 100",
		}},
		"in the trunk": {20, []string{
			"0 AuxK trunk → 31", "0 branch → 100", "0 trunk → 20", "1 branch → 100", "2 AuxK trunk → 31", "2 branch → 100", "3 branch → 100",
		}},
		"in the branches": {70, []string{
			"0 branch → 100", "0 schedule trunk → 70", "0 trunk → 31", "1 branch → 100", "1 schedule trunk → 70", "2 branch → 100", "3 branch → 100",
		}},
	} {
		t.Run(name, func(t *testing.T) {
			f := newTreeFake(4, oneTree())
			f.dead = c.dead
			s, err := f.run(t, f.input(2))
			if err != nil {
				t.Fatal(err)
			}
			wantSummary(t, s, protocol.Summary{Cells: 4, Completed: 4})
			wantEach(t, "evaluated", f.evaluated, count(0, 4), 1)
			slices.Sort(f.spans)
			if !slices.Equal(f.spans, c.want) {
				t.Errorf("trained %q\nwant    %q", f.spans, c.want)
			}
		})
	}
}

// A trunk that fails is the failure of every run that passes through it; a
// branch that fails is no other run's.
func TestFailuresInATree(t *testing.T) {
	trees := append(oneTree(), plan.Tree{Family: "g", Weight: 1, Cells: []plan.TreeCell{{Cell: 4, Decay: 50, Steps: 100}}})
	f := newTreeFake(5, trees)
	f.train = func(_ context.Context, cell, _ int) error { return or(cell == 0, errNever) }
	s, err := f.run(t, f.input(4))
	if err == nil {
		t.Error("no error")
	}
	wantSummary(t, s, protocol.Summary{Cells: 5, Completed: 1, Failed: 4})
	if got := f.statuses(plan.Failed); !slices.Equal(got, count(0, 4)) {
		t.Errorf("recorded as failed: %v", got)
	}
	if got := f.failures[3].Error; got != "step 3: the loss is NaN (in the steps up to 31, which 4 runs share)" {
		t.Errorf("the reason is %q", got)
	}

	f = newTreeFake(5, trees)
	f.dead = 20
	f.train = func(_ context.Context, cell, _ int) error { return or(cell == 3, errNever) }
	if s, _ = f.run(t, f.input(4)); s.Completed != 4 || s.Failed != 1 {
		t.Errorf("%+v", s)
	}
	if got := f.failures[3].Error; strings.Contains(got, "share") {
		t.Errorf("the reason is %q", got)
	}
}

// Behind a seam only what is left of a tree is walked.
func TestTreeBehindTheSeam(t *testing.T) {
	f := newTreeFake(4, oneTree())
	f.done = func(cell int) bool { return cell == 0 || cell == 2 }
	in := f.input(2)
	in.Resume = &protocol.Continuation{Next: 1, Summary: protocol.Summary{Completed: 1, Failed: 1}, Unfinished: []protocol.UnfinishedTree{{Tree: 0, Cells: []int{1, 2}}}}
	s, err := f.run(t, in)
	if err == nil {
		t.Error("no error, but one run failed before the seam")
	}
	// 0 was counted before; 2 has got its result since; 3 failed before.
	wantSummary(t, s, protocol.Summary{Cells: 4, Completed: 3, Failed: 1})
	if !slices.Equal(f.spans, []string{"1 branch → 100"}) {
		t.Errorf("trained %q", f.spans)
	}
}

// A running sweep takes in what it is extended by, and tries what failed again
// when it is asked to.
func TestUpdates(t *testing.T) {
	trees := append(oneTree(), plan.Tree{Family: "g", Weight: 1, Cells: []plan.TreeCell{{Cell: 4, Decay: 50, Steps: 100}}})
	f := newTreeFake(5, trees)
	env := f.env(t)
	in := f.input(1)
	f.chunks = append(f.chunks, []plan.Tree{{Family: "f", Weight: 1, Cells: []plan.TreeCell{{Cell: 5, Decay: 70, Steps: 100}}}})
	var answered []string
	callback := func(name string) *testsuite.TestUpdateCallback {
		return &testsuite.TestUpdateCallback{
			OnAccept:   func() {},
			OnReject:   func(err error) { t.Errorf("%s: %v", name, err) },
			OnComplete: func(any, error) { answered = append(answered, name) },
		}
	}
	fails := 1
	f.train = func(_ context.Context, cell, try int) error {
		if try == 1 {
			return later(time.Hour)
		}
		if cell == 4 && fails > 0 {
			fails--
			return errNever
		}
		return nil
	}
	f.done = func(cell int) bool { return f.evaluatedCell(cell) }
	env.RegisterDelayedCallback(func() {
		env.UpdateWorkflow(protocol.UpdateExtend, "1", callback("extend"), plan.Size{Cells: 6, TreeChunks: 2})
		env.UpdateWorkflow(protocol.UpdateRetry, "2", callback("retry"))
	}, 30*time.Minute)
	env.ExecuteWorkflow(protocol.WorkflowSweep, in)
	s, err := outcomeOf(t, env)
	if err != nil {
		t.Fatal(err)
	}
	wantSummary(t, s, protocol.Summary{Cells: 6, Completed: 6})
	wantEach(t, "evaluated", f.evaluated, count(0, 6), 1)
	if fails != 0 || !slices.Equal(answered, []string{"extend", "retry"}) {
		t.Errorf("answered %v, %d failures left", answered, fails)
	}
}
