package workflows

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"go.temporal.io/sdk/temporal"

	"github.com/topksweep/sweep/sweep/plan"
	"github.com/topksweep/sweep/sweep/protocol"
)

func TestEveryCellOnce(t *testing.T) {
	for _, c := range []struct{ cells, slots int }{
		{0, 1}, {1, 1}, {1, 8}, {7, 3}, {16, 16}, {20, 1}, {plan.ChunkSize, 8}, {plan.ChunkSize + 1, 8},
		{2*plan.ChunkSize + 5, 50}, {5, 0}, {300, 1000},
	} {
		f := newFake(c.cells)
		s, err := f.run(t, f.input(c.slots))
		if err != nil {
			t.Fatalf("%+v: %v", c, err)
		}
		wantSummary(t, s, protocol.Summary{Cells: c.cells, Completed: c.cells})
		wantEach(t, "trained", f.trained, cellRange(0, c.cells), 1)
		wantEach(t, "evaluated", f.evaluated, cellRange(0, c.cells), 1)
		if limit := min(max(1, c.slots), maxSlots); f.maxInFlight > limit {
			t.Errorf("%+v: %d activities at a time, want at most %d", c, f.maxInFlight, limit)
		}
		if c.slots == 1 && !slices.Equal(f.started, cellRange(0, c.cells)) {
			t.Errorf("%+v: started in the order %v", c, f.started)
		}
		if chunks := (c.cells + plan.ChunkSize - 1) / plan.ChunkSize; len(f.prepared) != chunks {
			t.Errorf("%+v: prepared chunks %v, want each of %d once", c, f.prepared, chunks)
		}
		if f.collected != 1 {
			t.Errorf("%+v: collected %d times", c, f.collected)
		}
	}
}

// The window is full as long as there are cells to start. With 4 slots the first four cells train at the same time, and
// the fifth starts when one of them is done.
func TestWindowIsFilled(t *testing.T) {
	f := newFake(6)
	started, four, release := make(chan struct{}, 3), make(chan struct{}), make(chan struct{})
	f.train = func(_ context.Context, cell, _ int) error {
		switch { // none of the four ends before all four are in flight
		case cell < 3:
			started <- struct{}{}
			<-four
		case cell == 3:
			for range 3 {
				<-started
			}
			close(four)
		}
		if cell == 4 {
			close(release)
		}
		if cell == 0 {
			<-release
		}
		return nil
	}
	s, err := f.run(t, f.input(4))
	if err != nil {
		t.Fatal(err)
	}
	wantSummary(t, s, protocol.Summary{Cells: 6, Completed: 6})
	if f.maxInFlight < 4 {
		t.Errorf("%d activities at a time, want 4", f.maxInFlight)
	}
}

func TestReusedCells(t *testing.T) {
	f := newFake(2*plan.ChunkSize + 10)
	f.done = func(cell int) bool { return cell%2 == 0 || cell >= plan.ChunkSize && cell < 2*plan.ChunkSize }
	var todo []int
	for cell := range f.cells {
		if !f.done(cell) {
			todo = append(todo, cell)
		}
	}
	s, err := f.run(t, f.input(8))
	if err != nil {
		t.Fatal(err)
	}
	wantSummary(t, s, protocol.Summary{Cells: f.cells, Completed: f.cells, Reused: f.cells - len(todo)})
	wantEach(t, "trained", f.trained, todo, 1)
}

func TestFailedRuns(t *testing.T) {
	f := newFake(12)
	f.train = func(_ context.Context, cell, _ int) error {
		if cell == 3 || cell == 11 {
			return errFinal
		}
		return nil
	}
	f.eval = func(_ context.Context, cell, _ int) error {
		if cell == 5 {
			return temporal.NewNonRetryableApplicationError("shard 2: truncated", "BadData", nil)
		}
		return nil
	}
	s, err := f.run(t, f.input(3))
	var app *temporal.ApplicationError
	if !errors.As(err, &app) || app.Type() != protocol.ErrTypeFailed || !app.NonRetryable() ||
		!strings.Contains(app.Message(), "3 of 12 runs failed") {
		t.Errorf("ended with %v", err)
	}
	wantSummary(t, s, protocol.Summary{Cells: 12, Completed: 9, Failed: 3})
	wantEach(t, "evaluated", f.evaluated, []int{0, 1, 2, 4, 6, 7, 8, 9, 10}, 1)
	if got := f.statuses(plan.Failed); !slices.Equal(got, []int{3, 5, 11}) {
		t.Errorf("recorded as failed: %v", got)
	}
	if got := f.failures[3].Error; got != "step 3: the loss is NaN" {
		t.Errorf("the reason is %q", got)
	}
	if f.collected != 1 {
		t.Errorf("collected %d times", f.collected)
	}
}

// An activity that may succeed later is tried again without a limit. (The environment itself stops after ten attempts.)
func TestRetries(t *testing.T) {
	if n := retryPolicy().MaximumAttempts; n != 0 {
		t.Errorf("at most %d attempts, want no limit", n)
	}
	f := newFake(4)
	f.train = func(_ context.Context, cell, attempt int) error {
		if cell == 2 && attempt < 10 {
			return errors.New("put stages/x: connection refused")
		}
		return nil
	}
	s, err := f.run(t, f.input(2))
	if err != nil {
		t.Fatal(err, f.failures)
	}
	wantSummary(t, s, protocol.Summary{Cells: 4, Completed: 4})
}

func TestFailureLimit(t *testing.T) {
	f := newFake(50)
	f.train = func(ctx context.Context, cell, _ int) error {
		if cell == 4 || cell == 6 {
			return errFinal
		}
		return nil
	}
	in := f.input(1)
	in.FailureLimit = 2
	s, err := f.run(t, in)
	if err == nil {
		t.Error("no error")
	}
	wantSummary(t, s, protocol.Summary{Cells: 50, Completed: 5, Failed: 2})
	if !slices.Equal(f.started, cellRange(0, 7)) {
		t.Errorf("started %v, want none after the second failure", f.started)
	}
	if f.collected != 1 {
		t.Errorf("collected %d times", f.collected)
	}
}

func TestFailureLimitCancelsTheOthers(t *testing.T) {
	f := newFake(50)
	inFlight := make(chan struct{}, 3)
	stopped := make(chan struct{})
	t.Cleanup(func() { close(stopped) })
	f.train = func(ctx context.Context, cell, _ int) error {
		if cell < 3 {
			inFlight <- struct{}{}
			<-stopped // the environment does not wait for activities that it cancels
			return ctx.Err()
		}
		for range 3 {
			<-inFlight
		}
		return errFinal
	}
	in := f.input(4)
	in.FailureLimit = 1
	s, err := f.run(t, in)
	var app *temporal.ApplicationError
	if !errors.As(err, &app) || app.Type() != protocol.ErrTypeFailed {
		t.Errorf("ended with %v", err)
	}
	wantSummary(t, s, protocol.Summary{Cells: 50, Failed: 1, Canceled: 3})
	if got := f.statuses(plan.Canceled); !slices.Equal(got, []int{0, 1, 2}) {
		t.Errorf("recorded as canceled: %v", got)
	}
	if got := f.failures[0].Error; got != "the sweep stopped, since too many runs failed" {
		t.Errorf("recorded why: %s", got)
	}
}

func TestCancel(t *testing.T) {
	f := newFake(20)
	stopped := make(chan struct{})
	t.Cleanup(func() { close(stopped) })
	env := f.env(t)
	f.train = func(ctx context.Context, cell, _ int) error {
		if cell < 3 {
			return nil
		}
		if cell == 5 {
			env.CancelWorkflow()
		}
		<-stopped
		return ctx.Err()
	}
	env.ExecuteWorkflow(protocol.WorkflowSweep, f.input(3))
	if !env.IsWorkflowCompleted() {
		t.Fatal("the workflow did not end")
	}
	if err := env.GetWorkflowError(); !temporal.IsCanceledError(err) {
		t.Errorf("ended with %v, want canceled", err)
	}
	if got := f.statuses(plan.Canceled); !slices.Equal(got, []int{3, 4, 5}) {
		t.Errorf("recorded as canceled: %v", got)
	}
	if got := f.failures[3].Error; got != "the sweep was canceled" {
		t.Errorf("recorded why: %s", got)
	}
	if f.collected != 1 {
		t.Errorf("collected %d times", f.collected)
	}
	p := progressOf(t, env)
	wantSummary(t, p.Summary, protocol.Summary{Cells: 20, Completed: 3, Canceled: 3})
	if len(p.Running) > 0 || !p.Ending {
		t.Errorf("running %v after the end, ending %t", p.Running, p.Ending)
	}
}

func TestCancelBeforeAnythingIsPrepared(t *testing.T) {
	f := newFake(20)
	env := f.env(t)
	stopped := make(chan struct{})
	t.Cleanup(func() { close(stopped) })
	f.prepare = func(int) error {
		env.CancelWorkflow()
		<-stopped
		return nil
	}
	env.ExecuteWorkflow(protocol.WorkflowSweep, f.input(3))
	if err := env.GetWorkflowError(); !temporal.IsCanceledError(err) {
		t.Errorf("ended with %v, want canceled", err)
	}
	if f.collected != 1 || len(f.started) > 0 {
		t.Errorf("collected %d times, started %v", f.collected, f.started)
	}
}

func TestErrorsThatEndASweep(t *testing.T) {
	fatal := temporal.NewNonRetryableApplicationError(
		"get sweeps/x: written by a newer version of sweep", "NewerVersion", nil)
	for name, c := range map[string]struct {
		set       func(*fake)
		want      string
		completed int
	}{
		"prepare": {func(f *fake) {
			f.prepare = func(chunk int) error { return errIf(chunk == 1, fatal) }
		}, "prepare", plan.ChunkSize},
		"record failure": {func(f *fake) {
			f.train = func(_ context.Context, cell, _ int) error { return errIf(cell == 2, errFinal) }
			f.fail = func(protocol.FailInput) error { return fatal }
		}, "record failure", -1},
		"collect": {func(f *fake) { f.collect = func() error { return fatal } }, "collect", 2 * plan.ChunkSize},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFake(2 * plan.ChunkSize)
			c.set(f)
			_, err := f.run(t, f.input(4))
			if err == nil || !strings.Contains(err.Error(), c.want+": ") ||
				!strings.Contains(err.Error(), fatal.Error()) {
				t.Errorf("ended with %v", err)
			}
			if f.collected != 1 {
				t.Errorf("collected %d times", f.collected)
			}
			if c.completed >= 0 && len(f.evaluated) != c.completed {
				t.Errorf("%d runs completed, want %d", len(f.evaluated), c.completed)
			}
		})
	}
}

// Without a plan there are no results to collect.
func TestNoPlan(t *testing.T) {
	f := newFake(3)
	f.prepare = func(int) error {
		return temporal.NewNonRetryableApplicationError("not in this store", protocol.ErrTypeNoPlan, nil)
	}
	if _, err := f.run(t, f.input(1)); err == nil || !strings.Contains(err.Error(), "not in this store") {
		t.Errorf("ended with %v", err)
	}
	if f.collected != 0 {
		t.Errorf("collected %d times", f.collected)
	}
}

func errIf(condition bool, err error) error {
	if condition {
		return err
	}
	return nil
}

// A run whose last checkpoint is lost is trained again. It fails if the checkpoint is lost each time.
func TestLostCheckpoint(t *testing.T) {
	f := newFake(3)
	f.eval = func(_ context.Context, cell, attempt int) error {
		if cell == 1 && attempt == 1 || cell == 2 {
			return temporal.NewNonRetryableApplicationError("lost", protocol.ErrTypeLost, nil)
		}
		return nil
	}
	s, err := f.run(t, f.input(2))
	if err == nil {
		t.Error("no error")
	}
	wantSummary(t, s, protocol.Summary{Cells: 3, Completed: 2, Failed: 1})
	if f.trained[0] != 1 || f.trained[1] != 2 || f.trained[2] != maxTrainings {
		t.Errorf("trained %v", f.trained)
	}
}

func TestProgress(t *testing.T) {
	f := newFake(5)
	f.done = func(cell int) bool { return cell == 0 }
	var seen []protocol.Progress
	env := f.env(t)
	for i := range 4 { // after 0.5, 1.5, … hours
		after := time.Duration(2*i+1) * 30 * time.Minute
		env.RegisterDelayedCallback(func() { seen = append(seen, progressOf(t, env)) }, after)
	}
	f.train = func(_ context.Context, cell, attempt int) error { // takes an hour, which the environment skips
		if attempt == 1 {
			return retryAfter(time.Hour)
		}
		return errIf(cell == 2, errFinal)
	}
	env.ExecuteWorkflow(protocol.WorkflowSweep, f.input(2))
	seen = append(seen, progressOf(t, env))
	want := []protocol.Progress{
		{Summary: protocol.Summary{Cells: 5, Completed: 1, Reused: 1}, Running: []int{1, 2}},
		{Summary: protocol.Summary{Cells: 5, Completed: 2, Reused: 1, Failed: 1}, Running: []int{3, 4}},
		{Summary: protocol.Summary{Cells: 5, Completed: 4, Reused: 1, Failed: 1}},
	}
	if len(seen) < 3 {
		t.Fatalf("seen %+v", seen)
	}
	seen = append(seen[:2], seen[len(seen)-1])
	for i := range want {
		if seen[i].Summary != want[i].Summary || !slices.Equal(seen[i].Running, want[i].Running) {
			t.Errorf("moment %d: %+v\nwant %+v", i, seen[i], want[i])
		}
	}
}

func TestShorten(t *testing.T) {
	for _, label := range []string{"", "k=1", strings.Repeat("a", maxSummary), strings.Repeat("é", maxSummary)} {
		got := shorten(label, maxSummary)
		fits, isPrefix := len(label) <= maxSummary, strings.HasPrefix(label, strings.TrimSuffix(got, "…"))
		if len(got) > maxSummary || fits && got != label || !isPrefix {
			t.Errorf("shorten(%q) = %q", label, got)
		}
	}
}
