package workflows

import (
	"strings"
	"testing"

	"github.com/topksweep/sweep/sweep/plan"
	"github.com/topksweep/sweep/sweep/protocol"
)

// The line below the table of stages counts each stage once: in training, waiting or paused by itself, and none of
// those that have their results since the server was asked.
func TestLiveCounts(t *testing.T) {
	v := view{
		state: plan.Training, seen: []protocol.SeenCell{{Cell: 2}},
		live: &protocol.Live{Training: 1, Waiting: 3, Slots: 2, Stages: []protocol.LiveStage{
			{Cell: 0, State: plan.Training}, {Cell: 1, State: plan.Waiting}, {Cell: 2, State: plan.Waiting},
			{Cell: 3, State: plan.Paused},
		}},
	}
	const want = "1 in training on 2 slots, 2 waiting for a worker, 1 paused; 1 of them is not listed."
	if got := v.markdown(); !strings.Contains(got, want) {
		t.Errorf("want %q in\n%s", want, got)
	}
}
