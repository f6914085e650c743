package main

import (
	"encoding/json"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/topksweep/sweep/sweep/plan"
	"github.com/topksweep/sweep/trainer"
	"github.com/topksweep/sweep/trainer/cpu"
)

func TestBench(t *testing.T) {
	bench := strings.Fields("bench --activation-dim 24 --dict-size 100 --k 5 --batch-size 30 --time 1ms")
	out := mustRun(t, t.TempDir(), append(bench, "--threads", "1", "--backend", "cpu", "-o", "json")...)
	var r benchResult
	if err := json.Unmarshal([]byte(out), &r); err != nil {
		t.Fatalf("%v in %s", err, out)
	}
	got := []any{r.Backend, r.ActivationDim, r.DictSize, r.K, r.BatchSize}
	if want := []any{"cpu", 24, 100, 5, 30}; !slices.Equal(got, want) {
		t.Errorf("timed %v, want %v: %s", got, want, out)
	}
	if r.Roofline == nil || r.Roofline.Threads != 1 {
		t.Fatalf("another machine than asked for: %s", out)
	}
	near := func(what string, got, want float64) {
		if !(math.Abs(got-want) <= 1e-9*want) {
			t.Errorf("%s is %v, want %v: %s", what, got, want, out)
		}
	}
	near("tokens_per_second", r.TokensPerSecond, 30/r.StepSeconds)
	near("gflops", r.GFLOPS, 2*30*24*100/r.StepSeconds/1e9)
	near("gb_per_second", r.GBs, 24*(2*24*100+100+24)/r.StepSeconds/1e9)
	near("share_of_floor", r.Share, r.BestSeconds/r.StepSeconds)
	near("floor_seconds", r.BestSeconds, 2*30*24*100/r.Roofline.GFLOPS/1e9+24*(2*24*100+100+24)/r.Roofline.GBs/1e9)
	for what, v := range map[string]float64{
		"step": r.StepSeconds, "fastest": r.FastestSeconds,
		"GEMM": r.Roofline.GFLOPS, "product": r.Roofline.Product, "memory": r.Roofline.GBs,
	} {
		if !(v > 0) {
			t.Errorf("%s is %v: %s", what, v, out)
		}
	}
	if r.FastestSeconds > r.StepSeconds || r.Steps < 3 {
		t.Errorf("%d steps, fastest %v, median %v", r.Steps, r.FastestSeconds, r.StepSeconds)
	}
	if text := mustRun(t, t.TempDir(), bench...); len(text) == 0 {
		t.Error("no text")
	}
}

func TestBenchRefuses(t *testing.T) {
	for _, args := range [][]string{
		{"--k", "9000"}, {"--activation-dim", "0"}, {"--batch-size", "-1"}, {"--threads", "-1"},
		{"--backend", "tpu"}, {"-o", "xls"}, {"argument"},
		{"--activation-dim", "1000000", "--dict-size", "16000000"}, // 200 TB
	} {
		p := startProgram(t, t.TempDir(), append([]string{"bench"}, args...)...)
		if status := p.exitStatus(t); status != exitBadInput {
			t.Errorf("%v: status %d, want %d\n%s", args, status, exitBadInput, p.err.String())
		}
	}
}

// The time of a plan is measured on this machine: a test can only know that there is
// one, and that it grows with the steps.
func TestPlanTime(t *testing.T) {
	seconds := func(steps string) float64 {
		g := writeGrid(t, gridWith("train: {dict_size: 32, batch_size: 64, steps: "+steps+"}"))
		out := mustRun(t, t.TempDir(), "plan", g, "-o", "json")
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

// A cell that diverges keeps its time, and so do the others, in whichever order the grid has them.
func TestPlanOfWhatDiverges(t *testing.T) {
	for _, lr := range []string{"lr: [1e30, 1e-3]", "lr: [1e-3, 1e30]"} {
		g := writeGrid(t, gridWith("parameters: {k: 2, "+lr+"}"))
		p := startProgram(t, t.TempDir(), "plan", g, "-o", "json")
		if status := p.exitStatus(t); status != exitOK || p.err.Len() > 0 {
			t.Fatalf("%s: status %d\n%s", lr, status, p.err.String())
		}
		var header struct {
			Cells   int
			Seconds float64
		}
		if err := json.Unmarshal(p.out.Bytes(), &header); err != nil {
			t.Fatal(err)
		}
		if header.Cells != 2 || !(header.Seconds > 0) {
			t.Errorf("%s: %d cells, %v s", lr, header.Cells, header.Seconds)
		}
	}
}

// A precision is tried on small models if all its cells are too large to be timed.
func TestEstimateOfLarge(t *testing.T) {
	e := newEstimator(t.Context(), cpu.New(1), 1)
	c := trainer.Config{
		Recipe: "corrected", ActivationDim: 4096, DictSize: 1 << 20, K: 32, Steps: 10, BatchSize: 1024, Precision: "f32",
	}.Resolve()
	unlike := c
	unlike.Precision = "bf16"
	cost := e.costs(plan.Work{Cells: 2, EvalRows: 100, Models: slices.Values([]trainer.Config{c, unlike})})
	if got := cost(c, 100); !(got.Step > 0) || !(got.Run > 0) {
		t.Errorf("f32: %+v, %v", got, e.notes)
	}
	if got := cost(unlike, 100); got != (plan.Cost{}) || len(e.notes) != 1 {
		t.Errorf("bf16: %+v, %v", got, e.notes)
	}
}
