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

// fourCellTree returns a tree of four cells: two settings of AuxK, and two schedules that are equal up to step 31.
func fourCellTree() []plan.Tree {
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
			"0 AuxK trunk → 31", "0 branch → 100", "0 trunk → 20", "1 branch → 100", "2 AuxK trunk → 31",
			"2 branch → 100", "3 branch → 100",
		}},
		"in the branches": {70, []string{
			"0 branch → 100", "0 schedule trunk → 70", "0 trunk → 31", "1 branch → 100", "1 schedule trunk → 70",
			"2 branch → 100", "3 branch → 100",
		}},
	} {
		t.Run(name, func(t *testing.T) {
			f := newTreeFake(4, fourCellTree())
			f.firstDead = c.dead
			s, err := f.run(t, f.input(2))
			if err != nil {
				t.Fatal(err)
			}
			wantSummary(t, s, protocol.Summary{Cells: 4, Completed: 4})
			wantEach(t, "evaluated", f.evaluated, cellRange(0, 4), 1)
			slices.Sort(f.spans)
			if !slices.Equal(f.spans, c.want) {
				t.Errorf("trained %q\nwant    %q", f.spans, c.want)
			}
		})
	}
}

// The failure of a trunk is the failure of every run that passes through it. The failure of a branch is the failure of
// one run.
func TestFailuresInATree(t *testing.T) {
	trees := append(fourCellTree(), oneCellTree("g", 4, 50))
	f := newTreeFake(5, trees)
	f.train = func(_ context.Context, cell, _ int) error { return errIf(cell == 0, errFinal) }
	s, err := f.run(t, f.input(4))
	if err == nil {
		t.Error("no error")
	}
	wantSummary(t, s, protocol.Summary{Cells: 5, Completed: 1, Failed: 4})
	if got := f.statuses(plan.Failed); !slices.Equal(got, cellRange(0, 4)) {
		t.Errorf("recorded as failed: %v", got)
	}
	if got := f.failures[3].Error; got != "step 3: the loss is NaN (in the steps up to 31, which 4 runs share)" {
		t.Errorf("the reason is %q", got)
	}

	f = newTreeFake(5, trees)
	f.firstDead = 20
	f.train = func(_ context.Context, cell, _ int) error { return errIf(cell == 3, errFinal) }
	if s, _ = f.run(t, f.input(4)); s.Completed != 4 || s.Failed != 1 {
		t.Errorf("%+v", s)
	}
	if got := f.failures[3].Error; strings.Contains(got, "share") {
		t.Errorf("the reason is %q", got)
	}
}

// The next history trains only the cells of a tree that are unfinished.
func TestTreeAfterContinue(t *testing.T) {
	f := newTreeFake(4, fourCellTree())
	f.done = func(cell int) bool { return cell == 0 || cell == 2 }
	in := f.input(2)
	in.Resume = &protocol.Continuation{
		Next: 1, Summary: protocol.Summary{Completed: 1, Failed: 1},
		Unfinished: []protocol.UnfinishedTree{{Tree: 0, Cells: []int{1, 2}}},
	}
	s, err := f.run(t, in)
	if err == nil {
		t.Error("no error, but one run failed in the earlier history")
	}
	// The earlier history counted the result of cell 0 and the failure of cell 3. Cell 2 has got its result since.
	wantSummary(t, s, protocol.Summary{Cells: 4, Completed: 3, Failed: 1})
	if !slices.Equal(f.spans, []string{"1 branch → 100"}) {
		t.Errorf("trained %q", f.spans)
	}
}

// A running sweep can be extended, and it trains failed runs again after the update retry.
func TestUpdates(t *testing.T) {
	trees := append(fourCellTree(), oneCellTree("g", 4, 50))
	f := newTreeFake(5, trees)
	env := f.env(t)
	in := f.input(1)
	f.chunks = append(f.chunks, []plan.Tree{oneCellTree("f", 5, 70)})
	var answered []string
	callback := func(name string) *testsuite.TestUpdateCallback {
		return &testsuite.TestUpdateCallback{
			OnAccept:   func() {},
			OnReject:   func(err error) { t.Errorf("%s: %v", name, err) },
			OnComplete: func(any, error) { answered = append(answered, name) },
		}
	}
	fails := 1
	f.train = func(_ context.Context, cell, attempt int) error {
		if attempt == 1 {
			return retryAfter(time.Hour)
		}
		if cell == 4 && fails > 0 {
			fails--
			return errFinal
		}
		return nil
	}
	f.done = func(cell int) bool { return f.evaluatedCell(cell) }
	env.RegisterDelayedCallback(func() {
		env.UpdateWorkflow(protocol.UpdateExtend, "1", callback("extend"), plan.Size{Cells: 6, TreeChunks: 2})
	}, 30*time.Minute)
	env.RegisterDelayedCallback(func() { // cell 4 has failed after three hours, and cell 5 trains
		env.UpdateWorkflow(protocol.UpdateRetry, "2", callback("retry"))
	}, 210*time.Minute)
	env.ExecuteWorkflow(protocol.WorkflowSweep, in)
	s, err := outcomeOf(t, env)
	if err != nil {
		t.Fatal(err)
	}
	wantSummary(t, s, protocol.Summary{Cells: 6, Completed: 6})
	wantEach(t, "evaluated", f.evaluated, cellRange(0, 6), 1)
	if fails != 0 || !slices.Equal(answered, []string{"extend", "retry"}) {
		t.Errorf("answered %v, %d failures left", answered, fails)
	}
}

// An extension takes no cells away: neither one that the Web UI sends without input, nor one that comes after a larger
// one.
func TestExtensionAddsOnly(t *testing.T) {
	trees := append(fourCellTree(), oneCellTree("g", 4, 50))
	f := newTreeFake(5, trees)
	env := f.env(t)
	f.train = func(_ context.Context, _, attempt int) error {
		if attempt == 1 {
			return retryAfter(time.Hour)
		}
		return nil
	}
	f.done = func(cell int) bool { return f.evaluatedCell(cell) }
	var refused error
	did := ""
	env.RegisterDelayedCallback(func() {
		env.UpdateWorkflow(protocol.UpdateExtend, "1", &testsuite.TestUpdateCallback{
			OnAccept: func() {}, OnReject: func(err error) { refused = err }, OnComplete: func(any, error) {},
		}, protocol.Extension{})
		env.UpdateWorkflow(protocol.UpdateExtend, "2", &testsuite.TestUpdateCallback{
			OnAccept: func() {}, OnReject: func(err error) { t.Error(err) },
			OnComplete: func(answer any, _ error) { did = answer.(protocol.Steered).Did },
		}, plan.Size{Cells: 4, TreeChunks: 1})
	}, 30*time.Minute)
	env.ExecuteWorkflow(protocol.WorkflowSweep, f.input(1))
	s, err := outcomeOf(t, env)
	if err != nil {
		t.Fatal(err)
	}
	wantSummary(t, s, protocol.Summary{Cells: 5, Completed: 5})
	if refused == nil || !strings.Contains(refused.Error(), "sweep extend") {
		t.Errorf("an extension without cells: %v", refused)
	}
	if did != "added 0 cells: 5 in all" {
		t.Errorf("did %q", did)
	}
}
