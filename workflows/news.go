package workflows

import (
	"time"

	"go.temporal.io/sdk/workflow"

	"github.com/topksweep/sweep/sweep/plan"
	"github.com/topksweep/sweep/sweep/protocol"
)

const (
	newsEvery    = 5 * time.Minute // people are told at most so often that runs have failed
	newsFailures = 5               // that they are told of one by one
)

// news knows what people were told of runs that failed. An activity that notes a failure, or looks at the workers,
// takes it along (protocol.News), so that it costs no event.
//
// For example, let one run fail every minute, and a look come every five:
//
//	minute 0    the first run fails: told at once
//	minute 1-4  nothing
//	minute 5    told of five runs, with the note of the one that fails then, or with a look
//	the end     Collect tells of all of them
type news struct {
	told   time.Time // the last time; zero for never
	untold int       // runs that failed since
}

// newsOf returns what an activity that starts now is to tell people, and nil if it is nothing.
func (s *state) newsOf(ctx workflow.Context) *protocol.News {
	now := workflow.Now(ctx)
	if s.news.untold == 0 || !s.news.told.IsZero() && now.Sub(s.news.told) < newsEvery {
		return nil
	}
	n := &protocol.News{Summary: s.Summary}
	failures := s.memory.failures
	for i := len(failures) - 1; i >= 0 && len(n.Failures) < min(s.news.untold, newsFailures); i-- {
		if failures[i].Status == plan.Failed {
			n.Failures = append(n.Failures, failures[i])
		}
	}
	if seen := s.memory.seen; len(seen) > 0 && seen[0].Brief.NMSE != nil {
		best := seen[0]
		n.Best = &best
	}
	s.news = news{told: now}
	return n
}
