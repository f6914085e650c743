package progress

import (
	"math"
	"testing"
	"time"

	"github.com/topksweep/sweep/sweep/goldentest"
	"github.com/topksweep/sweep/sweep/grid"
	"github.com/topksweep/sweep/sweep/plan"
)

func planOf(t *testing.T, src string) *plan.Plan {
	t.Helper()
	g, err := grid.Parse("grid.yaml", []byte(src), grid.ParseOptions{})
	if err != nil {
		t.Fatal(err)
	}
	p, err := plan.New(g, goldentest.DataInfo(), plan.Estimates{})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// TestEstimator forecasts the ends of simulated sweeps. The error is at most a quarter of the time that the sweep takes
// from a fifth of that time on, and a fifth of it from its half on. The estimator does not know what steps, stages and
// evaluations cost.
func TestEstimator(t *testing.T) {
	const alone = `
name: alone
data: {source: tokens.npy}
parameters: {k: [2, 8, 32], dict_size: [64, 256, 1024, 4096]}
train: {steps: 3000, batch_size: 64, lr: 0.001}
`
	const trees = `
name: trees
data: {source: tokens.npy}
parameters:
  k: [4, 8]
  dict_size: [256, 1024]
  decay_start: [0.4, 0.6, 0.8, 1]
  auxk_alpha: [0, 0.03125]
train: {steps: 3000, batch_size: 64, lr: 0.001}
`
	// A step of the largest model takes about 9 ms, one of the smallest 2 ms.
	base := simulated{slots: 4, fixed: 0.002, each: 2e-10, startup: 0.5, evaluation: 1}
	for _, x := range []struct {
		name   string
		grid   string
		change func(*simulated)
	}{
		{"one at a time", alone, func(s *simulated) { s.slots = 1 }},
		{"four at a time", alone, func(*simulated) {}},
		{"more slots than stages", alone, func(s *simulated) { s.slots = 32 }},
		{"a step costs its operations alone", alone, func(s *simulated) { s.fixed = 0 }},
		{"all steps cost the same", alone, func(s *simulated) { s.fixed, s.each = 0.01, 0 }},
		{"trees differ", alone, func(s *simulated) { s.uneven = 0.3 }},
		{"long evaluations", alone, func(s *simulated) { s.evaluation = 4 }},
		{"no heartbeat tells a speed", alone, func(s *simulated) { s.fixed, s.each, s.startup, s.slots = 0.0003, 0, 0.1, 1 }},
		{"half is reused", alone, func(s *simulated) { s.reused = func(c int) bool { return c%2 == 0 } }},
		{"paused", alone, func(s *simulated) { s.paused = [2]float64{20, 200} }},
		{"shared", trees, func(*simulated) {}},
		{"shared, one at a time", trees, func(s *simulated) { s.slots = 1 }},
		{"shared, latents die", trees, func(s *simulated) { s.dead = 1000 }},
	} {
		t.Run(x.name, func(t *testing.T) {
			s := base
			s.plan = planOf(t, x.grid)
			x.change(&s)
			checkForecasts(t, &s)
		})
	}
}

// checkForecasts runs a simulated sweep and compares each forecast with what came.
func checkForecasts(t *testing.T, s *simulated) {
	e := NewEstimator(s.plan)
	type told struct{ worked, forecast float64 } // seconds; worked does not count a pause
	var all []told
	polls, worked := 0, 0.0
	total := s.run(func(at Sample) {
		f := e.Observe(at)
		if at.Paused {
			if f != (Forecast{}) {
				t.Errorf("while it is paused: %+v", f)
			}
			return
		}
		polls++
		worked = s.at
		if s.at >= s.paused[1] {
			worked -= s.paused[1] - s.paused[0]
		}
		switch {
		case f.Left < 0:
			t.Fatalf("a negative time: %+v", f)
		case f.Finishing:
			for _, st := range s.flying {
				if st.step < float64(st.reached) {
					t.Errorf("at %.1f s it only finishes, and a stage trains", s.at)
				}
			}
		case !f.At.IsZero():
			all = append(all, told{worked, f.Left.Seconds()})
		}
	})
	total -= s.paused[1] - s.paused[0]
	fifth, half := 0.0, 0.0 // the greatest errors from then on
	for _, x := range all {
		wrong := math.Abs(x.forecast-(total-x.worked)) / total
		if x.worked > total/5 {
			fifth = max(fifth, wrong)
		}
		if x.worked > total/2 {
			half = max(half, wrong)
		}
	}
	t.Logf("%.0f s; the errors are %.0f %% and %.0f %% of that at most; a time is told at %d of %d polls",
		total, 100*fifth, 100*half, len(all), polls)
	if fifth > 0.25 || half > 0.2 {
		t.Error("the errors are too great")
	}
	if 4*len(all) < 3*polls {
		t.Errorf("a time is told at %d of %d polls only", len(all), polls)
	}
	end := s.sample(false)
	end.At = end.At.Add(time.Second)
	if f := e.Observe(end); !f.Finishing {
		t.Errorf("at the end: %+v", f)
	}
}
