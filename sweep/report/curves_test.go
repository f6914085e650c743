package report

import (
	"strings"
	"testing"

	"github.com/topksweep/sweep/sweep/ledger"
	"github.com/topksweep/sweep/trainer"
)

// The points of a curve, by hand, and the last row with what the run ended with.
func TestCurveValues(t *testing.T) {
	rows := sample()
	rows.Results = rows.Results[:1]
	r := &rows.Results[0]
	r.Metrics.L2Loss, r.Metrics.NMSE, r.Metrics.DeadLatents = 8, ptr(0.25), 12
	curves, err := Curves(rows, func(ledger.Result) ([]trainer.Point, error) {
		return []trainer.Point{
			{Step: 0, Loss: 5, L2Loss: 4, AuxKLoss: 0.5, Dead: 3, GradNorm: 2, EvalNMSE: ptr(0.75)},
			{Step: 750, Loss: 3, L2Loss: 2}, // as an earlier version has it
		}, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	lr := r.Config.LR // decay_start is 500 of 1,000 steps
	for name, want := range map[string][3]any{
		"step": {int64(0), int64(750), int64(1000)}, "tokens": {int64(0), int64(750 * 2048), int64(1000 * 2048)},
		"flops":     {0., 12. * 64 * 4096 * 750 * 2048, 12. * 64 * 4096 * 1000 * 2048},
		"lr":        {lr, lr / 2, nil},
		"loss":      {5., 3., nil},
		"l2_loss":   {4., 2., nil},
		"auxk_loss": {0.5, 0., nil}, "dead_latents": {int64(3), int64(0), int64(12)}, "grad_norm": {2., nil, nil},
		"train_nmse": {0.125, 0.0625, nil}, "nmse": {0.75, nil, 0.25},
	} {
		if got := [3]any{curves.Value(0, name), curves.Value(1, name), curves.Value(2, name)}; got != want {
			t.Errorf("%s is %v, want %v", name, got, want)
		}
	}
}

// Curves have the settings that vary in columns of their own, at each point of a run; and again when they are read.
func TestCurveSettings(t *testing.T) {
	rows := sample()
	rows.Results[1].Config.LR, rows.Results[1].Sweep = 1, "s"
	results := rows.Table()
	curves, err := Curves(rows, func(ledger.Result) ([]trainer.Point, error) { return make([]trainer.Point, 2), nil })
	if err != nil {
		t.Fatal(err)
	}
	width := len(curves.Columns)
	AddSettings(&curves, &results)
	var added []string
	for _, c := range curves.Columns[width:] {
		added = append(added, c.Name)
	}
	if strings.Join(added, " ") != "decay_start lr_setting" || len(curves.Rows) != 6 {
		t.Errorf("%v, %d rows", added, len(curves.Rows))
	}
	for i, row := range curves.Rows {
		decay, lr := int64(500), rows.Results[0].Config.LR
		if i >= 3 {
			decay, lr = 800, 1
		}
		if len(row) != len(curves.Columns) || row[width] != decay || row[width+1] != lr {
			t.Errorf("row %d: %v", i, row)
		}
	}
	if alone, err := DropSettings(curves); err != nil || len(alone.Columns) != width {
		t.Errorf("%d columns are left, %v", len(alone.Columns), err)
	}
	AddSettings(&curves, &results) // of curves that have them
	if len(curves.Columns) != width+2 || len(curves.Rows[0]) != width+2 {
		t.Errorf("%d columns", len(curves.Columns))
	}
}
