package page

import (
	"math"
	"strings"
	"testing"

	"github.com/topksweep/sweep/sweep/grid"
	"github.com/topksweep/sweep/sweep/ledger"
	"github.com/topksweep/sweep/sweep/plan"
	"github.com/topksweep/sweep/sweep/report"
	"github.com/topksweep/sweep/sweep/table"
	"github.com/topksweep/sweep/trainer"
)

// Grids of a few cells, and of 1,000.
const (
	smallGrid = `
name: small
data: {source: "/data/l8 \"a\" <b>", normalize: mean_square, lm_name: gpt2, layer: 8}
parameters: {k: [8, 32], dict_size: [512, 2048], auxk_alpha: [0, 0.03125], decay_start: [0.3, 0.5, 0.8]}
train: {steps: 600, batch_size: 256, lr: 0.002, dead_feature_threshold: 60_000}
`
	largeGrid = `
name: large
data: {synthetic: {activation_dim: 64, directions: 128, tokens: 100000, active: 4}}
parameters: {k: [8, 16, 32, 64, 128], dict_size: [2048, 4096, 8192, 16384, 32768], auxk_alpha: [0, 0.03125],
  decay_start: [0.3, 0.5, 0.7, 0.8], seed: [0, 1, 2, 3, 4]}
train: {steps: 20000, batch_size: 1024, lr: 0.002, dead_feature_threshold: 4_000_000}
`
)

// planOf plans a grid on data of width 64.
func planOf(t testing.TB, text string) *plan.Plan {
	t.Helper()
	g, err := grid.Parse("grid.yaml", []byte(text), grid.ParseOptions{})
	if err != nil {
		t.Fatal(err)
	}
	infos := []trainer.DataInfo{sampleInfo()}
	for i := range max(0, len(g.Sets)-1) {
		infos = append(infos, sampleInfo())
		infos[i+1].Fingerprint += string(rune('a' + i))
	}
	p, err := plan.NewOf(g, infos, plan.Estimates{})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// sampleNote is a note on the data of samples.
const sampleNote = "most of the mean square is in dimension 2"

func sampleInfo() trainer.DataInfo {
	return trainer.DataInfo{
		Rows: 100_000, EvalRows: 4096, Dim: 64, DType: "F32", Shards: 3, Bytes: 25_600_000, Scale: 0.25, Fingerprint: "f00d",
		Notes: []string{sampleNote},
	}
}

// sampleSweep makes up what the cells of a plan have come to: a power law in n and k, dead latents, and stages that
// took a hundredth of a second a step. status may change a result.
func sampleSweep(t testing.TB, text string, change func(i int, r *ledger.Result)) Sweep {
	t.Helper()
	p := planOf(t, text)
	results := make([]ledger.Result, len(p.Cells))
	for i, c := range p.Cells {
		r := ledger.NewResult(&p.Header, c, plan.Completed)
		cfg := c.Config
		wiggle := 1 + 0.02*math.Sin(float64(i)*2.3)
		nmse := 0.9 * math.Pow(float64(cfg.DictSize), -0.12) * math.Pow(float64(cfg.K), -0.2) * wiggle
		aux, variance, l1 := 0.9-0.01*float64(i%7), 1-nmse, 12.5
		r.Metrics = trainer.Metrics{
			L2Loss: nmse * 0.8, NMSE: &nmse, FVU: &nmse, ExplainedVariance: &variance, Cosine: &variance, L2Ratio: &variance,
			L0: float64(cfg.K) * 0.999, AuxKLoss: &aux, DeadLatents: (cfg.DictSize / 50) * (i % 5), EvalTokens: 4096,
			AliveFraction: 1 - 0.02*float64(i%5), L1: &l1, Density: []int64{5, 3, 9, 40, 20, 3},
		}
		if dead := int64(float64(cfg.Steps) * 0.6); cfg.K == p.Cells[0].Config.K {
			r.Metrics.FirstDeadStep = &dead
		}
		r.Tokens, r.Class, r.Device, r.Build = cfg.Tokens(), "cpu-avx2", "A processor", "v1.2.3"
		r.PeakBytes, r.Sweep, r.Run = 1<<30, p.ID, p.RunID(c.ID)
		results[i] = r
		if change != nil {
			change(i, &results[i])
		}
	}
	for _, tree := range p.Trees {
		addSpans(plan.Roots(tree.Cells), results)
	}
	rows := report.Rows{Plan: &p.Header, Results: results}
	return Sweep{Plan: p, Results: results, Table: rows.Table(), Curve: func(i int) (table.Table, error) {
		one := report.Rows{Plan: &p.Header, Results: results[i : i+1]}
		return report.Curves(one, func(r ledger.Result) ([]trainer.Point, error) { return samplePoints(r), nil })
	}}
}

// addSpans gives completed results the spans of the stages that they passed through.
func addSpans(stages []plan.Stage, results []ledger.Result) {
	for _, s := range stages {
		reached := reaches(s, results)
		for _, c := range s.Cells {
			r := &results[c.Cell]
			if r.Status == plan.Completed && reached > s.From {
				r.Spans = append(r.Spans, ledger.Span{
					From: int64(s.From), To: int64(reached), Cells: len(s.Cells), Seconds: float64(reached-s.From) / 100,
					Class: r.Class, Device: r.Device, Build: r.Build,
				})
			}
		}
		addSpans(s.Next(reached), results)
	}
}

func samplePoints(r ledger.Result) (out []trainer.Point) {
	for step := range int64(r.Config.Steps) {
		if trainer.OnCurve(step) {
			loss := r.Metrics.L2Loss * (1 + 5/math.Sqrt(1+float64(step)/20)) * (1 + 0.05*math.Sin(float64(step)))
			p := trainer.Point{Step: step, Loss: loss, L2Loss: loss, AuxKLoss: 0.9, Dead: int(step) / 100, GradNorm: 1 / loss}
			if step%512 == 0 {
				p.EvalNMSE = &p.L2Loss
			}
			out = append(out, p)
		}
	}
	return out
}

// hostile is text that must be shown as it is.
const hostile = `step 17: "loss" is NaN | <img src=x onerror="document.title='bad'"> ` +
	`</script><script>document.title='bad'</script> & ‖x̂‖ ` + "`\\"

// withFailures is a change for sampleSweep: a failed, a canceled and a pending cell.
func withFailures(i int, r *ledger.Result) {
	switch i {
	case 1:
		*r = ledger.Result{Cell: r.Cell, Config: r.Config, Status: plan.Failed, Error: hostile, Data: r.Data, Tokens: 1000}
	case 2:
		*r = ledger.Result{Cell: r.Cell, Config: r.Config, Status: plan.Canceled, Data: r.Data}
	case 3:
		*r = ledger.Result{Cell: r.Cell, Config: r.Config, Status: plan.Pending, Data: r.Data}
	}
}

// allFailed is a change for sampleSweep.
func allFailed(_ int, r *ledger.Result) {
	*r = ledger.Result{Cell: r.Cell, Config: r.Config, Status: plan.Failed, Error: "no memory", Data: r.Data}
}

// samples are the inputs that every check of the page goes through.
func samples(t testing.TB) map[string]Input {
	one := strings.NewReplacer("[8, 32]", "8", "[512, 2048]", "512", "[0, 0.03125]", "0", "[0.3, 0.5, 0.8]", "0.8").
		Replace(smallGrid)
	return map[string]Input{
		"none":     {Title: hostile},
		"one":      {Sweeps: []Sweep{sampleSweep(t, one, nil)}},
		"small":    {Sweeps: []Sweep{sampleSweep(t, smallGrid, nil)}},
		"failures": {Sweeps: []Sweep{sampleSweep(t, smallGrid, withFailures)}},
		"failed":   {Sweeps: []Sweep{sampleSweep(t, smallGrid, allFailed)}},
		"two": {Sweeps: []Sweep{
			sampleSweep(t, smallGrid, withFailures), sampleSweep(t, strings.Replace(smallGrid, "small", "other", 1), nil),
		}},
		"files": {Results: []table.Table{hostileTable()}, Curves: []table.Table{hostileCurves()}},
	}
}

// hostileTable is a table that no sweep would give.
func hostileTable() table.Table {
	return table.Table{
		Columns: []table.Column{
			{Name: "cell", Kind: table.Text}, {Name: "k", Kind: table.Int}, {Name: "dict_size", Kind: table.Int},
			{Name: "nmse", Kind: table.Float}, {Name: "l0", Kind: table.Float}, {Name: "seed", Kind: table.Int},
			{Name: "<b>", Kind: table.Text, Unit: "<i>", Doc: hostile}, {Name: "__proto__", Kind: table.Text},
		},
		Rows: [][]any{
			{"a", int64(8), int64(512), 0.25, 8.0, int64(math.MaxInt64), hostile, "x"},
			{"b|<&>", int64(8), int64(1024), 1e300, 0.0, int64(0), nil, nil},
			{"c", nil, int64(512), -1.0, 8.0, int64(-3), "", nil},
			{"d", int64(16), nil, math.NaN(), math.Inf(1), nil, `"quoted", with a comma` + "\n", nil},
			{nil, int64(16), int64(4096), 0.0, 1e-300, nil, nil, nil},
		},
	}
}

func hostileCurves() table.Table {
	t := table.Table{Columns: []table.Column{
		{Name: "cell", Kind: table.Text}, {Name: "step", Kind: table.Int}, {Name: "train_nmse", Kind: table.Float},
		{Name: "nmse", Kind: table.Float},
	}}
	for i, v := range []any{1.0, 0.0, -1.0, 1e300, math.NaN(), nil, 0.5} {
		t.Rows = append(t.Rows, []any{"a", int64(i), v, nil}, []any{"unknown", int64(i), v, v})
	}
	t.Rows = append(t.Rows, []any{"a", int64(2), 0.5, 0.5}, []any{"b|<&>", int64(-1), 0.5, 0.5},
		[]any{"b|<&>", nil, 0.5, nil})
	return t
}
