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
	"go.temporal.io/sdk/workflow"

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
	s.limit = in.MaxConcurrent
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
		s.env.OnGetVersion(steeredChange, versionPlain, versionSteered).Return(versionPlain)
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

// send sends an update, and keeps its answer.
func (s *sim) send(u *steer) {
	if s.env.IsWorkflowCompleted() {
		return
	}
	u.sent = true
	if u.do != nil {
		u.do(s)
		return
	}
	a := answer{update: u.update}
	done := func(result any, err error) {
		a.at, a.err = s.env.Now().Sub(simStart), err
		if err == nil {
			a.Steered = result.(protocol.Steered)
		}
		s.answers = append(s.answers, a)
	}
	u.after = s.retries
	s.asked(u)
	accepted := false
	s.env.UpdateWorkflow(u.update, "", &testsuite.TestUpdateCallback{
		OnAccept: func() { s.open++; accepted = true },
		OnReject: func(err error) { a.rejected = true; done(nil, err) },
		OnComplete: func(result any, err error) {
			if accepted {
				s.open--
			}
			done(result, err)
			s.answered(u, a)
		},
	}, u.args...)
}

// asked notes that an update is asked for: what it allows is allowed from now on.
func (s *sim) asked(u *steer) {
	switch u.update {
	case protocol.UpdateResume:
		s.paused = false
	case protocol.UpdateSet:
		s.limit = max(s.limit, u.args[0].(protocol.Settings).MaxConcurrent)
	case protocol.UpdateRetry:
		s.retries++
		if len(u.args) == 0 || len(u.args[0].(protocol.Selection).Cells) == 0 {
			clear(s.gone)
			return
		}
		for _, c := range u.args[0].(protocol.Selection).Cells {
			delete(s.gone, c)
		}
	}
}

// answered notes that an update is answered: what it forbids is forbidden from now on.
func (s *sim) answered(u *steer, a answer) {
	if a.err != nil {
		return
	}
	switch u.update {
	case protocol.UpdatePause:
		s.paused = a.State == plan.Paused
		if s.paused && len(s.flights) > 0 {
			s.t.Errorf("paused, and %d stages are in flight", len(s.flights))
		}
	case protocol.UpdateSet:
		s.limit = u.args[0].(protocol.Settings).MaxConcurrent
		if len(s.flights) > s.limit {
			s.t.Errorf("%d stages are in flight after max_concurrent was set to %d", len(s.flights), s.limit)
		}
	case protocol.UpdateCancel:
		if s.plain > 0 && s.retries > u.after {
			return // a history of before does not wait for this answer when it retries
		}
		for _, c := range a.Steered.Cells {
			s.gone[c] = true
		}
	case protocol.UpdateResume, protocol.UpdateRetry: // an update before it may have been answered since
		s.asked(u)
	}
}

// tree returns the tree of a cell, and what it knows of the cell.
func (s *sim) tree(cell int) (plan.Tree, plan.TreeCell) {
	for _, chunk := range s.chunks {
		for _, t := range chunk {
			for _, c := range t.Cells {
				if c.Cell == cell {
					return t, c
				}
			}
		}
	}
	s.t.Fatalf("no cell %d", cell)
	return plan.Tree{}, plan.TreeCell{}
}

// folder names the checkpoint folder of a stage, as plan.Header.CheckpointFolder does.
func (s *sim) folder(ref protocol.StageRef) string {
	t, c := s.tree(ref.Cell)
	switch ref.Level {
	case plan.LevelTrunk:
		return t.Family
	case plan.LevelAuxK:
		return fmt.Sprint(t.Family, " AuxK ", c.AuxK)
	case plan.LevelSchedule:
		return fmt.Sprint(t.Family, " schedule ", c.Decay, " ", c.Steps)
	}
	return fmt.Sprint("cell ", ref.Cell)
}

// begin notes that an activity of a slot begins, and checks that it may.
func (s *sim) begin(f *flight, cells int, p temporal.Priority) {
	what := fmt.Sprint(f.activity, " ", f.cell)
	s.began = append(s.began, what)
	s.priority[f.id] = p
	if s.paused {
		s.t.Errorf("%s begins after pause was answered", f.id)
	}
	if cells == 1 && s.gone[f.cell] {
		s.t.Errorf("%s begins after the cell was canceled", f.id)
	}
	for _, o := range s.flights {
		if f.folder != "" && f.folder == o.folder {
			s.t.Errorf("%q and %q train in one folder, %s", f.id, o.id, f.folder)
		}
	}
	if s.flights = append(s.flights, f); len(s.flights) > s.limit {
		s.t.Errorf("%d stages are in flight with max_concurrent %d", len(s.flights), s.limit)
	}
}

func (s *sim) end(f *flight) {
	s.flights = slices.DeleteFunc(s.flights, func(o *flight) bool { return o == f })
}

// outcome returns what an activity takes, and how it ends.
func (s *sim) outcome(activity string, cell int) (time.Duration, error) {
	key := fmt.Sprint(activity, cell)
	s.calls[key]++
	switch {
	case s.takes != nil:
		return s.takes(activity, cell, s.calls[key])
	case activity == protocol.ActivityTrain:
		return time.Minute, nil
	case activity == protocol.ActivityEval:
		return 10 * time.Second, nil
	}
	return 0, nil
}

// prepare returns a chunk of the plan.
func (s *sim) prepare(chunk int) []plan.Tree {
	out := slices.Clone(s.chunks[chunk])
	for i := range out {
		out[i].Cells = slices.Clone(out[i].Cells)
		for j := range out[i].Cells {
			c := &out[i].Cells[j]
			c.Label, c.Done = fmt.Sprintf("k=%d", c.Cell), s.results[c.Cell]
		}
	}
	return out
}

// record notes why cells have no result.
func (s *sim) record(in protocol.FailInput) (noted []int) {
	for _, c := range in.Cells {
		switch {
		case in.UnlessDone && s.results[c]:
			continue
		case in.Status == plan.Pending:
			delete(s.notes, c)
		default:
			s.notes[c], s.reasons[c] = in.Status, in.Error
		}
		noted = append(noted, c)
	}
	return noted
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

// answerTo returns the answer to the only update of a name.
func (s *sim) answerTo(update string) answer {
	s.t.Helper()
	i := slices.IndexFunc(s.answers, func(a answer) bool { return a.update == update })
	if i < 0 {
		s.t.Fatalf("no answer to %s: %+v", update, s.answers)
	}
	return s.answers[i]
}

// wantAnswer checks the answer to the only update of a name.
func (s *sim) wantAnswer(update, did string, state plan.Status, stopped int, cells ...int) {
	s.t.Helper()
	a := s.answerTo(update)
	if a.err != nil || a.Did != did || a.State != state || a.Stopped != stopped || a.Steered.Cells == nil ||
		!slices.Equal(a.Steered.Cells, append([]int{}, cells...)) {
		s.t.Errorf("%s was answered with %+v\nwant %q, %s, %d stopped, cells %v", update, a, did, state, stopped, cells)
	}
}

func wantBegan(t *testing.T, s *sim, want ...string) {
	t.Helper()
	if !slices.Equal(s.began, want) {
		t.Errorf("began %q\nwant  %q", s.began, want)
	}
}

type simInterceptor struct {
	interceptor.WorkerInterceptorBase
	sim *sim
}

func (i *simInterceptor) InterceptWorkflow(
	ctx workflow.Context, next interceptor.WorkflowInboundInterceptor,
) interceptor.WorkflowInboundInterceptor {
	in := &simInbound{sim: i.sim}
	in.Next = next
	return in
}

type simInbound struct {
	interceptor.WorkflowInboundInterceptorBase
	sim *sim
}

func (i *simInbound) Init(outbound interceptor.WorkflowOutboundInterceptor) error {
	out := &simOutbound{sim: i.sim}
	out.Next = outbound
	return i.Next.Init(out)
}

type simOutbound struct {
	interceptor.WorkflowOutboundInterceptorBase
	sim *sim
}

//workflowcheck:ignore
func (o *simOutbound) ExecuteActivity(ctx workflow.Context, activity string, args ...any) workflow.Future {
	s := o.sim
	future, result := workflow.NewFuture(ctx)
	if ctx.Err() != nil {
		result.SetError(temporal.NewCanceledError())
		return future
	}
	options := workflow.GetActivityOptions(ctx)
	f := &flight{activity: activity, id: options.ActivityID}
	slot := true
	switch ref := args[0].(type) {
	case protocol.StageRef:
		f.cell, f.folder = ref.Cell, s.folder(ref)
		s.begin(f, ref.Cells, options.Priority)
	case protocol.CellRef:
		f.cell = ref.Cell
		s.begin(f, 1, options.Priority)
	case protocol.ChunkRef:
		f.cell, slot = ref.Chunk, false
	default:
		slot = false
	}
	takes, fails := s.outcome(activity, f.cell)
	workflow.Go(ctx, func(ctx workflow.Context) {
		disconnected, _ := workflow.NewDisconnectedContext(ctx)
		canceled := workflow.Sleep(ctx, takes) != nil
		if canceled && slot && s.saving > 0 {
			_ = workflow.Sleep(disconnected, s.saving)
		}
		s.end(f)
		switch {
		case canceled && !(s.late && slot):
			result.SetError(temporal.NewCanceledError())
		case fails != nil:
			result.SetError(fails)
		default:
			result.SetValue(s.value(activity, args[0]))
		}
	})
	return future
}

// value does what an activity does, and returns its result.
func (s *sim) value(activity string, arg any) any {
	switch in := arg.(type) {
	case protocol.StageRef:
		out := protocol.Trained{Reached: in.To, Steps: in.To - in.From}
		if s.dead > 0 && in.Level.UntilDead() {
			out.Reached = min(in.To, max(in.From, s.dead))
		}
		s.spans = append(s.spans, fmt.Sprintf("%d %s → %d", in.Cell, in.Level, out.Reached))
		return out
	case protocol.CellRef:
		s.results[in.Cell] = true
		nmse := float64(in.Cell+1) / 1000
		return plan.Brief{NMSE: &nmse}
	case protocol.ChunkRef:
		return s.prepare(in.Chunk)
	case protocol.FailInput:
		return s.record(in)
	case protocol.LookInput:
		var live protocol.Live
		if s.live != nil {
			live = s.live(s)
		}
		if !in.All {
			live.Stages = live.Stages[:min(len(live.Stages), protocol.MaxLive)]
		}
		return live
	}
	s.collected++
	return nil
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
