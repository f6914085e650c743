package report

import (
	"strings"
	"testing"

	"github.com/topksweep/sweep/sweep/ledger"
	"github.com/topksweep/sweep/trainer"
)

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
