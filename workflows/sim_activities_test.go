package workflows

import (
	"fmt"
	"slices"
	"time"

	"go.temporal.io/sdk/interceptor"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"github.com/topksweep/sweep/sweep/plan"
	"github.com/topksweep/sweep/sweep/protocol"
)

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
	case protocol.RunsRef:
		f.cell, f.cells = ref.Cells[0], ref.Cells
		s.begin(f, 1, options.Priority)
		workflow.Go(ctx, func(ctx workflow.Context) { s.trainRuns(ctx, f, ref, result) })
		return future
	case protocol.CellRef:
		f.cell = ref.Cell
		s.begin(f, 1, options.Priority)
	case protocol.ChunkRef:
		f.cell, slot = ref.Chunk, false
	default:
		slot = false
	}
	takes, fails := s.outcome(activity, f.cell)
	if ref, ok := args[0].(protocol.StageRef); ok && s.evaluates(ref) {
		takes = s.short
	}
	if s.short > 0 && slot && s.results[f.cell] {
		fails = nil // a worker that died after it had stored the result leaves it to be found
	}
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
		if s.evaluates(in) {
			s.results[in.Cell] = true
			out.Brief, out.Seconds = s.brief(in.Cell), s.short.Seconds()
		}
		return out
	case protocol.CellRef:
		s.results[in.Cell] = true
		return protocol.Evaluated{Brief: *s.brief(in.Cell)}
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

func (s *sim) brief(cell int) *plan.Brief {
	nmse := float64(cell+1) / 1000
	return &plan.Brief{NMSE: &nmse}
}

// evaluates reports whether a stage is the whole of a short run, which is evaluated too.
func (s *sim) evaluates(ref protocol.StageRef) bool {
	return s.short > 0 && ref.Evaluate && ref.From == 0 && s.calls[fmt.Sprint(protocol.ActivityTrain, ref.Cell)] < 2
}

// trainRuns plays TrainRuns: one run after the other. If it is canceled, it ends the one that it trains.
func (s *sim) trainRuns(ctx workflow.Context, f *flight, ref protocol.RunsRef, result workflow.Settable) {
	disconnected, _ := workflow.NewDisconnectedContext(ctx)
	s.calls[protocol.ActivityRuns]++
	after, dies := len(ref.Cells)+1, false
	if s.dies != nil {
		if n, d := s.dies(s.calls[protocol.ActivityRuns]); d {
			after, dies = n, true
		}
	}
	var out protocol.Ran
	began := workflow.Now(ctx)
	for i, c := range ref.Cells {
		if ctx.Err() != nil || i == after {
			break
		}
		if c%17 == 16 { // something is wrong with it
			out.Alone = append(out.Alone, c)
			continue
		}
		if workflow.Sleep(ctx, s.short) != nil {
			_ = workflow.Sleep(disconnected, s.short/2)
		}
		s.results[c] = true
		out.Runs = append(out.Runs, protocol.RanRun{Cell: c, Steps: 100, Brief: s.brief(c)})
	}
	out.Seconds = workflow.Now(ctx).Sub(began).Seconds()
	s.end(f)
	if dies {
		result.SetError(temporal.NewApplicationError("its worker is gone", "Gone"))
		return
	}
	result.SetValue(out)
}

// begin notes that an activity of a slot begins, and checks that it may.
func (s *sim) begin(f *flight, cells int, p temporal.Priority) {
	what := fmt.Sprint(f.activity, " ", f.cell)
	s.began = append(s.began, what)
	s.priority[f.id] = p
	if s.paused {
		s.t.Errorf("%s begins after pause was answered", f.id)
	}
	for _, c := range append([]int{f.cell}, f.cells...) {
		if cells == 1 && s.gone[c] {
			s.t.Errorf("%s begins after cell %d was canceled", f.id, c)
		}
	}
	for _, c := range f.cells {
		for _, o := range s.flights {
			if o.cell == c && o.cells == nil || slices.Contains(o.cells, c) {
				s.t.Errorf("%q and %q train cell %d", f.id, o.id, c)
			}
		}
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
