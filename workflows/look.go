package workflows

import (
	"cmp"
	"slices"
	"time"

	"go.temporal.io/sdk/workflow"

	"github.com/topksweep/sweep/sweep/plan"
	"github.com/topksweep/sweep/sweep/protocol"
)

// The workflow asks now and then what its workers do, since heartbeats do not reach it. It shows the answer, and bounds
// the stages in flight and the weight of the sweep by it. A look costs 11 events of the history: so the time between
// two looks grows with the time that the history has taken, to lookMost.
const (
	lookFirst = 10 * time.Second
	lookMost  = 5 * time.Minute
	lookShare = 10 // a look after so much of the time since the history began, as 1 ÷ lookShare
)

// startLooking looks once, and then now and then until stop is called or ctx ends.
func (s *state) startLooking(ctx workflow.Context) (stop func()) {
	if s.version < versionSteered {
		return func() {}
	}
	ctx, stop = workflow.WithCancel(ctx)
	began := workflow.Now(ctx)
	s.look(ctx)
	workflow.Go(ctx, func(ctx workflow.Context) {
		for ctx.Err() == nil {
			wait := min(max(workflow.Now(ctx).Sub(began)/lookShare, lookFirst), lookMost)
			named := workflow.TimerOptions{Summary: "until the next look at the workers"}
			if workflow.NewTimerWithOptions(ctx, wait, named).Get(ctx, nil) != nil {
				return
			}
			// While nothing is in flight there is nothing to see.
			if workflow.Await(ctx, func() bool { return len(s.stages) > 0 }) != nil {
				return
			}
			s.look(ctx)
		}
	})
	return stop
}

// look asks what the workers do. Without an answer, what is known stays.
func (s *state) look(ctx workflow.Context) {
	in := s.lookInput(false)
	in.News = s.newsOf(ctx)
	live, err := callLook(ctx, s.ids, in)
	if err != nil {
		return
	}
	s.live, s.liveAt = &live, workflow.Now(ctx)
	s.changed()
	s.upsertAttributes(ctx, false)
}

// liveNow returns what the server told last, without the stages that are in flight no more. It returns nil if nothing
// is in flight.
func (s *state) liveNow() *protocol.Live {
	if s.live == nil || len(s.stages) == 0 {
		return nil
	}
	now := *s.live
	now.Stages = nil
	for _, l := range s.live.Stages {
		is := func(t *stage) bool { return l.ID == cmp.Or(t.evaluation, t.id) }
		switch {
		case slices.ContainsFunc(s.stages, is):
			now.Stages = append(now.Stages, l)
		case l.State == plan.Paused: // by itself: the server counted it as neither
		case l.State == plan.Waiting:
			now.Waiting--
		default:
			now.Training--
		}
	}
	return &now
}

func (s *state) lookInput(all bool) protocol.LookInput {
	return protocol.LookInput{Sweep: s.in.Sweep, TrainQueue: s.in.TrainQueue, Owner: s.in.Owner, All: all}
}
