package report

import (
	"encoding/json"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/topksweep/sweep/sweep/ledger"
	"github.com/topksweep/sweep/sweep/plan"
	"github.com/topksweep/sweep/sweep/table"
	"github.com/topksweep/sweep/trainer"
)

// The costs of a run, by hand: D 64, F 4096, k 16, 1,000 steps of 2,048 tokens.
func TestCosts(t *testing.T) {
	rows := sample()
	r := &rows.Results[0]
	r.AuxKLatents, r.PeakBytes, r.Class, r.Device, r.Build = ptr(4), 1<<33, "cpu avx2", "A CPU", "v1"
	r.Sweep, r.Run, r.Written = "s-1", "00112233445566778899-1", map[string]string{"decay_start": "0.5"}
	r.Spans = []ledger.Span{
		{From: 0, To: 300, Cells: 4, Seconds: 6}, {From: 300, To: 500, Cells: 2, Seconds: 3},
		{From: 500, To: 1000, Cells: 1, Seconds: 3.5},
	}
	// Of the next, it is not known for how many runs its first steps were trained.
	rows.Results[1].Spans = []ledger.Span{{To: 500, Seconds: 2}, {From: 500, To: 1000, Cells: 1, Seconds: 2}}
	got := rows.Table()
	const tokens = 2048 * 1000
	for name, want := range map[string]any{
		"params": int64(2*64*4096 + 4096 + 64), "tokens": int64(tokens), "flops": 12. * 64 * 4096 * tokens,
		"flops_executed": float64(tokens) * (2*64*4096 + 8*64*(16+4)),
		"steps_trained":  int64(500), "steps_shared": int64(500), "device_seconds": 6./4 + 3./2 + 3.5, "wall_seconds": 12.5,
		"peak_bytes": int64(1 << 33), "class": "cpu avx2", "device": "A CPU", "build": "v1",
		"mse": 123.456789 / 0.125 / 0.125, "sweep": "s-1", "run": "00112233445566778899-1",
		"model_path": "models/00112233445566778899-1", "curve_path": "models/00112233445566778899-1/curve.json",
		"decay_start_written": "0.5", "decay_start": int64(500), "lr_written": "0.0004", "k_aux_written": "32",
		"warmup_steps_written": "0",
	} {
		if v := got.Value(0, name); v != want {
			t.Errorf("%s is %v, want %v", name, v, want)
		}
	}
	for _, name := range strings.Fields("flops_executed steps_trained steps_shared device_seconds peak_bytes class " +
		"device build run model_path curve_path decay_start_written lr_written") {
		if v := got.Value(1, name); v != nil {
			t.Errorf("%s of an older result is %v", name, v)
		}
	}
	for i := 2; i < 4; i++ { // a failed run and one that has not begun
		for _, name := range strings.Fields("nmse mse flops_executed steps_trained device_seconds wall_seconds model_path") {
			if v := got.Value(i, name); v != nil {
				t.Errorf("%s of row %d is %v", name, i, v)
			}
		}
	}
}

// What is beyond float64 or not finite is no value, in any column.
func TestHostileResults(t *testing.T) {
	rows := sample()
	for _, x := range []float64{math.NaN(), math.Inf(1), math.Inf(-1), 1e308, -1e308, 0} {
		r := &rows.Results[0]
		r.Scale, r.WallSeconds, r.AuxKLatents, r.Threshold = x, x, &x, &x
		r.Metrics.L2Loss, r.Metrics.NMSE, r.Config.LR, r.Config.AuxKAlpha = x, &x, x, x
		r.Spans = []ledger.Span{{To: 1, Cells: 1, Seconds: x}}
		rows.Plan.Info = trainer.DataInfo{MedianNorm: 1, HugeShare: x}
		tab := rows.Table()
		curves, err := Curves(rows, func(ledger.Result) ([]trainer.Point, error) {
			return []trainer.Point{{Loss: x, L2Loss: x, AuxKLoss: x, GradNorm: x, EvalNMSE: &x}}, nil
		})
		if err != nil {
			t.Fatal(err)
		}
		for _, tab := range []table.Table{tab, curves} {
			for _, row := range tab.Rows {
				for j, v := range row {
					if f, ok := v.(float64); ok && (math.IsNaN(f) || math.IsInf(f, 0)) {
						t.Errorf("%s is %v where a field is %v", tab.Columns[j].Name, f, x)
					}
				}
			}
			if _, err := json.Marshal(tab.Rows); err != nil {
				t.Errorf("%v: %v", x, err)
			}
		}
	}
}

// Every value is of the kind that its column has, and every column has a meaning.
func TestKinds(t *testing.T) {
	rows := sample()
	rows.Results[0].Metrics.Density = []int64{1, 2}
	tab := rows.Table()
	for j, c := range tab.Columns {
		if c.Doc == "" {
			t.Errorf("%s has no meaning", c.Name)
		}
		for _, row := range tab.Rows {
			ok := row[j] == nil
			switch row[j].(type) {
			case string:
				ok = c.Kind == table.Text
			case int64:
				ok = c.Kind == table.Int
			case float64:
				ok = c.Kind == table.Float
			case []int64:
				ok = c.Kind == table.Ints
			}
			if !ok {
				t.Errorf("%s of %s holds a %T", c.Name, c.Kind, row[j])
			}
		}
	}
	var names []string
	for _, c := range Schema() {
		if slices.Contains(names, c.Name) {
			t.Errorf("two columns %s", c.Name)
		}
		names = append(names, c.Name)
	}
}

// Results of two sweeps are told apart by their sweep, have the keys that vary over both, and each its data's shares.
func TestJoin(t *testing.T) {
	a, b := sample(), sample()
	a.Plan.ID, b.Plan.ID = "a-1", "b-2"
	for i := range a.Results {
		a.Results[i].Sweep, b.Results[i].Sweep = "a-1", "b-2"
		b.Results[i].Config.LR = 0.01
	}
	b.Plan.Axes = []string{"k", "seed"}
	b.Plan.Info = trainer.DataInfo{MedianNorm: 3, HugeShare: 0.987}
	rows := Join(a, b)
	if got, want := strings.Join(rows.axes(), " "), "k decay_start seed lr"; got != want {
		t.Errorf("the axes are %s, want %s", got, want)
	}
	tab := rows.Table()
	if len(tab.Rows) != 8 || tab.Value(0, "huge_rows_share") != nil || tab.Value(7, "huge_rows_share") != 0.987 {
		t.Errorf("%v", tab.Rows)
	}
	text := string(write(t, "table", rows))
	for _, want := range []string{" sweep ", "a-1", "b-2", " lr ", "99% of the mean square"} {
		if !strings.Contains(text, want) {
			t.Errorf("no %s in\n%s", want, text)
		}
	}
	if one := string(write(t, "table", Join(a))); one != string(write(t, "table", a)) {
		t.Errorf("one sweep is shown as\n%s", one)
	}
	f, err := table.ParseFilter("sweep=b-2,status=" + string(plan.Completed))
	if err != nil {
		t.Fatal(err)
	}
	if err := rows.Filter(f); err != nil || len(rows.Results) != 2 || rows.Results[0].Sweep != "b-2" {
		t.Errorf("%d rows, %v", len(rows.Results), err)
	}
}
