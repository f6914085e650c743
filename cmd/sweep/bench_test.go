package main

import (
	"encoding/json"
	"math"
	"testing"
)

func TestBench(t *testing.T) {
	shape := []string{"bench", "--activation-dim", "24", "--dict-size", "100", "--k", "5", "--batch-size", "30", "--time", "1ms"}
	out := ok(t, t.TempDir(), append(shape, "--threads", "1", "--backend", "cpu", "-o", "json")...)
	var r benchResult
	if err := json.Unmarshal([]byte(out), &r); err != nil {
		t.Fatalf("%v in %s", err, out)
	}
	if r.Backend != "cpu" || r.ActivationDim != 24 || r.DictSize != 100 || r.K != 5 || r.BatchSize != 30 || r.Floor == nil || r.Floor.Threads != 1 {
		t.Errorf("another shape or machine than asked for: %s", out)
	}
	near := func(what string, got, want float64) {
		if !(math.Abs(got-want) <= 1e-9*want) {
			t.Errorf("%s is %v, want %v: %s", what, got, want, out)
		}
	}
	near("tokens_per_second", r.TokensPerSecond, 30/r.StepSeconds)
	near("gflops", r.GFLOPS, 2*30*24*100/r.StepSeconds/1e9)
	near("gb_per_second", r.GBs, 24*(2*24*100+100+24)/r.StepSeconds/1e9)
	near("share_of_floor", r.Share, r.FloorSeconds/r.StepSeconds)
	near("floor_seconds", r.FloorSeconds, 2*30*24*100/r.Floor.GFLOPS/1e9+24*(2*24*100+100+24)/r.Floor.GBs/1e9)
	for what, v := range map[string]float64{"step": r.StepSeconds, "fastest": r.FastestSeconds, "GEMM": r.Floor.GFLOPS, "product": r.Floor.Product, "memory": r.Floor.GBs} {
		if !(v > 0) {
			t.Errorf("%s is %v: %s", what, v, out)
		}
	}
	if r.FastestSeconds > r.StepSeconds || r.Steps < 3 {
		t.Errorf("%d steps, fastest %v, median %v", r.Steps, r.FastestSeconds, r.StepSeconds)
	}
	if text := ok(t, t.TempDir(), shape...); len(text) == 0 {
		t.Error("no text")
	}
}

func TestBenchRefuses(t *testing.T) {
	for _, args := range [][]string{
		{"--k", "9000"}, {"--activation-dim", "0"}, {"--batch-size", "-1"}, {"--threads", "-1"}, {"--backend", "tpu"}, {"-o", "xls"}, {"shape"},
		{"--activation-dim", "1000000", "--dict-size", "16000000"}, // 200 TB
	} {
		p := begin(t, t.TempDir(), append([]string{"bench"}, args...)...)
		if status := p.end(t); status != exitBadInput {
			t.Errorf("%v: status %d, want %d\n%s", args, status, exitBadInput, p.err.String())
		}
	}
}

// A plan's time comes from steps timed here, so all that is known of it is that it
// is there, and grows with the steps.
func TestPlanTime(t *testing.T) {
	seconds := func(steps string) float64 {
		out := ok(t, t.TempDir(), "plan", write(t, base(map[string]string{"train": "train: {dict_size: 32, batch_size: 64, steps: " + steps + "}"})), "-o", "json")
		var p struct{ Seconds float64 }
		if err := json.Unmarshal([]byte(out), &p); err != nil {
			t.Fatalf("%v in %s", err, out)
		}
		return p.Seconds
	}
	few, many := seconds("100"), seconds("10_000_000")
	if !(few > 0 && many > few) {
		t.Errorf("100 steps take %v s, 10,000,000 take %v s", few, many)
	}
}
