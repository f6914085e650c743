package main

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/topksweep/sweep/sweep/observe"
	"github.com/topksweep/sweep/sweep/plan"
)

// A server's console says once what happens to its sweeps, also to those that were there before, and of a hundred
// sweeps it says little.
func TestNews(t *testing.T) {
	l, header := planWithResults(t, 0)
	var out bytes.Buffer
	n := newsroom{env: &environment{errOut: &out}, ledger: l}
	start := time.Now()
	sweep := func(id string, state plan.Status, done, failed int) observe.Listed {
		s := observe.Listed{ID: id, State: state, Start: start, Cells: 4, Done: done, Failed: failed}
		if state != plan.Training && state != plan.Paused {
			s.Close = start.Add(65 * time.Second)
		}
		return s
	}
	var many []observe.Listed
	for i := range 100 {
		many = append(many, sweep(fmt.Sprintf("many-%d", i), plan.Training, 0, 0))
	}
	for _, x := range []struct {
		list []observe.Listed
		want string
	}{
		{[]observe.Listed{sweep("a-1", plan.Training, 3, 0)}, "sweep a-1 goes on: 3 of 4 done\n"},
		{[]observe.Listed{sweep("a-1", plan.Training, 4, 0)}, ""},
		{
			[]observe.Listed{sweep("a-1", plan.Completed, 4, 0), sweep("b-1", plan.Training, 0, 0)},
			"sweep a-1 completed: 4 of 4 done in 1:05\nsweep b-1 starts: 4 cells\n",
		},
		{
			[]observe.Listed{sweep("a-1", plan.Completed, 4, 0), sweep("b-1", plan.Paused, 1, 0)},
			"sweep b-1 is paused: 1 of 4 done; this goes on with it: sweep resume b-1\n",
		},
		{[]observe.Listed{sweep("b-1", plan.Training, 1, 0)}, "sweep b-1 goes on: 1 of 4 done\n"},
		{
			[]observe.Listed{sweep("b-1", plan.Canceled, 1, 0)},
			"sweep b-1 canceled: 1 of 4 done; this goes on with it: sweep retry b-1\n",
		},
		{
			[]observe.Listed{sweep(header.ID, plan.Failed, 3, 1)},
			"sweep " + header.ID + " failed: 3 of 4 done, 1 failed in 1:05; this trains it again: sweep retry " +
				header.ID + "\n",
		},
		{
			many, "sweep many-0 starts: 4 cells\nsweep many-1 starts: 4 cells\nsweep many-2 starts: 4 cells\n" +
				"sweep many-3 starts: 4 cells\nsweep many-4 starts: 4 cells\n… and 95 sweeps more: sweep list\n",
		},
		{many, ""},
	} {
		out.Reset()
		n.tell(t.Context(), x.list)
		if out.String() != x.want {
			t.Errorf("got\n%swant\n%s", out.String(), x.want)
		}
	}
	if strings.Contains(out.String(), "many") {
		t.Error("a sweep is told twice")
	}
}
