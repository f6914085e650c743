package main

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/topksweep/sweep/sweep/goldentest"
	"github.com/topksweep/sweep/sweep/plan"
	"github.com/topksweep/sweep/sweep/protocol"
)

// statusSample is a sweep with a run in each state.
func statusSample(now time.Time) sweepState {
	at := func(seconds int) time.Time { return now.Add(-time.Duration(seconds) * time.Second) }
	step := func(n int64) *int64 { return &n }
	number := func(x float64) *float64 { return &x }
	beat := &protocol.Heartbeat{
		Step: 1320, Steps: 6000, Loss: 0.012345, Dead: 17, StepsPerSecond: 5, TokensPerSecond: 5120, Device: "NVIDIA H100",
	}
	runs := []runState{
		{Label: "k=8 dict_size=512", Status: plan.Completed, Metrics: &plan.Brief{
			NMSE: number(0.123456), L2Loss: 0.01, AuxKLoss: number(0), L0: 8, DeadFraction: 0.25,
		}},
		{Label: "k=8 dict_size=1024", Status: plan.Completed, Metrics: &plan.Brief{L2Loss: 123.4567, L0: 7.9876}},
		{
			Label: "k=8 dict_size=2048", Status: plan.Training, Beat: beat, Worker: "4711@gpu-7 (cuda, 8 slots)", Host: "gpu-7",
			Device: "NVIDIA H100", Since: at(754), Saved: at(42), SavedStep: step(1200),
		},
		{Label: "k=8 dict_size=4096", Status: plan.Training, Beat: beat, sharedWith: fmt.Sprintf("%020d", 2)},
		{Label: "k=16 dict_size=512", Status: plan.Evaluating, Worker: "another form", Since: at(3)},
		{Label: "k=16 dict_size=1024", Status: plan.Waiting, Since: at(90_000)},
		{
			Label: "k=16 dict_size=2048", Status: plan.Waiting, Since: at(-3), Attempt: 2, Saved: at(-3), SavedStep: step(0),
			Error: "its worker is gone",
		},
		{Label: "k=16 dict_size=4096", Status: plan.Waiting},
		{Label: "k=32 dict_size=512", Status: plan.Paused, Since: at(60)},
		{Label: "k=32 dict_size=1024", Status: plan.Training, Beat: beat, Host: "gpu-7", Since: at(9), stopping: true},
		{Label: "k=32 dict_size=2048", Status: plan.Training, Beat: beat, Host: "gpu-7", Since: at(1), starting: true},
		{
			Label: "k=32 dict_size=4096", Status: plan.Failed,
			Error: "train stage: step 17: the loss is NaN, lr was 3: lower lr?",
		},
		{Label: "label=a|b<c&d \"é\" " + strings.Repeat("x", 75), Status: plan.Canceled, Error: "canceled"},
		{Label: "k=64 dict_size=1024", Status: plan.Pending},
	}
	for i := range runs {
		runs[i].Cell = fmt.Sprintf("%020d", i)
	}
	return sweepState{
		ID: "demo-0123abcd", State: plan.Paused, Cells: len(runs), Completed: 2, Failed: 1, Created: at(4000), Runs: runs,
	}
}

// What status writes fits the terminal; into a pipe it writes one line for each run. Words that are longer than a line
// stand out.
func TestStatusText(t *testing.T) {
	local := time.Local
	t.Cleanup(func() { time.Local = local })
	time.Local = time.UTC
	now := time.Date(2026, 11, 27, 3, 20, 0, 0, time.UTC)
	s := statusSample(now)
	for _, all := range []bool{false, true} {
		for _, width := range []int{0, 60, 80, 200} {
			var out bytes.Buffer
			text := statusText{width: width, now: now, all: all, resume: "sweep resume demo-0123abcd",
				links: []string{"http://127.0.0.1:8233/namespaces/default/workflows/demo"}}
			text.write(&out, s)
			file := fmt.Sprintf("testdata/status/%d-all-%t.txt", width, all)
			goldentest.Check(t, file, out.Bytes())
			for line := range strings.Lines(out.String()) {
				n := utf8.RuneCountInString(strings.TrimRight(line, " \n"))
				if width > 0 && n > width && !strings.Contains(line, "xxxx") {
					t.Errorf("%s: a line of %d characters: %s", file, n, line)
				}
			}
			for _, r := range s.Runs {
				listed := all || r.Status != plan.Completed && r.Status != plan.Pending
				if got := strings.Contains(out.String(), "\n"+r.Cell+"  "); got != listed {
					t.Errorf("%s: run %s is listed: %t", file, r.Cell, got)
				}
			}
			if n := strings.Count(out.String(), "\n"); width == 0 && all && n != 3+len(s.Runs) {
				t.Errorf("%d lines in a pipe for %d runs", n, len(s.Runs))
			}
		}
	}
	var out bytes.Buffer
	statusText{width: 60, now: now, all: true}.write(&out, sweepState{ID: "empty-1", State: plan.Idle, concurrent: 200})
	if n := strings.Count(out.String(), "\n"); n > 2 || !strings.Contains(out.String(), "empty-1  idle") {
		t.Errorf("an empty sweep:\n%s", out.String())
	}
}

// A plan of an earlier version may have a max_concurrent that no sweep reaches: status says what it comes to.
func TestStatusOfManyAtATime(t *testing.T) {
	var out bytes.Buffer
	statusText{}.write(&out, sweepState{ID: "wide-1", State: plan.Training, concurrent: 100_000})
	if want := "max_concurrent 100000: at most 200 stages are in flight"; !strings.Contains(out.String(), want) {
		t.Errorf("%s\nlacks %q", out.String(), want)
	}
}
