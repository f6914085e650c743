package workflows

import (
	"context"
	"strings"
	"testing"
	"time"

	"go.temporal.io/sdk/testsuite"

	"github.com/topksweep/sweep/sweep/plan"
	"github.com/topksweep/sweep/sweep/protocol"
)

// A sweep of which people canceled cells ends as canceled, not as one that has all results.
func TestOutcomeWithCanceledCells(t *testing.T) {
	for _, x := range []struct {
		cancel []int
		want   plan.Status
	}{{nil, plan.Completed}, {[]int{1}, plan.Canceled}, {[]int{0, 1, 2}, plan.Canceled}} {
		f := newFake(3)
		f.train = func(_ context.Context, _, attempt int) error {
			if attempt == 1 {
				return retryAfter(time.Hour)
			}
			return nil
		}
		env := f.env(t)
		answer := &testsuite.TestUpdateCallback{
			OnAccept:   func() {},
			OnReject:   func(err error) { t.Errorf("cancel %v: %v", x.cancel, err) },
			OnComplete: func(any, error) {},
		}
		if x.cancel != nil {
			env.RegisterDelayedCallback(func() {
				env.UpdateWorkflow(protocol.UpdateCancel, "1", answer, protocol.Selection{Cells: x.cancel})
			}, 30*time.Minute)
		}
		env.ExecuteWorkflow(protocol.WorkflowSweep, f.input(3))
		s, err := outcomeOf(t, env)
		if err != nil {
			t.Fatal(err)
		}
		wantSummary(t, s, protocol.Summary{Cells: 3, Completed: 3 - len(x.cancel), Canceled: len(x.cancel)})
		if got := progressOf(t, env).State; got != x.want {
			t.Errorf("cells %v were canceled: the sweep is %s, want %s", x.cancel, got, x.want)
		}
	}
}

// The answer to retry says which cells go before all others. Those whose tree has not begun go in turn.
func TestRetryTellsTheOrder(t *testing.T) {
	f := newFake(4)
	f.train = func(_ context.Context, _, attempt int) error {
		if attempt == 1 {
			return retryAfter(time.Hour)
		}
		return nil
	}
	env := f.env(t)
	update := func(at time.Duration, name string, cells []int, want string) {
		env.RegisterDelayedCallback(func() {
			env.UpdateWorkflow(name, at.String(), &testsuite.TestUpdateCallback{
				OnAccept: func() {},
				OnReject: func(err error) { t.Errorf("%s: %v", name, err) },
				OnComplete: func(answer any, err error) {
					if did, ok := answer.(protocol.Steered); err != nil || !ok || !strings.Contains(did.Did, want) {
						t.Errorf("%s %v: %+v, %v, want %q", name, cells, answer, err, want)
					}
				},
			}, protocol.Selection{Cells: cells})
		}, at)
	}
	update(10*time.Minute, protocol.UpdateCancel, []int{0, 3}, "canceled 2 cells") // cell 0 trains
	update(20*time.Minute, protocol.UpdateRetry, []int{3}, "1 cell to be trained again, in turn with the others")
	update(30*time.Minute, protocol.UpdateRetry, []int{0}, "1 cell to be trained again, before all others")
	env.ExecuteWorkflow(protocol.WorkflowSweep, f.input(1))
	s, err := outcomeOf(t, env)
	if err != nil {
		t.Fatal(err)
	}
	wantSummary(t, s, protocol.Summary{Cells: 4, Completed: 4})
}
