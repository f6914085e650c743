package workflows

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"time"

	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/converter"
	sdklog "go.temporal.io/sdk/log"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/testsuite"

	"github.com/topksweep/sweep/sweep/plan"
	"github.com/topksweep/sweep/sweep/protocol"
)

const testSweep = "grid-0123abcd"

// A fake stands in for the activities: it counts what it is asked to do. Its
// functions, where set, decide what comes of it.
type fake struct {
	prepare func(chunk int) error
	done    func(cell int) bool
	train   func(ctx context.Context, cell, attempt int) error
	eval    func(ctx context.Context, cell, attempt int) error
	fail    func(protocol.FailInput) error
	collect func() error
	dead    int    // step in which the first latent is dead; 0: none ever is
	label   string // of every cell; the default tells them apart

	mu        sync.Mutex
	cells     int
	chunks    [][]plan.Tree
	spans     []string // of stages that were trained: "cell level to"
	prepared  []int    // chunks
	started   []int    // cells, in the order of their first training
	trained   map[int]int
	evaluated map[int]int
	failures  map[int]protocol.FailInput
	collected int
	inFlight  int
	most      int
	tries     map[string]int
}

// newFake has cells that share nothing.
func newFake(cells int) *fake {
	var trees []plan.Tree
	for i := range cells {
		trees = append(trees, plan.Tree{Family: fmt.Sprint(i), Weight: 1, Cells: []plan.TreeCell{{Cell: i, Decay: 50, Steps: 100}}})
	}
	return newTreeFake(cells, slices.Collect(slices.Chunk(trees, plan.ChunkSize))...)
}

func newTreeFake(cells int, chunks ...[]plan.Tree) *fake {
	return &fake{cells: cells, chunks: chunks, trained: map[int]int{}, evaluated: map[int]int{}, failures: map[int]protocol.FailInput{}, tries: map[string]int{}}
}

func (f *fake) Prepare(_ context.Context, ref protocol.ChunkRef) ([]plan.Tree, error) {
	f.mu.Lock()
	f.prepared = append(f.prepared, ref.Chunk)
	f.mu.Unlock()
	if f.prepare != nil {
		if err := f.prepare(ref.Chunk); err != nil {
			return nil, err
		}
	}
	out := slices.Clone(f.chunks[ref.Chunk])
	for i := range out {
		out[i].Cells = slices.Clone(out[i].Cells)
		for j := range out[i].Cells {
			c := &out[i].Cells[j]
			c.Label = cmp.Or(f.label, fmt.Sprintf("k=%d", c.Cell))
			c.Done = f.done != nil && f.done(c.Cell)
		}
	}
	return out, nil
}

// heavy runs an activity that takes a slot and counts its successes.
func (f *fake) heavy(ctx context.Context, name string, cell int, fn func(context.Context, int, int) error, count map[int]int) error {
	f.mu.Lock()
	key := fmt.Sprint(name, cell)
	f.tries[key]++
	try := f.tries[key]
	f.inFlight++
	f.most = max(f.most, f.inFlight)
	if name == protocol.ActivityTrain && !slices.Contains(f.started, cell) {
		f.started = append(f.started, cell)
	}
	f.mu.Unlock()
	var err error
	if fn != nil {
		err = fn(ctx, cell, try)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.inFlight--
	if err == nil {
		count[cell]++
	}
	return err
}

func (f *fake) TrainStage(ctx context.Context, ref protocol.StageRef) (protocol.Trained, error) {
	err := f.heavy(ctx, protocol.ActivityTrain, ref.Cell, f.train, f.trained)
	out := protocol.Trained{Reached: ref.To}
	if err == nil && f.dead > 0 && ref.Level.UntilDead() {
		out.Reached = min(ref.To, f.dead)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if err == nil {
		f.spans = append(f.spans, fmt.Sprintf("%d %s → %d", ref.Cell, ref.Level, out.Reached))
	}
	return out, err
}

func (f *fake) Evaluate(ctx context.Context, ref protocol.CellRef) error {
	return f.heavy(ctx, protocol.ActivityEval, ref.Cell, f.eval, f.evaluated)
}

func (f *fake) RecordFailure(_ context.Context, in protocol.FailInput) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, cell := range in.Cells {
		f.failures[cell] = in
	}
	if f.fail != nil {
		return f.fail(in)
	}
	return nil
}

func (f *fake) Collect(context.Context, string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.collected++
	if f.collect != nil {
		return f.collect()
	}
	return nil
}

type activityRegistry interface {
	RegisterActivityWithOptions(a any, o activity.RegisterOptions)
}

func (f *fake) register(r activityRegistry) {
	for name, fn := range map[string]any{
		protocol.ActivityPrepare: f.Prepare, protocol.ActivityTrain: f.TrainStage, protocol.ActivityEval: f.Evaluate,
		protocol.ActivityFail: f.RecordFailure, protocol.ActivityCollect: f.Collect,
	} {
		r.RegisterActivityWithOptions(fn, activity.RegisterOptions{Name: name})
	}
}

func (f *fake) statuses(s plan.Status) (cells []int) {
	for cell, note := range f.failures {
		if note.Status == s {
			cells = append(cells, cell)
		}
	}
	slices.Sort(cells)
	return cells
}

// env is a time-skipping environment with the fake in it.
func (f *fake) env(t *testing.T) *testsuite.TestWorkflowEnvironment {
	t.Helper()
	var suite testsuite.WorkflowTestSuite
	suite.SetLogger(sdklog.NewStructuredLogger(slog.New(slog.DiscardHandler)))
	env := suite.NewTestWorkflowEnvironment()
	Register(env)
	f.register(env)
	return env
}

func (f *fake) input(window int) protocol.SweepInput {
	return protocol.SweepInput{Sweep: testSweep, Size: plan.Size{Cells: f.cells, TreeChunks: len(f.chunks)}, TrainQueue: protocol.TrainQueue("cpu"), MaxConcurrent: window}
}

// run runs a sweep to its end and returns what it came to.
func (f *fake) run(t *testing.T, in protocol.SweepInput) (protocol.Summary, error) {
	t.Helper()
	env := f.env(t)
	env.ExecuteWorkflow(protocol.WorkflowSweep, in)
	if !env.IsWorkflowCompleted() {
		t.Fatal("the workflow did not end")
	}
	return outcomeOf(t, env)
}

// outcomeOf returns the summary of a sweep, which its error carries if it ended
// with one.
func outcomeOf(t *testing.T, env *testsuite.TestWorkflowEnvironment) (s protocol.Summary, err error) {
	t.Helper()
	if err := env.GetWorkflowError(); err != nil {
		var app *temporal.ApplicationError
		if errors.As(err, &app) && app.HasDetails() {
			if err := app.Details(&s); err != nil {
				t.Fatal(err)
			}
		}
		return s, err
	}
	return s, cmp.Or(env.GetWorkflowResult(&s))
}

func progressOf(t *testing.T, env *testsuite.TestWorkflowEnvironment) (p protocol.Progress) {
	t.Helper()
	v, err := env.QueryWorkflow(protocol.QueryProgress)
	if err != nil {
		t.Fatal(err)
	}
	if err := v.Get(&p); err != nil {
		t.Fatal(err)
	}
	return p
}

func count(from, to int) (cells []int) {
	for i := from; i < to; i++ {
		cells = append(cells, i)
	}
	return cells
}

// wantEach says that each of the cells, and no other, was counted n times.
func wantEach(t *testing.T, what string, got map[int]int, cells []int, n int) {
	t.Helper()
	for _, c := range cells {
		if got[c] != n {
			t.Errorf("cell %d was %s %d times, want %d", c, what, got[c], n)
		}
	}
	if len(got) != len(cells) {
		t.Errorf("%d cells were %s, want %d", len(got), what, len(cells))
	}
}

func wantSummary(t *testing.T, got, want protocol.Summary) {
	t.Helper()
	if got != want {
		t.Errorf("summary %+v\nwant    %+v", got, want)
	}
}

// later fails an activity that is to be tried again after d.
func later(d time.Duration) error {
	return temporal.NewApplicationErrorWithOptions("not yet", "Later", temporal.ApplicationErrorOptions{NextRetryDelay: d})
}

var errNever = temporal.NewNonRetryableApplicationError("step 3: the loss is NaN", "NotFinite", nil)

func startedListener(fn func()) func(*activity.Info, context.Context, converter.EncodedValues) {
	return func(*activity.Info, context.Context, converter.EncodedValues) { fn() }
}

func completedListener(fn func()) func(*activity.Info, converter.EncodedValue, error) {
	return func(*activity.Info, converter.EncodedValue, error) { fn() }
}

func canceledListener(fn func()) func(*activity.Info) { return func(*activity.Info) { fn() } }

// evaluatedCell says that a cell has its result.
func (f *fake) evaluatedCell(cell int) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.evaluated[cell] > 0
}
