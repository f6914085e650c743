package report

import (
	"slices"
	"strings"
	"testing"

	"github.com/topksweep/sweep/sweep/ledger"
	"github.com/topksweep/sweep/sweep/plan"
	"github.com/topksweep/sweep/sweep/table"
	"github.com/topksweep/sweep/trainer"
)

// setsSample is sample as a sweep over two data sets.
func setsSample() Rows {
	rows := sample()
	info := func(fingerprint string, share float64) trainer.DataInfo {
		return trainer.DataInfo{Fingerprint: fingerprint, MedianNorm: 1, HugeShare: share, LeftOut: int64(10 * share)}
	}
	rows.Plan = &plan.Header{ID: "s-1", Axes: []string{"k", "data", "decay_start"}, Sets: []plan.DataSet{
		{Name: "l3", Info: info("f00d", 0.7)}, {Name: "l6", Info: info("beef", 0.1)},
	}}
	for i := range rows.Results {
		rows.Results[i].Set, rows.Results[i].Sweep = "l3", "s-1"
		if i%2 == 1 {
			rows.Results[i].Set, rows.Results[i].Data = "l6", "beef"
		}
	}
	return rows
}

func column(t *testing.T, of *table.Table, name string) (out []string) {
	t.Helper()
	if of.Index(name) < 0 {
		t.Fatalf("no column %s", name)
	}
	for i := range of.Rows {
		out = append(out, table.Print(of.Value(i, name)))
	}
	return out
}

// The data set is a setting like any other, and its fingerprint stands beside it.
func TestColumnsOfSets(t *testing.T) {
	rows := setsSample()
	all := rows.Table()
	for name, want := range map[string]string{
		"data": "l3 l6 l3 l6", "fingerprint": "f00d beef f00d beef", "huge_rows_share": "0.7 0.1 0.7 0.1",
	} {
		if got := strings.Join(column(t, &all, name), " "); got != want {
			t.Errorf("%s: %s, want %s", name, got, want)
		}
	}
	if d, k, s := all.Index("data"), all.Index("k"), all.Index("decay_start"); d != k+1 || s != d+1 {
		t.Errorf("k, data and decay_start are columns %d, %d, %d", k, d, s)
	}
	if got := Varying(&all); !slices.Equal(got, []string{"data", "k", "decay_start"}) {
		t.Errorf("settings that vary: %v", got)
	}
	shown := Shown(&all, rows.axes(), false)
	if !slices.Contains(shown, "data") || slices.Contains(shown, "fingerprint") {
		t.Errorf("shown are %v", shown)
	}
	text := string(write(t, "table", rows))
	if !strings.Contains(text, "Data set l3: 70%") || strings.Contains(text, "Data set l6") {
		t.Errorf("notes:\n%s", text)
	}
	// Without names nothing is new.
	plain := sample().Table()
	if plain.Index("fingerprint") >= 0 || slices.Contains(Settings(&plain), "data") || HasSets(&plain) {
		t.Error("a sweep without names has columns of them")
	}
}

// Of several sweeps, equal data have one name, and other data of a name are not mixed with them.
func TestJoinedSets(t *testing.T) {
	plain := sample()
	plain.Plan.ID = "p-1"
	for i := range plain.Results {
		plain.Results[i].Sweep = "p-1"
	}
	plain.Results[1].Data = "cafe"
	joined := Join(plain, setsSample()).Table()
	if got := strings.Join(column(t, &joined, "data"), " "); got != "l3 cafe l3 l3 l3 l6 l3 l6" {
		t.Errorf("data: %s", got)
	}
	if g := GroupingOf(&joined, nil); slices.Contains(g.Alike, "fingerprint") {
		t.Errorf("%v", g)
	}
	other := setsSample()
	other.Plan.ID, other.Plan.Sets[0].Info.Fingerprint = "o-1", "0000"
	for i := range other.Results {
		other.Results[i].Sweep = "o-1"
		if other.Results[i].Set == "l3" {
			other.Results[i].Data = "0000"
		}
	}
	joined = Join(setsSample(), other).Table()
	if g := GroupingOf(&joined, nil); !slices.Contains(g.Alike, "fingerprint") {
		t.Errorf("%v", g)
	}
}

// Curves get the data set from the results, and lose it again as a setting.
func TestCurvesOfSets(t *testing.T) {
	rows := setsSample()
	results := rows.Table()
	curves, err := Curves(rows, func(ledger.Result) ([]trainer.Point, error) { return []trainer.Point{{Step: 1}}, nil })
	if err != nil {
		t.Fatal(err)
	}
	AddSettings(&curves, &results)
	if got := strings.Join(column(t, &curves, "data"), " "); got != "l3 l3 l6 l6" {
		t.Errorf("data: %s", got)
	}
	if curves, err = DropSettings(curves); err != nil || curves.Index("data") >= 0 {
		t.Errorf("%v, %v", curves.Columns, err)
	}
}
