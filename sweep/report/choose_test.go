package report

import (
	"testing"

	"github.com/topksweep/sweep/sweep/ledger"
	"github.com/topksweep/sweep/sweep/plan"
	"github.com/topksweep/sweep/sweep/table"
)

// A mean over seeds is there while some of them are in training, have failed or are canceled.
func TestMeanOfUnfinished(t *testing.T) {
	rows := sample()
	rows.Results = rows.Results[:1]
	for i, status := range []plan.Status{plan.Failed, plan.Pending, plan.Training, plan.Canceled} {
		r := ledger.Result{Cell: string(rune('a' + i)), Config: rows.Results[0].Config, Data: "f00d", Status: status}
		r.Config.Seed = int64(i + 1)
		rows.Results = append(rows.Results, r)
	}
	in := rows.Table()
	got, err := in.Group([]string{"k"}, []string{"nmse"}, Grouping([]string{"seed"}))
	if err != nil || got.Value(0, "runs") != int64(5) || got.Value(0, "nmse_n") != int64(1) {
		t.Errorf("%v, %v", got.Rows, err)
	}
	rows.Results[4].Status = plan.Completed
	rows.Results[4].Semantics = 1
	in = rows.Table()
	if got, err = in.Group([]string{"k"}, []string{"nmse"}, Grouping([]string{"seed"})); err == nil {
		t.Errorf("%v: versions are mixed", got.Rows)
	}
	rows.Results[4].Semantics, rows.Results[4].Data = rows.Results[0].Semantics, "beef"
	in = rows.Table()
	if got, err = in.Group([]string{"k"}, []string{"nmse"}, Grouping([]string{"seed"})); err == nil {
		t.Errorf("%v: data are mixed", got.Rows)
	}
}

// Files may hold values of another kind in columns that this package knows.
func TestOtherKinds(t *testing.T) {
	for _, v := range []any{"a", 0.5, int64(7), []int64{1, 2}} {
		kind := table.Text
		switch v.(type) {
		case float64:
			kind = table.Float
		case int64:
			kind = table.Int
		case []int64:
			kind = table.Ints
		}
		in := table.Table{Rows: [][]any{nil, nil, nil}}
		for _, c := range Columns() {
			in.Columns = append(in.Columns, table.Column{Name: c.Name, Kind: kind})
			in.Rows[0], in.Rows[1], in.Rows[2] = append(in.Rows[0], v), append(in.Rows[1], v), append(in.Rows[2], nil)
		}
		for _, all := range []bool{false, true} {
			Shown(&in, Varying(&in), all)
			Measured(&in, all)
		}
		if _, err := in.Group([]string{"k"}, nil, Grouping([]string{"seed"})); err != nil {
			t.Errorf("%v: %v", v, err)
		}
	}
}
