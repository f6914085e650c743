package report

import (
	"slices"
	"testing"

	"github.com/topksweep/sweep/sweep/ledger"
	"github.com/topksweep/sweep/sweep/plan"
	"github.com/topksweep/sweep/trainer"
)

// The axes tokens and epochs are columns, with what the grid has, before steps. Tables without them have no column
// epochs, and tokens that were trained on.
func TestLengthColumns(t *testing.T) {
	config := trainer.Config{ActivationDim: 64, Steps: 10, BatchSize: 100}
	for axis, want := range map[string]any{"tokens": int64(950), "epochs": 0.5, "": nil} {
		written := map[string]string{"tokens": "950"}
		if axis == "epochs" {
			written = map[string]string{"epochs": "0.5"}
		}
		rows := Rows{
			Plan: &plan.Header{Axes: []string{"k", axis}},
			Results: []ledger.Result{
				{Cell: "a", Config: config, Status: plan.Completed, Tokens: 1000, Written: written},
				{Cell: "b", Config: config, Status: plan.Pending, Written: written},
			},
		}
		table := rows.Table()
		if isSetting := slices.Contains(Settings(&table), axis); isSetting != (axis != "") {
			t.Errorf("%q is a setting: %t", axis, isSetting)
		}
		if settings := Settings(&table); axis == "" && slices.Contains(settings, "tokens") {
			t.Errorf("tokens that were trained on are a setting: %q", settings)
		}
		if axis == "" {
			if got := table.Value(0, "tokens"); got != int64(1000) || table.Index("epochs") >= 0 {
				t.Errorf("tokens %v, a column epochs at %d", got, table.Index("epochs"))
			}
			continue
		}
		if a, b := table.Value(0, axis), table.Value(1, axis); a != want || b != want {
			t.Errorf("%s: %v and %v, want %v", axis, a, b, want)
		}
		if table.Index(axis) > table.Index("steps") || slices.Contains(Measured(&table, false), axis) {
			t.Errorf("%s is no setting", axis)
		}
	}
}
