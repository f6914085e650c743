package activities

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/topksweep/sweep/sweep/protocol"
)

// The metrics count what was trained, stored and refused, and tell of an attempt while it is made.
func TestMetrics(t *testing.T) {
	p, file := planOnShard(t)
	w := submit(t, openDir(t), p)
	w.saveEveryStep()
	cfg := p.Cells[1].Config
	var seen []Live
	w.at(20, func() {
		seen = w.Live()
		want := fmt.Sprintf(`
# HELP sweep_run_step Steps that the run has done.
# TYPE sweep_run_step gauge
sweep_run_step{cell="%s",sweep="%s"} 19
`, p.Cells[1].ID, seen[0].Sweep)
		if err := testutil.CollectAndCompare(w.Metrics(), strings.NewReader(want), "sweep_run_step"); err != nil {
			t.Error(err)
		}
		for _, name := range []string{"sweep_run_loss", "sweep_run_dead_latents", "sweep_run_checkpoint_age_seconds"} {
			if n := testutil.CollectAndCount(w.Metrics(), name); n != 1 {
				t.Errorf("%d series of %s", n, name)
			}
		}
	})
	w.finish()
	if len(seen) != 1 || seen[0].Cell != p.Cells[1].ID || seen[0].Activity != protocol.ActivityTrain ||
		seen[0].Attempt != 1 || seen[0].Step != 19 {
		t.Errorf("in step 20: %+v", seen)
	}
	m := w.metrics
	for _, want := range []struct {
		name string
		is   prometheus.Collector
		min  float64
		max  float64
	}{
		{"steps", m.steps, float64(cfg.Steps), float64(cfg.Steps)},
		{"tokens", m.tokens, float64(cfg.Steps * cfg.BatchSize), float64(cfg.Steps * cfg.BatchSize)},
		{"bytes saved", m.savedBytes, 2 * float64(cfg.StateBytes()), 1e12},
		{"puts", m.requests.WithLabelValues("put", "ok"), 2, 1e6},
		{"failed puts", m.requests.WithLabelValues("put", "error"), 0, 0},
	} {
		if got := testutil.ToFloat64(want.is); !(got >= want.min && got <= want.max) {
			t.Errorf("%s: %v, want %v to %v", want.name, got, want.min, want.max)
		}
	}
	if n := testutil.CollectAndCount(w.Metrics(), "sweep_run_step"); n != 0 || len(w.Live()) != 0 {
		t.Errorf("after the end there are %d runs in training", n)
	}
	if problems, err := testutil.CollectAndLint(w.Metrics()); err != nil || len(problems) > 0 {
		t.Errorf("%v %v", problems, err)
	}

	w = newWorker(t, openDir(t), p)
	submit(t, w.store, p)
	w.at(20, func() { overwrite(t, file, shardOf(2)) })
	wantType(t, w.train(), "DataChanged", false)
	if got := testutil.ToFloat64(w.metrics.faults.WithLabelValues("worker", "DataChanged")); got != 1 {
		t.Errorf("%v faults", got)
	}
}

// Steps that an earlier attempt has done are not counted again, nor those before a fork.
func TestMetricsOfResumedRun(t *testing.T) {
	p, _ := planOnShard(t)
	store := openDir(t)
	w := submit(t, store, p)
	w.saveEveryStep()
	w.at(20, func() { close(w.stop) })
	wantType(t, w.train(), "WorkerStopping", true)
	first := testutil.ToFloat64(w.metrics.steps)
	w = newWorker(t, store, p)
	w.finish()
	if got, want := first+testutil.ToFloat64(w.metrics.steps), float64(p.Cells[1].Config.Steps); got != want {
		t.Errorf("%v steps in two attempts, want %v", got, want)
	}
}

// What may be lost counts from the newest checkpoint, and not from a fork that is older than the attempt.
func TestCheckpointAge(t *testing.T) {
	began := time.Unix(1e9, 0)
	now := began.Add(time.Hour)
	for _, c := range []struct {
		saved time.Time
		want  float64
	}{{time.Time{}, 3600}, {began.Add(-24 * time.Hour), 3600}, {began.Add(59 * time.Minute), 60}} {
		l := Live{Began: began, Heartbeat: protocol.Heartbeat{Saved: c.saved}}
		if got, known := checkpointAge(l, now); got != c.want || !known {
			t.Errorf("saved %v: %v %v, want %v", c.saved, got, known, c.want)
		}
	}
	if _, known := checkpointAge(Live{Heartbeat: protocol.Heartbeat{Saved: began}}, now); known {
		t.Error("an age of what does not train")
	}
}
