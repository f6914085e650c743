package activities

import (
	"testing"

	"github.com/topksweep/sweep/sweep/plan"
	"github.com/topksweep/sweep/sweep/webhook"
)

func TestEndState(t *testing.T) {
	for _, c := range []struct {
		s        webhook.Sweep
		canceled bool
		want     plan.Status
	}{
		{webhook.Sweep{Cells: 3, Done: 3}, false, plan.Completed},
		{webhook.Sweep{Cells: 3, Done: 2, Failed: 1}, false, plan.Failed},
		{webhook.Sweep{Cells: 3, Done: 1, Failed: 1}, false, plan.Failed}, // stopped by run.max_failed
		{webhook.Sweep{Cells: 3, Done: 1}, false, plan.Failed},            // ended with an error
		{webhook.Sweep{Cells: 3, Done: 2, Canceled: 1}, false, plan.Canceled},
		{webhook.Sweep{Cells: 3, Done: 1, Failed: 1, Canceled: 1}, true, plan.Canceled},
	} {
		if got := endState(&c.s, c.canceled); got != c.want {
			t.Errorf("%+v, canceled %t: %s, want %s", c.s, c.canceled, got, c.want)
		}
	}
}
