package workflows

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"go.temporal.io/sdk/interceptor"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/testsuite"
	"go.temporal.io/sdk/worker"

	"github.com/topksweep/sweep/sweep/plan"
	"github.com/topksweep/sweep/sweep/protocol"
)

// A sim plays the activities of a sweep inside the dispatcher of the workflow, so that all of it takes virtual time and
// is the same each time. Other than the activities of a fake, one that is canceled ends when it has saved its state. A
// sim holds what a store would hold, passes through all histories of a sweep, and checks what must hold at any time.
type sim struct {
	t      *testing.T
	chunks [][]plan.Tree
	dead   int // as fake.firstDead
	// takes returns how long the n-th activity of a kind for a cell takes, and how it ends; nil: a minute, and well. For
	// Prepare and Look, cell is 0 or the chunk.
	takes  func(activity string, cell, n int) (time.Duration, error)
	saving time.Duration // how long a canceled activity of a slot takes to end
	late   bool          // a canceled evaluation ends well nevertheless
	live   func(s *sim) protocol.Live
	todo   []steer // by time
	plain  int     // number of histories that an old program began
	// short, if not 0, is how long the run of a tree of its own takes, with its evaluation, in one activity or among
	// others in one. dies says whether the worker of the n-th of the latter dies after so many runs; nil for never.
	short time.Duration
	dies  func(n int) (after int, dies bool)

	env       *testsuite.TestWorkflowEnvironment
	now       time.Time // when this history began
	in        protocol.SweepInput
	inputs    []protocol.SweepInput // of all histories
	results   map[int]bool
	notes     map[int]plan.Status
	reasons   map[int]string // of the newest notes
	calls     map[string]int
	flights   []*flight // activities of slots in flight
	spans     []string  // stages that were trained to their end
	began     []string  // activities of slots in the order in which they began: "train 3", "evaluate 3"
	priority  map[string]temporal.Priority
	collected int
	answers   []answer
	open      int // updates that are accepted and not answered
	retries   int // that were asked for

	limit    int  // of flights
	paused   bool // pause was answered, and resume was not asked for
	gone     map[int]bool
	wasEnded bool
}

// A steer is an update at a time after the start, or another thing that happens then.
type steer struct {
	at     time.Duration
	update string
	args   []any
	do     func(*sim)
	sent   bool
	after  int // number of retries that were asked for before it
}

type answer struct {
	update string
	at     time.Duration
	protocol.Steered
	err      error
	rejected bool
}

type flight struct {
	activity, folder, id string
	cell                 int
	cells                []int // of several runs one after the other
}

var simStart = time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)

func newSim(t *testing.T, chunks ...[]plan.Tree) *sim {
	return &sim{
		t: t, chunks: chunks, saving: 2 * time.Second, now: simStart, results: map[int]bool{},
		notes: map[int]plan.Status{}, reasons: map[int]string{}, calls: map[string]int{}, gone: map[int]bool{},
		priority: map[string]temporal.Priority{},
	}
}

// cellTrees returns trees of one cell each: the cells from, from+1, …, to-1.
func cellTrees(from, to int) (trees []plan.Tree) {
	for i := from; i < to; i++ {
		trees = append(trees, oneCellTree(fmt.Sprint("f", i), i, 50))
	}
	return trees
}

// size returns the size of the first chunks of the plan.
func (s *sim) size(chunks int) plan.Size {
	n := 0
	for _, c := range s.chunks[:chunks] {
		for _, t := range c {
			n += len(t.Cells)
		}
	}
	return plan.Size{Cells: n, TreeChunks: chunks}
}

func (s *sim) input(slots int) protocol.SweepInput {
	return protocol.SweepInput{
		Sweep: testSweep, Size: s.size(len(s.chunks)), TrainQueue: protocol.TrainQueue("cpu"), MaxConcurrent: slots,
	}
}

// at adds an update that is sent at a time.
func (s *sim) at(at time.Duration, update string, args ...any) {
	s.todo = append(s.todo, steer{at: at, update: update, args: args})
}

func (s *sim) doAt(at time.Duration, do func(*sim)) { s.todo = append(s.todo, steer{at: at, do: do}) }

// run runs a sweep through all its histories, and returns its outcome.
func (s *sim) run(in protocol.SweepInput) (protocol.Summary, error) {
	s.t.Helper()
	if s.limit = in.MaxConcurrent; in.AutoConcurrent {
		s.limit = maxSlots
	}
	for {
		s.in = in
		s.inputs = append(s.inputs, in)
		if len(s.inputs) > 60 {
			s.t.Fatalf("%d histories", len(s.inputs))
		}
		s.runHistory()
		next, ok := nextInput(s.t, s.env)
		if !ok {
			s.wasEnded = true
			return outcomeOf(s.t, s.env)
		}
		in = next
		s.now = s.env.Now()
	}
}

func (s *sim) runHistory() {
	s.env = newFake(0).env(s.t)
	s.env.SetWorkerOptions(worker.Options{
		DeadlockDetectionTimeout: time.Minute, Interceptors: []interceptor.WorkerInterceptor{&simInterceptor{sim: s}},
	})
	s.env.SetTestTimeout(5 * time.Minute)
	s.env.SetStartTime(s.now)
	if len(s.inputs) <= s.plain {
		s.env.OnGetVersion(steeredChange, versionPlain, versionShort).Return(versionPlain)
	}
	for i := range s.todo {
		if u := &s.todo[i]; !u.sent {
			s.env.RegisterDelayedCallback(func() { s.send(u) }, max(0, simStart.Add(u.at).Sub(s.now)))
		}
	}
	s.env.ExecuteWorkflow(protocol.WorkflowSweep, s.in)
	if !s.env.IsWorkflowCompleted() {
		s.t.Fatalf("the workflow did not end: %s", strings.Join(s.began, ", "))
	}
	if len(s.flights) > 0 || s.open > 0 {
		s.t.Errorf("a history ended with %d stages in flight and %d updates that were not answered",
			len(s.flights), s.open)
	}
	s.flights, s.open = nil, 0
}

// cellsWith returns the cells with a result, or else with a note.
func (s *sim) cellsWith(status plan.Status) (cells []int) {
	for c := range s.size(len(s.chunks)).Cells {
		is := s.notes[c]
		if s.results[c] {
			is = plan.Completed
		}
		if is == status {
			cells = append(cells, c)
		}
	}
	return cells
}

// wantCounts checks a summary against the store.
func (s *sim) wantCounts(got protocol.Summary) {
	s.t.Helper()
	done, failed, canceled := s.cellsWith(plan.Completed), s.cellsWith(plan.Failed), s.cellsWith(plan.Canceled)
	if got.Completed != len(done) || got.Failed != len(failed) || got.Canceled != len(canceled) {
		s.t.Errorf("summary %+v, but the store has results of %v, failures of %v, canceled %v", got, done, failed,
			canceled)
	}
}

func wantBegan(t *testing.T, s *sim, want ...string) {
	t.Helper()
	if !slices.Equal(s.began, want) {
		t.Errorf("began %q\nwant  %q", s.began, want)
	}
}

// endedWith returns the type of the error with which a sweep ended.
func endedWith(err error) string {
	var app *temporal.ApplicationError
	switch {
	case err == nil:
		return ""
	case temporal.IsCanceledError(err):
		return "canceled"
	case errors.As(err, &app):
		return app.Type()
	}
	return err.Error()
}
