package main

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/topksweep/sweep/sweep/observe"
	"github.com/topksweep/sweep/sweep/plan"
	"github.com/topksweep/sweep/sweep/protocol"
)

// A run of which nothing is heard any more is said to be one, and so is a sweep in which all are. A server whose clock
// is ahead makes none of them silent.
func TestStatusOfSilentWorkers(t *testing.T) {
	now := time.Now()
	beat := &protocol.Heartbeat{Step: 10, Steps: 60, Loss: 0.5, StepsPerSecond: 5, TokensPerSecond: 5120}
	const sign = "no sign of life for 12 s; another worker takes it over after 20 s"
	for _, x := range []struct {
		name  string
		said  [2]time.Duration // ago
		sweep bool
		runs  int
	}{
		{"both are heard", [2]time.Duration{time.Second, 2 * time.Second}, false, 0},
		{"one is silent", [2]time.Duration{time.Second, 12 * time.Second}, false, 1},
		{"both are silent", [2]time.Duration{12 * time.Second, 12 * time.Second}, true, 2},
		{"the server's clock is ahead", [2]time.Duration{-time.Minute, -time.Minute}, false, 0},
	} {
		s := sweepState{ID: "demo-1", State: plan.Training, Cells: 2}
		for _, ago := range x.said {
			s.Runs = append(s.Runs, runState{Status: plan.Training, Beat: beat, Host: "gpu-7", Said: now.Add(-ago)})
		}
		var out bytes.Buffer
		statusText{now: now}.write(&out, s)
		head, runs, _ := strings.Cut(out.String(), "\n")
		if got := strings.Contains(head, "training ("+sign+")"); got != x.sweep {
			t.Errorf("%s: %s", x.name, head)
		}
		if got := strings.Count(runs, sign); got != x.runs {
			t.Errorf("%s: %d runs are silent:\n%s", x.name, got, runs)
		}
		if got := strings.Count(runs, "tok/s"); got != 2-x.runs {
			t.Errorf("%s: %d runs have a speed:\n%s", x.name, got, runs)
		}
	}
}

// Silence is measured by the clock of this process, from when a new sign was seen.
func TestEar(t *testing.T) {
	var e ear
	now := time.Now()
	said := now.Add(time.Hour) // by another clock
	list := []observe.Activity{{Type: protocol.ActivityTrain, Started: true, Said: said}, {Type: protocol.ActivityLook}}
	for _, x := range []struct {
		after time.Duration
		said  time.Time
		want  time.Duration
	}{{0, said, 0}, {7 * time.Second, said, 7 * time.Second}, {9 * time.Second, said.Add(time.Second), 0}} {
		list[0].Said = x.said
		if got := e.silent(now.Add(x.after), list); got != x.want {
			t.Errorf("after %v: silent for %v, want %v", x.after, got, x.want)
		}
	}
	list[0].Started = false
	if got := e.silent(now.Add(time.Minute), list); got != 0 {
		t.Errorf("no worker has a stage: silent for %v", got)
	}
}
