package table

import (
	"reflect"
	"strings"
	"testing"
)

func losses() Table {
	return Table{
		Columns: []Column{
			{Name: "", Kind: Int}, {Name: "ce", Kind: Float}, {Name: "cell", Kind: Text}, {Name: "sweep", Kind: Text},
			{Name: "k", Kind: Float}, {Name: "note|x", Kind: Text},
		},
		Rows: [][]any{
			{int64(0), 2.5, "d", "s", 8.0, "<&"}, {int64(1), 1e300, "elsewhere", "s", 99.0, nil},
			{int64(2), nil, "a", "s", nil, "b"},
		},
	}
}

func TestAttach(t *testing.T) {
	in, before := seeds(), seeds()
	got, unknown, err := in.Attach(losses(), "cell", "sweep")
	if err != nil || unknown != 1 {
		t.Fatalf("%d unknown, %v", unknown, err)
	}
	if names := got.names(); !reflect.DeepEqual(names, append(in.names(), "ce", "note|x")) {
		t.Errorf("columns %q", names)
	}
	want := [][]any{{nil, "b"}, {nil, nil}, {nil, nil}, {2.5, "<&"}, {nil, "b"}} // cell a has two rows
	for i, row := range got.Rows {
		if n := len(in.Columns); !reflect.DeepEqual(row[:n], before.Rows[i]) || !reflect.DeepEqual(row[n:], want[i]) {
			t.Errorf("row %d: %v", i, row)
		}
	}
	if !reflect.DeepEqual(in, before) {
		t.Error("the table itself has changed")
	}
	none := Table{Columns: before.Columns}
	if got, unknown, err := none.Attach(losses(), "cell", "sweep"); err != nil || unknown != 3 || len(got.Rows) != 0 {
		t.Errorf("no rows: %v, %d, %v", got, unknown, err)
	}
	empty := losses()
	empty.Rows = nil
	if got, unknown, err := in.Attach(empty, "cell", "sweep"); err != nil || unknown != 0 || len(got.Rows) != 5 {
		t.Errorf("nothing to join: %v, %d, %v", got, unknown, err)
	}
}

func TestAttachErrors(t *testing.T) {
	change := func(fn func(o *Table)) Table {
		o := losses()
		fn(&o)
		return o
	}
	for want, other := range map[string]Table{
		`what is joined has no column "cell"; did you mean cel?`: change(func(o *Table) { o.Columns[2].Name = "cel" }),
		"rows 1 and 3 have the same cell, d":                     change(func(o *Table) { o.Rows[2][2] = "d" }),
		"row 2 has no cell":                                      change(func(o *Table) { o.Rows[1][2] = nil }),
		"of cell d it is 8, and 9 in row 1 of what is joined":    change(func(o *Table) { o.Rows[0][4] = 9.0 }),
		"column nmse is there already, with another value: of cell d it is 0.25, and 2.5 in row 1": change(
			func(o *Table) { o.Columns[1].Name = "nmse" }),
		"no column that is not there already": change(func(o *Table) {
			o.Columns[1].Name, o.Columns[5].Name = "nmse", "status"
		}),
	} {
		in := seeds()
		if _, _, err := in.Attach(other, "cell", "sweep"); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %s", err, want)
		}
	}
	without := Table{Columns: []Column{{Name: "k", Kind: Int}}}
	if _, _, err := without.Attach(losses(), "cell"); err == nil || !strings.Contains(err.Error(), `no column "cell"`) {
		t.Errorf("%v", err)
	}
}
