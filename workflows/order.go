package workflows

import (
	"go.temporal.io/sdk/temporal"

	"github.com/topksweep/sweep/sweep/plan"
	"github.com/topksweep/sweep/sweep/protocol"
)

// A queue of training workers hands out what waits in this order:
//
//  1. Evaluations: a run is completed before another one starts. Activities that need no slot are short, and go first
//     in their own queue.
//  2. By the priority that people gave to a sweep. Cells that are retried at once go with those of high priority.
//  3. Of one priority, sweeps take turns (FairnessKey). The sweeps of one owner share one turn (FairnessWeight).
//  4. Of one sweep, in the order in which the workflow starts stages: the longest way to go first (plan.Frontier).
//
// A server whose matching.enableFairness is off ignores 3.
const (
	keyShort  = 1
	keyHigh   = 2
	keyNormal = 3
	keyLow    = 4
)

// A slot says where an activity waits for a slot, and what goes before what.
type slot struct {
	queue    string
	priority temporal.Priority
	summary  string // for people
}

// priority returns the place of a stage in its queue.
func (s *state) priority(ready plan.ReadyStage) temporal.Priority {
	p := temporal.Priority{
		PriorityKey: keyNormal, FairnessKey: protocol.FairnessKey(s.in.Sweep), FairnessWeight: 1,
	}
	switch s.in.Priority {
	case protocol.PriorityHigh:
		p.PriorityKey = keyHigh
	case protocol.PriorityLow:
		p.PriorityKey = keyLow
	}
	if ready.First {
		p.PriorityKey = keyHigh
	}
	if s.live != nil && s.live.OwnersSweeps > 1 {
		p.FairnessWeight = 1 / float32(s.live.OwnersSweeps)
	}
	return p
}
