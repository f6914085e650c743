package page

import (
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/topksweep/sweep/sweep/ledger"
	"github.com/topksweep/sweep/sweep/plan"
	"github.com/topksweep/sweep/sweep/report"
	"github.com/topksweep/sweep/sweep/table"
	"github.com/topksweep/sweep/trainer"
)

// Whoever keeps the points of Thin alone shows the curve that all points give.
func TestThin(t *testing.T) {
	s := sampleSweep(t, largeGrid, nil)
	shown := func(points []trainer.Point) (curve, []int64) {
		one := report.Rows{Plan: &s.Plan.Header, Results: s.Results[:1]}
		table, err := report.Curves(one, func(ledger.Result) ([]trainer.Point, error) { return points, nil })
		if err != nil {
			t.Fatal(err)
		}
		g := curveRows{t: &table}
		for i := range table.Rows {
			g.rows = append(g.rows, i)
		}
		return g.curve(pointsEach(len(s.Results)))
	}
	points := samplePoints(s.Results[0])
	if none := Thin(nil, 20_000, 1); len(none) != 0 {
		t.Errorf("of no points %v", none)
	}
	early := slices.Repeat([]trainer.Point{{}}, 300) // the curve ends long before the run
	for i := range early {
		early[i].Step = int64(i)
	}
	if got := Thin(early, 1e9, 1); len(got) > mostPoints || got[len(got)-1].Step > 299 {
		t.Errorf("%d points of a curve that ends early", len(got))
	}
	thin := Thin(points, int64(s.Results[0].Config.Steps), len(s.Results))
	want, steps := shown(points)
	if want.Tokens != 1024 || want.Flops != 12*64*2048*1024 {
		t.Errorf("a step has %d tokens and %g operations", want.Tokens, want.Flops)
	}
	got, thinSteps := shown(thin)
	if len(thin) >= len(points) || !slices.Equal(steps, thinSteps) || !reflect.DeepEqual(got, want) {
		t.Errorf("%d of %d points: %v at %v, want %v at %v", len(thin), len(points), got, thinSteps, want, steps)
	}
}

// l2_loss is left out only where it can be told from train_nmse.
func TestDropL2(t *testing.T) {
	for name, c := range map[string]struct {
		nmse, l2 []any
		want     number
	}{
		"times 4":    {[]any{number(0.5), nil, number(0.25)}, []any{number(2), nil, number(1)}, 4},
		"other":      {[]any{number(0.5), number(0.25)}, []any{number(2), number(1.1)}, 0},
		"gap":        {[]any{number(0.5), nil}, []any{number(2), number(1)}, 0},
		"zero":       {[]any{number(0.5), number(0)}, []any{number(2), number(0)}, 0},
		"no nmse":    {nil, []any{number(2)}, 0},
		"no l2_loss": {[]any{number(0.5)}, nil, 0},
	} {
		drawn := curve{Series: [][]any{c.nmse, nil, slices.Clone(c.l2), nil, nil, nil}}
		drawn.dropL2()
		kept := drawn.Series[slices.Index(curveSeries(), "l2_loss")]
		if drawn.L2 != c.want || (kept == nil) != (c.want > 0 || c.l2 == nil) {
			t.Errorf("%s: factor %g, want %g; kept %v", name, drawn.L2, c.want, kept)
		}
	}
}

// A curve belongs to the row of its sweep and cell, or of its cell alone where no other row has that.
func TestRowFinder(t *testing.T) {
	columns := []table.Column{{Name: "sweep", Kind: table.Text}, {Name: "cell", Kind: table.Text}}
	rowOf := rowFinder([]table.Table{
		{Columns: columns, Rows: [][]any{{"one", "a"}, {"one", "b"}}},
		{Columns: columns, Rows: [][]any{{"two", "b"}, {nil, nil}}},
	})
	for _, c := range []struct {
		sweep, cell string
		want        int // -1: none
	}{
		{"one", "b", 1}, {"two", "b", 2}, {"three", "a", 0}, {"", "a", 0}, {"three", "b", -1}, {"three", "c", -1},
		{"one", "", -1},
	} {
		if row, ok := rowOf(c.sweep, c.cell); ok != (c.want >= 0) || ok && row != c.want {
			t.Errorf("cell %q of %q: row %d, %t; want %d", c.cell, c.sweep, row, ok, c.want)
		}
	}
}

// A row of a sweep has the sweep's ID, whether its table has the column or not.
func TestWithSweep(t *testing.T) {
	cell := table.Column{Name: "cell", Kind: table.Text}
	for _, in := range []table.Table{
		{Columns: []table.Column{cell}, Rows: [][]any{{"a"}}},
		{Columns: []table.Column{cell, {Name: "sweep", Kind: table.Text}}, Rows: [][]any{{"a", nil}}},
	} {
		if out := withSweep(in, "one"); out.Value(0, "sweep") != "one" || out.Value(0, "cell") != "a" {
			t.Errorf("%v of %v", out, in)
		}
	}
}

// Cells that share nothing have no picture, and their steps and time are told.
func TestForestAlone(t *testing.T) {
	s := sampleSweep(t, strings.NewReplacer("[0, 0.03125]", "0", "[0.3, 0.5, 0.8]", "0.8").Replace(smallGrid), nil)
	f := newForest(s, 10)
	slices.Sort(f.Alone) // they are in the order of the trees
	if len(f.Trees) != 0 || !slices.Equal(f.Alone, []int{10, 11, 12, 13}) || f.AloneSteps != 4*600 {
		t.Errorf("%d trees; alone %v with %d steps", len(f.Trees), f.Alone, f.AloneSteps)
	}
	if f.AloneSpent == nil || !(abs(*f.AloneSpent-24) <= 1e-9) || f.StepsSaved != 0 {
		t.Errorf("%v s, %d steps saved", *f.AloneSpent, f.StepsSaved)
	}
}

// Trees of one family are one: what was trained under one setting of AuxK is shared, what was not is not.
func TestFamilies(t *testing.T) {
	p := planOf(t, `
name: settings
data: {synthetic: {activation_dim: 64, directions: 128, tokens: 100000, active: 4}}
parameters: {auxk_alpha: [0.03125, 0.0625], k_aux: [4, 8], decay_start: [0.5, 0.8]}
train: {steps: 600, batch_size: 256, lr: 0.002, k: 8, dict_size: 512, dead_feature_threshold: 60_000}
`)
	got := families(p)
	if len(p.Trees) != 1 || len(got) != 1 || !reflect.DeepEqual(got[0].Cells, p.Trees[0].Cells) {
		t.Errorf("%+v, want %+v", got, p.Trees)
	}
	for _, c := range p.Trees[0].Cells { // a tree for each cell, as extensions make them
		alone := plan.Tree{Family: p.Trees[0].Family, Cells: []plan.TreeCell{c}}
		alone.Cells[0].AuxK = 0
		p.Trees = append(p.Trees, alone)
	}
	p.Trees = p.Trees[1:]
	if again := families(p); !reflect.DeepEqual(again, got) {
		t.Errorf("of a tree for each cell %+v, want %+v", again, got)
	}
}
