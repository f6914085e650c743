package page

import (
	"encoding/json"
	"math"
	"testing"

	"github.com/topksweep/sweep/sweep/table"
)

// Tables are joined by the names of their columns. What JSON or a script cannot hold is null or text.
func TestJoinColumns(t *testing.T) {
	columns, empty, rows := joinColumns([]table.Table{
		{
			Columns: []table.Column{
				{Name: "a", Kind: table.Int}, {Name: "b", Kind: table.Text}, {Name: "none", Kind: table.Float},
				{Name: "same", Kind: table.Text}, {Name: "mixed", Kind: table.Int}, {Name: "list", Kind: table.Ints},
			},
			Rows: [][]any{
				{int64(1), "x", nil, "s", int64(7), []int64{1, 2}},
				{int64(math.MaxInt64), "y", math.NaN(), "s", nil, nil},
			},
		},
		{
			Columns: []table.Column{
				{Name: "mixed", Kind: table.Text}, {Name: "a", Kind: table.Float}, {Name: "same", Kind: table.Text},
				{Name: "late", Kind: table.Float},
			},
			Rows: [][]any{{"eight", 0.5, "s", math.Inf(1)}, {"", math.Inf(-1), "s", 1e300}},
		},
	})
	if rows != 4 || len(empty) != 1 || empty[0] != "none" {
		t.Errorf("%d rows, no value in %q", rows, empty)
	}
	got, err := json.Marshal(columns)
	if err != nil {
		t.Fatal(err)
	}
	want := `[{"name":"a","kind":"number","values":[1,"9223372036854775807",0.5,null]},` +
		`{"name":"b","kind":"text","words":["x","y"],"values":[0,1,null,null]},` +
		`{"name":"same","kind":"text","all":"s"},` +
		`{"name":"mixed","kind":"text","words":["7","eight"],"values":[0,null,1,null]},` +
		`{"name":"list","kind":"list","values":[[1,2],null,null,null]},` +
		`{"name":"late","kind":"number","values":[null,null,null,1e+300]}]`
	if string(got) != want {
		t.Errorf("\n%s, want\n%s", got, want)
	}
	if columns, empty, rows := joinColumns(nil); len(columns)+len(empty) != 0 || rows != 0 {
		t.Errorf("of no tables: %v, %d", columns, rows)
	}
}
