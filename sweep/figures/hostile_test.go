package figures

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/topksweep/sweep/sweep/table"
)

// resultsOf makes results of rows of k, dict_size, auxk_alpha, seed, nmse, l0, dead_fraction and recipe.
func resultsOf(rows ...[]any) table.Table {
	t := table.Table{Rows: rows}
	for _, name := range strings.Fields("k dict_size auxk_alpha seed nmse l0 dead_fraction recipe") {
		t.Columns = append(t.Columns, table.Column{Name: name, Kind: table.Float})
	}
	return t
}

func curvesOf(rows ...[]any) table.Table {
	t := table.Table{Rows: rows}
	for _, name := range strings.Fields("cell k dict_size seed step tokens flops train_nmse nmse") {
		t.Columns = append(t.Columns, table.Column{Name: name, Kind: table.Float})
	}
	return t
}

// Whatever tables hold, figures are whole in every width: no text leaves them or lies on another.
func TestHostile(t *testing.T) {
	var manyK, manyN, wide [][]any
	for i := range 200 {
		manyK = append(manyK, []any{int64(i + 1), int64(4096), 0.0, int64(0), 0.5 / float64(i+1), float64(i + 1), 0.5, "x"})
		manyN = append(manyN, []any{int64(8), int64(1000 + 37*i), 0.1, int64(0), 0.5 / float64(i+1), 8.0, 0.01, "x"})
	}
	for i := range 9 {
		for j := range 11 {
			for a := range 8 {
				wide = append(wide, []any{
					int64(1) << i, int64(1) << (10 + j), float64(a) / 7, int64(0), 0.1 + float64(i*j)/999, float64(i + 1), 0.1, "x",
				})
			}
		}
	}
	extreme := []any{1e-300, 1e-12, 1.0, 1e12, 1e300, math.MaxFloat64, math.SmallestNonzeroFloat64, 0.0, -1.0, nil, "x"}
	var extremes, extremeCurves [][]any
	for i, v := range extreme {
		for j, n := range []any{int64(1), int64(math.MaxInt64), 1e300, 0.5, -3.0, nil} {
			extremes = append(extremes, []any{int64(i), n, v, int64(j), v, v, v, nil}, []any{v, n, v, v, v, v, v, v})
			extremeCurves = append(extremeCurves, []any{"c", int64(i + 1), n, v, int64(j), v, v, v, v})
		}
	}
	for name, c := range map[string]struct{ results, curves table.Table }{
		"no rows":   {resultsOf(), curvesOf()},
		"one run":   {resultsOf([]any{int64(8), int64(512), 0.0, int64(0), 0.2, 8.0, 0.1, "x"}), table.Table{}},
		"one point": {resultsOf(), curvesOf([]any{"c", int64(8), int64(512), int64(0), int64(1), 10.0, 10.0, 0.2, 0.2})},
		"all equal": {resultsOf(
			[]any{int64(8), int64(512), 0.0, int64(0), 0.2, 8.0, 0.0, "x"},
			[]any{int64(8), int64(512), 0.0, int64(0), 0.2, 8.0, 0.0, "x"}), table.Table{}},
		"no errors": {resultsOf(
			[]any{int64(8), int64(512), 0.0, int64(0), nil, nil, nil, "x"},
			[]any{int64(16), int64(512), 0.0, int64(0), 0.0, 0.0, 2.0, "x"},
			[]any{int64(32), int64(512), 0.0, int64(0), -1.0, -1.0, -1.0, "x"}), table.Table{}},
		"names": {resultsOf(
			[]any{int64(8), int64(512), 0.0, int64(0), 0.3, 8.0, 0.1, "<script>&\"'|\x01é漢"},
			[]any{int64(8), int64(512), 0.5, int64(0), 0.2, 8.0, 0.1, "]]>"},
			[]any{int64(8), int64(1024), 0.0, int64(0), 0.2, 8.0, 0.1, ""}), table.Table{}},
		"many k":   {resultsOf(manyK...), table.Table{}},
		"many n":   {resultsOf(manyN...), table.Table{}},
		"wide":     {resultsOf(wide...), table.Table{}},
		"extremes": {resultsOf(extremes...), curvesOf(extremeCurves...)},
	} {
		s := mustMake(t, c.results, c.curves)
		if len(s.Figures)+len(s.LeftOut) != len(allNames()) {
			t.Errorf("%s: %d figures and %d left out", name, len(s.Figures), len(s.LeftOut))
		}
		for _, f := range s.Figures {
			for _, width := range []float64{MinWidth, 8, 17} {
				t.Run(fmt.Sprint(name, " ", f.Name, " ", width), func(t *testing.T) {
					b, err := f.Write(SVG, width)
					if err != nil {
						t.Fatal(err)
					}
					checkSVG(t, f, b, width)
				})
			}
			for _, format := range []Format{PNG, PDF} {
				if _, err := f.Write(format, 8); err != nil {
					t.Errorf("%s: %v", name, err)
				}
			}
		}
	}
}

// A cell that failed in one table and completed in another is drawn, whichever table comes first.
func TestCellOfTwoTables(t *testing.T) {
	failed, completed := []any{"a", int64(8), int64(512), nil}, []any{"a", int64(8), int64(512), 0.2}
	other := []any{"a", int64(8), int64(512), 0.3}
	for _, rows := range [][][]any{{failed, completed}, {completed, failed}, {completed, other}} {
		runs, err := runsOf(&table.Table{
			Columns: []table.Column{{Name: "cell"}, {Name: "k"}, {Name: "dict_size"}, {Name: "nmse"}}, Rows: rows,
		})
		if err != nil || len(runs) != 1 || runs[0].nmse != (number{0.2, true}) {
			t.Errorf("%v: %+v, %v", rows, runs, err)
		}
	}
}

// The error says what is wrong with a table, and what to do.
func TestBadTables(t *testing.T) {
	two := table.Table{
		Columns: []table.Column{{Name: "k"}, {Name: "dict_size"}, {Name: "nmse"}, {Name: "data"}},
		Rows:    [][]any{{int64(1), int64(2), 0.1, "a"}, {int64(1), int64(2), 0.2, "b"}},
	}
	for want, c := range map[string]struct{ results, curves table.Table }{
		"no column k":         {table.Table{Columns: []table.Column{{Name: "x"}}}, table.Table{}},
		"no column dict_size": {table.Table{}, table.Table{Columns: []table.Column{{Name: "k"}, {Name: "step"}}}},
		"--where 'data=a'":    {two, table.Table{}},
	} {
		_, err := Make(context.Background(), &c.results, &c.curves)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v; want %s", err, want)
		}
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	results, curves := planted([]int64{4, 8}, []int64{256, 512})
	if _, err := Make(ctx, &results, &curves); err == nil {
		t.Error("figures are made although the context has ended")
	}
}

// The marker of a point is that of the best setting, with its seeds averaged.
func TestChoose(t *testing.T) {
	results := resultsOf(
		[]any{int64(8), int64(512), 0.0, int64(0), 0.30, 8.0, 0.1, "a"},
		[]any{int64(8), int64(512), 0.0, int64(1), 0.10, 8.0, 0.2, "a"},
		[]any{int64(8), int64(512), 0.5, int64(0), 0.15, 8.0, 0.3, "a"},
		[]any{int64(8), int64(512), 0.5, int64(1), 0.17, 8.0, 0.5, "a"},
		[]any{int64(8), int64(512), 0.5, int64(2), nil, 8.0, 0.5, "a"},
	)
	runs, err := runsOf(&results)
	if err != nil {
		t.Fatal(err)
	}
	c := choose(runs, false)
	if len(c.points) != 1 || len(c.varied) != 1 || c.varied[0] != "auxk_alpha" || c.seeds != 2 || c.failed != 1 {
		t.Fatalf("%+v", c)
	}
	p := c.points[0]
	if !(math.Abs(p.nmse-0.16) < 1e-12 && math.Abs(p.sd-0.02/math.Sqrt2) < 1e-12 && math.Abs(p.dead.v-0.4) < 1e-12) {
		t.Errorf("%+v", p)
	}
	if each := choose(runs, true); len(each.points) != 2 {
		t.Errorf("%d points for two values of auxk_alpha", len(each.points))
	}
}

func TestEnvelope(t *testing.T) {
	got := envelope([][]xy{{{1, 9}, {2, 5}, {4, 4}}, {{2, 6}, {3, 3}, {5, 3}}})
	want := []xy{{1, 9}, {2, 5}, {3, 3}}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("%v, want %v", got, want)
	}
}

// A file by hand may call dict_size n, hold text among the numbers, and have a row twice.
func TestByHand(t *testing.T) {
	results := table.Table{
		Columns: []table.Column{{Name: "k", Kind: table.Int}, {Name: "n", Kind: table.Int}, {Name: "nmse", Kind: table.Text}},
		Rows: [][]any{
			{int64(8), int64(512), "0.4"}, {int64(8), int64(512), "0.4"}, {int64(8), int64(1024), " 0.3"},
			{int64(8), int64(2048), "0.25"}, {int64(8), int64(4096), "nan"}, {int64(8), int64(8192), "none"},
		},
	}
	s := mustMake(t, results, table.Table{})
	if len(s.Figures) != 1 || s.Figures[0].Name != "nmse-by-dict-size" {
		t.Fatalf("figures %v, left out %v", s.Figures, s.LeftOut)
	}
	want := "Markers: one run. Lines: the fit of form n without e. Not shown: 2 of 5 runs, without nmse above 0."
	if got := strings.Join(s.Figures[0].Notes, " "); got != want {
		t.Errorf("notes %q, want %q", got, want)
	}
	if results.Columns[1].Name != "n" {
		t.Error("the table was changed")
	}
}

// However the range of an axis lies, values are marked that it can be read by.
func TestMarks(t *testing.T) {
	for low := 0.01; low < 0.1; low *= 1.01 {
		for ratio := 1.02; ratio < 50; ratio *= 1.03 {
			a := axis{log: true, min: low, max: low * ratio}
			if marks := a.roundMarks(); len(marks) < 3 || len(marks) > 12 {
				t.Errorf("from %.3g to %.3g: %v", a.min, a.max, marks)
			}
		}
	}
}

// A law of cells in which k follows dict_size is no line for one k.
func TestDiagonal(t *testing.T) {
	var rows [][]any
	for i := range 6 {
		rows = append(rows, []any{int64(8) << i, int64(512) << i, 0.0, int64(0), 0.5 / float64(i+2), 8.0, nil, "x"})
	}
	s := mustMake(t, resultsOf(rows...), table.Table{})
	if len(s.WithoutFit) != 2 || !strings.Contains(s.WithoutFit[0].Why, "drawn without a fit: form nk: ") {
		t.Errorf("got %+v", s.WithoutFit)
	}
}

// A fit that is missing for one k is not said to be missing for all.
func TestWithoutSomeFits(t *testing.T) {
	_, curves := planted([]int64{4, 8}, []int64{256, 512, 1024, 2048})
	var rows []int
	for i := range curves.Rows {
		if step := value(&curves, i, "step").v; value(&curves, i, "k").v != 4 || step == 0 || step == 512 {
			rows = append(rows, i)
		}
	}
	few := curves.Pick(rows)
	for i := range few.Rows {
		if value(&few, i, "k").v == 4 { // nothing falls
			few.Rows[i] = append([]any(nil), few.Rows[i]...)
			few.Rows[i][few.Index("nmse")] = 0.5
		}
	}
	s := mustMake(t, table.Table{}, few)
	if len(s.WithoutFit) != 1 || !strings.HasPrefix(s.WithoutFit[0].Why, "drawn without a fit for k 4: form c: ") {
		t.Errorf("got %+v", s.WithoutFit)
	}
}

// No line is fitted to curves of runs that no one law holds for.
func TestNoFitOverMixed(t *testing.T) {
	results, curves := planted([]int64{4, 8}, []int64{256, 512, 1024, 2048})
	if s := mustMake(t, results, curves); len(s.WithoutFit) != 0 {
		t.Fatalf("not mixed: %+v", s.WithoutFit)
	}
	for _, column := range []string{"recipe", "lm_name", "activation_dim"} {
		mixed := table.Table{Columns: append(slices.Clone(results.Columns), table.Column{Name: column})}
		for i, row := range results.Rows {
			mixed.Rows = append(mixed.Rows, append(slices.Clone(row), int64(1+i%2)))
		}
		s := mustMake(t, mixed, curves)
		why := map[string]string{}
		for _, w := range s.WithoutFit {
			why[w.Name] = w.Why
		}
		if got := why["nmse-by-flops"]; !strings.HasPrefix(got, "drawn without fits: the runs differ in "+column) {
			t.Errorf("%s: %q of %+v", column, got, s.WithoutFit)
		}
	}
}

// A heat map has its numbers in all fields or in none, and the unit of compute is never cut off.
func TestNarrow(t *testing.T) {
	ns := []int64{256, 512, 1024, 2048, 4096, 8192, 16384, 32768, 65536, 131072, 262144}
	results, curves := planted([]int64{4, 8, 16, 32}, ns)
	for _, f := range mustMake(t, results, curves).Figures {
		svg, err := f.Write(SVG, MinWidth)
		if err != nil {
			t.Fatal(err)
		}
		switch f.Name {
		case "nmse-by-flops":
			if !strings.Contains(string(svg), ">compute, dense-equivalent (GFLOP)<") {
				t.Errorf("the label of compute is not whole:\n%.3000s", svg)
			}
		case "dead-latents":
			written := map[bool]int{}
			for _, p := range f.panels {
				for _, l := range p.layers {
					text := strings.ReplaceAll(l.(cell).text, "<", "&lt;")
					written[strings.Contains(string(svg), "font-size:6.2px\">"+text+"</text>")]++
				}
			}
			if len(written) != 1 {
				t.Errorf("numbers in %v fields", written)
			}
		}
	}
}

// A long curve does not make a large file.
func TestLongCurve(t *testing.T) {
	var rows [][]any
	for i := range 3000 {
		at := float64(i + 1)
		rows = append(rows, []any{"c", int64(8), int64(512), int64(0), int64(i + 1), at, at, 1 / at, 1 / at})
	}
	for _, f := range mustMake(t, table.Table{}, curvesOf(rows...)).Figures {
		first := f.panels[0].layers[0].(line).at
		if len(first) > maxPoints || first[0].y != 1 || first[len(first)-1].y != 1.0/3000 {
			t.Errorf("%s: %d places from %v to %v", f.Name, len(first), first[0], first[len(first)-1])
		}
	}
}
