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
		return protocol.Evaluated{Brief: plan.Brief{NMSE: &nmse}}
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
