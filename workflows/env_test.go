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
	"go.temporal.io/sdk/worker"

	"github.com/topksweep/sweep/sweep/plan"
	"github.com/topksweep/sweep/sweep/protocol"
)

const testSweep = "grid-0123abcd"

// A fake replaces the activities and counts their calls. Its functions decide what the
// activities return. Those that are nil change nothing: every activity succeeds and no
// cell has a result.
type fake struct {
	prepare   func(chunk int) error
	done      func(cell int) bool // the cell has a result already
	train     func(ctx context.Context, cell, attempt int) error
	eval      func(ctx context.Context, cell, attempt int) error
	fail      func(protocol.FailInput) error
	collect   func() error
	look      func(protocol.LookInput) (protocol.Live, error)
	runs      func(cells []int) ([]int, error) // which of the runs of one activity get a result; nil for all
	short     time.Duration                    // that each run is said to take, which is evaluated too; 0: none is
	firstDead int                              // step in which the first latent is dead; 0: no latent is ever dead
	label     string                           // of every cell; "" gives each cell its own

	mu        sync.Mutex
	cells     int
	chunks    [][]plan.Tree
	spans     []string // the stages that were trained: "cell level → reached step"
	prepared  []int    // chunks
	started   []int    // cells, in the order of their first training
	trained   map[int]int
	evaluated map[int]int
	failures  map[int]protocol.FailInput
	collected int
	canceled  bool // what was collected last is of a sweep that is canceled
	looks     int
	chains    [][]int // runs of each activity with several
	inFlight  int
	attempts  map[string]int // of each activity of each cell

	maxInFlight int
}

// newFake returns a fake whose plan has one tree for each cell.
func newFake(cells int) *fake {
	var trees []plan.Tree
	for i := range cells {
		trees = append(trees, oneCellTree(fmt.Sprint(i), i, 50))
	}
	return newTreeFake(cells, slices.Collect(slices.Chunk(trees, plan.ChunkSize))...)
}

// oneCellTree returns a tree of one cell, which trains for 100 steps.
func oneCellTree(family string, cell, decayStart int) plan.Tree {
	return plan.Tree{
		Family: family, Weight: 1, Cells: []plan.TreeCell{{Cell: cell, Decay: decayStart, Steps: 100}},
	}
}

// newTreeFake returns a fake whose plan has these chunks of trees.
func newTreeFake(cells int, chunks ...[]plan.Tree) *fake {
	return &fake{
		cells: cells, chunks: chunks, trained: map[int]int{}, evaluated: map[int]int{},
		failures: map[int]protocol.FailInput{}, attempts: map[string]int{},
	}
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

// runInSlot runs fn, if it is set, as an activity that takes a slot, and counts its successes.
func (f *fake) runInSlot(
	ctx context.Context, name string, cell int, fn func(ctx context.Context, cell, attempt int) error,
	successes map[int]int,
) error {
	f.mu.Lock()
	key := fmt.Sprint(name, cell)
	f.attempts[key]++
	attempt := f.attempts[key]
	f.inFlight++
	f.maxInFlight = max(f.maxInFlight, f.inFlight)
	if name == protocol.ActivityTrain && !slices.Contains(f.started, cell) {
		f.started = append(f.started, cell)
	}
	f.mu.Unlock()
	var err error
	if fn != nil {
		err = fn(ctx, cell, attempt)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.inFlight--
	if err == nil {
		successes[cell]++
	}
	return err
}

func (f *fake) TrainStage(ctx context.Context, ref protocol.StageRef) (protocol.Trained, error) {
	err := f.runInSlot(ctx, protocol.ActivityTrain, ref.Cell, f.train, f.trained)
	out := protocol.Trained{Reached: ref.To}
	if err == nil && f.firstDead > 0 && ref.Level.UntilDead() {
		out.Reached = min(ref.To, f.firstDead)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if err == nil {
		f.spans = append(f.spans, fmt.Sprintf("%d %s → %d", ref.Cell, ref.Level, out.Reached))
	}
	if err == nil && f.short > 0 && ref.Evaluate {
		nmse := float64(ref.Cell+1) / 1000
		out.Brief, out.Steps, out.Seconds = &plan.Brief{NMSE: &nmse}, ref.To-ref.From, f.short.Seconds()
		f.evaluated[ref.Cell]++
	}
	return out, err
}

func (f *fake) TrainRuns(_ context.Context, ref protocol.RunsRef) (out protocol.Ran, err error) {
	cells := ref.Cells
	if f.runs != nil {
		cells, err = f.runs(cells)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.chains = append(f.chains, ref.Cells)
	for _, c := range cells {
		nmse := float64(c+1) / 1000
		out.Runs = append(out.Runs, protocol.RanRun{Cell: c, Steps: 100, Brief: &plan.Brief{NMSE: &nmse}})
		f.evaluated[c]++
	}
	out.Seconds = f.short.Seconds() * float64(len(cells))
	return out, err
}

func (f *fake) Evaluate(ctx context.Context, ref protocol.CellRef) (protocol.Evaluated, error) {
	nmse := float64(ref.Cell+1) / 1000
	err := f.runInSlot(ctx, protocol.ActivityEval, ref.Cell, f.eval, f.evaluated)
	return protocol.Evaluated{Brief: plan.Brief{NMSE: &nmse}}, err
}

func (f *fake) RecordFailure(_ context.Context, in protocol.FailInput) (noted []int, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, cell := range in.Cells {
		if in.UnlessDone && (f.evaluated[cell] > 0 || f.done != nil && f.done(cell)) {
			continue
		}
		f.failures[cell] = in
		noted = append(noted, cell)
	}
	if f.fail != nil {
		return nil, f.fail(in)
	}
	return noted, nil
}

func (f *fake) Look(_ context.Context, in protocol.LookInput) (protocol.Live, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.looks++
	if f.look != nil {
		return f.look(in)
	}
	return protocol.Live{}, nil
}

func (f *fake) Collect(_ context.Context, _ string, canceled bool) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.collected++
	f.canceled = canceled
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
		protocol.ActivityLook: f.Look, protocol.ActivityRuns: f.TrainRuns,
	} {
		r.RegisterActivityWithOptions(fn, activity.RegisterOptions{Name: name})
	}
}

// statuses returns the cells that were recorded with a status, ascending.
func (f *fake) statuses(s plan.Status) (cells []int) {
	for cell, in := range f.failures {
		if in.Status == s {
			cells = append(cells, cell)
		}
	}
	slices.Sort(cells)
	return cells
}

// env returns a test environment, which skips waiting times, with the fake's activities.
func (f *fake) env(t *testing.T) *testsuite.TestWorkflowEnvironment {
	t.Helper()
	var suite testsuite.WorkflowTestSuite
	suite.SetLogger(sdklog.NewStructuredLogger(slog.New(slog.DiscardHandler)))
	env := suite.NewTestWorkflowEnvironment()
	env.SetWorkerOptions(worker.Options{DeadlockDetectionTimeout: time.Minute}) // a loaded machine is slow
	Register(env)
	f.register(env)
	return env
}

func (f *fake) input(slots int) protocol.SweepInput {
	return protocol.SweepInput{
		Sweep: testSweep, Size: plan.Size{Cells: f.cells, TreeChunks: len(f.chunks)},
		TrainQueue: protocol.TrainQueue("cpu"), MaxConcurrent: slots,
	}
}

// run runs a sweep to its end and returns its summary and its error.
func (f *fake) run(t *testing.T, in protocol.SweepInput) (protocol.Summary, error) {
	t.Helper()
	env := f.env(t)
	env.ExecuteWorkflow(protocol.WorkflowSweep, in)
	if !env.IsWorkflowCompleted() {
		t.Fatal("the workflow did not end")
	}
	return outcomeOf(t, env)
}

// outcomeOf returns the summary and the error of a sweep. An error holds the summary as its details.
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

// cellRange returns the cells from, from+1, … to-1.
func cellRange(from, to int) (cells []int) {
	for i := from; i < to; i++ {
		cells = append(cells, i)
	}
	return cells
}

// wantEach checks that each of the cells, and no other, was counted n times.
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

// retryAfter returns an error after which an activity is tried again in d.
func retryAfter(d time.Duration) error {
	return temporal.NewApplicationErrorWithOptions(
		"not yet", "Later", temporal.ApplicationErrorOptions{NextRetryDelay: d})
}

// errFinal is an error after which an activity is not tried again.
var errFinal = temporal.NewNonRetryableApplicationError("step 3: the loss is NaN", "NotFinite", nil)

func onStarted(fn func()) func(*activity.Info, context.Context, converter.EncodedValues) {
	return func(*activity.Info, context.Context, converter.EncodedValues) { fn() }
}

func onCompleted(fn func()) func(*activity.Info, converter.EncodedValue, error) {
	return func(*activity.Info, converter.EncodedValue, error) { fn() }
}

func onCanceled(fn func()) func(*activity.Info) { return func(*activity.Info) { fn() } }

// evaluatedCell reports whether a cell has its result.
func (f *fake) evaluatedCell(cell int) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.evaluated[cell] > 0
}
