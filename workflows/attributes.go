package workflows

import (
	"slices"
	"time"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"github.com/topksweep/sweep/sweep/plan"
	"github.com/topksweep/sweep/sweep/protocol"
)

// attributesEvery is how often search attributes follow the progress of a sweep. Each time costs an event. A new state
// is told at once.
const attributesEvery = 10 * time.Second

// status returns the state of the sweep.
func (s *state) status() plan.Status {
	switch {
	case s.aborted:
		return plan.Failed
	case s.root.Err() != nil:
		return plan.Canceled
	case s.ended && !s.hasWork() && s.Failed > 0, s.limitReached():
		return plan.Failed
	case s.ended && !s.hasWork():
		return plan.Completed
	case s.paused:
		return plan.Paused
	}
	return plan.Training
}

// upsertAttributes tells the server the search attributes that have changed, those that its namespace has. last says
// that the history ends.
func (s *state) upsertAttributes(ctx workflow.Context, last bool) {
	if s.version < versionSteered || len(s.in.Attributes) == 0 {
		return
	}
	state := string(s.status())
	if s.continued {
		state = protocol.StateContinued
	}
	now := workflow.Now(ctx)
	values := []any{state, int64(s.Cells), int64(s.Completed), int64(s.Failed), nil}
	if best := s.memory.best(); best != nil {
		values[4] = *best
	}
	if s.shown != nil && s.shown[0] == state && !last && now.Sub(s.shownAt) < attributesEvery {
		return
	}
	var set []temporal.SearchAttributeUpdate
	for i, a := range []struct {
		name string
		set  func() temporal.SearchAttributeUpdate
	}{
		{protocol.AttrState, func() temporal.SearchAttributeUpdate {
			return temporal.NewSearchAttributeKeyKeyword(protocol.AttrState).ValueSet(state)
		}},
		{protocol.AttrCells, int64Attribute(protocol.AttrCells, s.Cells)},
		{protocol.AttrDone, int64Attribute(protocol.AttrDone, s.Completed)},
		{protocol.AttrFailed, int64Attribute(protocol.AttrFailed, s.Failed)},
		{protocol.AttrBestNMSE, func() temporal.SearchAttributeUpdate {
			key := temporal.NewSearchAttributeKeyFloat64(protocol.AttrBestNMSE)
			if best := s.memory.best(); best != nil {
				return key.ValueSet(*best)
			}
			return key.ValueUnset()
		}},
	} {
		if slices.Contains(s.in.Attributes, a.name) && (s.shown == nil || s.shown[i] != values[i]) {
			set = append(set, a.set())
		}
	}
	s.shown, s.shownAt = values, now
	if len(set) == 0 {
		return
	}
	if err := workflow.UpsertTypedSearchAttributes(ctx, set...); err != nil {
		workflow.GetLogger(ctx).Warn("search attributes", "error", err)
	}
}

func int64Attribute(name string, n int) func() temporal.SearchAttributeUpdate {
	return func() temporal.SearchAttributeUpdate {
		return temporal.NewSearchAttributeKeyInt64(name).ValueSet(int64(n))
	}
}
