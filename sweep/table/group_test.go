package table

import (
	"bytes"
	"errors"
	"math"
	"reflect"
	"slices"
	"strings"
	"testing"
)

func seeds() Table {
	return Table{
		Columns: []Column{
			{Name: "cell", Kind: Text}, {Name: "k", Kind: Int}, {Name: "n", Kind: Int}, {Name: "seed", Kind: Int},
			{Name: "lr", Kind: Float}, {Name: "nmse", Kind: Float}, {Name: "dead", Kind: Int}, {Name: "status", Kind: Text},
		},
		Rows: [][]any{
			{"a", int64(16), int64(64), int64(0), 0.1, 0.5, int64(3), "completed"},
			{"b", int64(16), int64(64), int64(1), 0.1, 0.7, int64(5), "completed"},
			{"c", int64(8), int64(64), int64(0), 0.1, nil, nil, "failed"},
			{"d", int64(8), int64(128), int64(0), 0.1, 0.25, int64(1), "completed"},
			{"a", int64(16), int64(64), int64(0), 0.1, 0.5, int64(3), "completed"}, // of another sweep
		},
	}
}

var grouping = Grouping{ID: "cell", Keys: []string{"k", "n", "lr", "seed", "data"}, Over: []string{"seed"}}

func TestGroup(t *testing.T) {
	in := seeds()
	got, err := in.Group([]string{"k", "n"}, []string{"nmse", "dead"}, grouping)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, c := range got.Columns {
		names = append(names, c.Name)
	}
	if want := "k n runs nmse_mean nmse_std nmse_n dead_mean dead_std dead_n"; strings.Join(names, " ") != want {
		t.Errorf("columns %v", names)
	}
	want := [][]any{
		{int64(8), int64(64), int64(1), nil, nil, int64(0), nil, nil, int64(0)},
		{int64(8), int64(128), int64(1), 0.25, nil, int64(1), 1.0, nil, int64(1)},
		{int64(16), int64(64), int64(2), 0.6, math.Sqrt(0.02), int64(2), 4.0, math.Sqrt2, int64(2)},
	}
	if len(got.Rows) != len(want) {
		t.Fatalf("%v", got.Rows)
	}
	for i, row := range got.Rows {
		for j, v := range row {
			w, isFloat := want[i][j].(float64)
			x, _ := v.(float64)
			if isFloat && !(math.Abs(x-w) <= 1e-15) || !isFloat && !reflect.DeepEqual(v, want[i][j]) {
				t.Errorf("row %d, %s: %v, want %v", i, names[j], v, want[i][j])
			}
		}
	}
}

// Runs that differ in more than the seed are not mixed, unless it is asked for.
func TestGroupMixed(t *testing.T) {
	in := seeds()
	_, err := in.Group([]string{"k"}, []string{"nmse"}, grouping)
	mixed := (*MixedError)(nil)
	want := &MixedError{Group: []string{"k=8"}, Rows: 2, Keys: []string{"n"}}
	if !errors.As(err, &mixed) || !reflect.DeepEqual(mixed, want) {
		t.Errorf("%+v", err)
	}
	over := grouping
	over.Over = []string{"seed", "n"}
	if got, err := in.Group([]string{"k"}, []string{"nmse"}, over); err != nil || len(got.Rows) != 2 {
		t.Errorf("%v, %v", got.Rows, err)
	}
	for _, by := range [][]string{{"kk"}, {"k", "k"}, {}} {
		if _, err := in.Group(by, []string{"nmse"}, over); err == nil {
			t.Errorf("by %v: no error", by)
		}
	}
	if _, err := in.Group([]string{"k", "n"}, []string{"status"}, grouping); err == nil {
		t.Error("a mean of texts")
	}
	for _, values := range [][]string{{"nmse", "nmse"}, {"runs"}} {
		twice := in
		twice.Columns = slices.Clone(in.Columns)
		twice.Columns[1].Name = "runs"
		if got, err := twice.Group([]string{"runs", "n"}, values, over); err == nil {
			t.Errorf("%v: %v", values, got.names())
		}
	}
	empty := in.Pick(nil)
	got, err := empty.Group([]string{"k"}, []string{"nmse"}, grouping)
	if err != nil || len(got.Rows) != 0 || len(got.Columns) != 5 {
		t.Errorf("%+v, %v", got, err)
	}
}

// Rows that have no value do not keep those that have one from being alike. Lists can be grouped, too.
func TestGroupAlike(t *testing.T) {
	in := Table{
		Columns: []Column{
			{Name: "cell", Kind: Ints}, {Name: "k", Kind: Int}, {Name: "nmse", Kind: Float}, {Name: "v", Kind: Int},
		},
		Rows: [][]any{
			{[]int64{1}, int64(8), nil, nil}, {[]int64{2}, int64(8), 0.5, int64(2)}, {[]int64{2}, int64(8), 0.5, int64(2)},
			{[]int64{3}, int64(8), 0.7, int64(2)},
		},
	}
	g := Grouping{ID: "cell", Alike: []string{"v"}}
	got, err := in.Group([]string{"k"}, []string{"nmse"}, g)
	if err != nil {
		t.Fatal(err)
	}
	mean, _ := got.Number(0, "nmse_mean")
	if got.Value(0, "runs") != int64(3) || got.Value(0, "nmse_n") != int64(2) || !(math.Abs(mean-0.6) <= 1e-15) {
		t.Errorf("%v", got.Rows)
	}
	in.Rows[3][3] = int64(1)
	if got, err = in.Group([]string{"k"}, []string{"nmse"}, g); err == nil {
		t.Errorf("%v: versions are mixed", got.Rows)
	}
}

// Rows that have no ID, as of a file beside a sweep, count each.
func TestGroupWithoutID(t *testing.T) {
	in := seeds()
	hand := Table{
		Columns: []Column{
			{Name: "k", Kind: Int}, {Name: "n", Kind: Int}, {Name: "seed", Kind: Int}, {Name: "nmse", Kind: Float},
		},
		Rows: [][]any{{int64(4), int64(64), int64(0), 0.25}, {int64(4), int64(64), int64(1), 0.75}},
	}
	both, err := Join(in, hand)
	if err != nil {
		t.Fatal(err)
	}
	got, err := both.Group([]string{"k"}, []string{"nmse"}, Grouping{ID: "cell", Keys: []string{"k", "seed"},
		Over: []string{"seed"}})
	if err != nil || got.Value(0, "runs") != int64(2) || got.Value(0, "nmse_mean") != 0.5 ||
		got.Value(0, "nmse_n") != int64(2) || got.Value(2, "runs") != int64(2) {
		t.Errorf("%v, %v", got.Rows, err)
	}
	if _, most, err := both.Pivot("k", "n", "nmse", grouping); err != nil || most != 2 {
		t.Error(most, err)
	}
	hand.Columns[2].Name = "cell" // a column of IDs without a value
	hand.Rows[0][2], hand.Rows[1][2] = nil, nil
	got, err = hand.Group([]string{"k"}, []string{"nmse"}, Grouping{ID: "cell"})
	if err != nil || got.Value(0, "runs") != int64(2) {
		t.Errorf("%v, %v", got.Rows, err)
	}
}

// Columns of a pivot have different names, also those of no text and of no value.
func TestPivotNames(t *testing.T) {
	in := Table{
		Columns: []Column{{Name: "k", Kind: Int}, {Name: "name", Kind: Text}, {Name: "nmse", Kind: Float}},
		Rows:    [][]any{{int64(8), "", 1.0}, {int64(8), nil, 2.0}, {int64(8), "a", 3.0}},
	}
	got, _, err := in.Pivot("k", "name", "nmse", Grouping{})
	if err != nil || strings.Join(got.names(), " ") != `k name="" name=a name=` {
		t.Errorf("%v, %v", got.names(), err)
	}
	if _, err := ReadParquet(bytes.NewReader(written(t, "parquet", got))); err != nil {
		t.Error(err)
	}
}

func TestPivot(t *testing.T) {
	in := seeds()
	got, most, err := in.Pivot("k", "n", "nmse", grouping)
	if err != nil || most != 2 {
		t.Fatal(most, err)
	}
	if got.Columns[0].Name != "k" || got.Columns[1].Name != "n=64" || got.Columns[2].Name != "n=128" {
		t.Errorf("%+v", got.Columns)
	}
	x, _ := got.Rows[1][1].(float64)
	if got.Rows[0][1] != nil || got.Rows[0][2] != 0.25 || !(math.Abs(x-0.6) <= 1e-15) || got.Rows[1][2] != nil {
		t.Errorf("%v", got.Rows)
	}
	if _, _, err := in.Pivot("k", "k", "nmse", grouping); err == nil {
		t.Error("k and k")
	}
	in.Rows[1][4] = 0.2
	_, _, err = in.Pivot("k", "n", "nmse", grouping)
	if err == nil || !strings.Contains(err.Error(), "3 rows with k=16, n=64 differ in lr") {
		t.Error(err)
	}
	empty := in.Pick(nil)
	if got, most, err := empty.Pivot("k", "n", "nmse", grouping); err != nil || most != 0 || len(got.Columns) != 1 {
		t.Errorf("%+v, %v", got, err)
	}
}

func TestMeanStd(t *testing.T) {
	for _, c := range []struct {
		in        []float64
		mean, std any
	}{
		{nil, nil, nil},
		{[]float64{0.1}, 0.1, nil},
		{[]float64{0, 0}, 0.0, 0.0},
		{[]float64{1, 3}, 2.0, math.Sqrt2},
		{[]float64{1e300, 3e300}, 2e300, math.Sqrt2 * 1e300},
		{[]float64{math.MaxFloat64, math.MaxFloat64}, math.MaxFloat64, 0.0},
		{[]float64{-math.MaxFloat64, math.MaxFloat64}, 0.0, nil}, // the deviation is beyond float64
		{[]float64{1e-300, 3e-300}, 2e-300, math.Sqrt2 * 1e-300},
		{[]float64{1e9, 1e9 + 1, 1e9 + 2}, 1e9 + 1, 1.0},
		{[]float64{-2, -2, -2}, -2.0, 0.0},
	} {
		mean, std := meanStd(c.in)
		if !near(mean, c.mean) || !near(std, c.std) {
			t.Errorf("%v: %v and %v, want %v and %v", c.in, mean, std, c.mean, c.std)
		}
	}
}

// near says that two values are both nil, or numbers that differ by rounding alone.
func near(got, want any) bool {
	x, ok := got.(float64)
	y, isNumber := want.(float64)
	return ok == isNumber && (!ok || math.Abs(x-y) <= 1e-7*math.Abs(y))
}
