package table

import (
	"bytes"
	"math"
	"reflect"
	"strings"
	"testing"

	"github.com/topksweep/sweep/sweep/goldentest"
)

// awkward returns a table of each kind with what is hard to write: no value, the ends of the ranges, and texts that are
// special in some format.
func awkward() Table {
	return Table{
		Columns: []Column{
			{Name: "cell", Kind: Text, Doc: "ID"},
			{Name: "k", Kind: Int, Unit: "latents", Doc: "kept", Exact: true},
			{Name: "lr", Kind: Float, Exact: true},
			{Name: "nmse", Kind: Float, Doc: "error & more"},
			{Name: "l2_loss^2", Kind: Float, Unit: "squared"},
			{Name: "density", Kind: Ints},
			{Name: "error", Kind: Text},
		},
		Rows: [][]any{
			{"00112233445566778899", int64(8), 0.1, 0.25, 1e300, []int64{3, 0, -1}, nil},
			{"007", int64(math.MaxInt64), math.Nextafter(0.1, 1), 0.5, -1e-7, []int64{}, "a,b \"c\"\nand 'd'"},
			{"true", int64(math.MinInt64), 3e-5, nil, nil, nil, `100% of {x} & $y$ #1 _~^ \ <b> |p| *s* ` + "`q`"},
			{"NaN", nil, nil, 1.0, 0.0, []int64{math.MaxInt64}, "x̂ − x … ‖ 日本 é --- [1]"},
			{"[1]", int64(0), -0.5, math.SmallestNonzeroFloat64, math.MaxFloat64, []int64{0}, "1e5"},
		},
	}
}

func written(t *testing.T, format string, in Table) []byte {
	t.Helper()
	f, err := FormatOf(format)
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	if err := f.Write(&b, &in); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestFormats(t *testing.T) {
	in := awkward()
	for name, in := range map[string]Table{
		"awkward": in, "none": {Columns: in.Columns}, "one": {Columns: in.Columns[:1], Rows: [][]any{{"[x"}}},
	} {
		for _, f := range Formats() {
			t.Run(name+"/"+f.Name, func(t *testing.T) {
				got := written(t, f.Name, in)
				if !bytes.Equal(got, written(t, f.Name, in)) {
					t.Error("equal tables are written differently")
				}
				goldentest.Check(t, "testdata/"+name+"."+f.Extension, got)
			})
		}
	}
	_, err := FormatOf("xml")
	if err == nil || !strings.Contains(err.Error(), "table, csv, json, jsonl, md, latex, parquet") {
		t.Errorf("xml: %v", err)
	}
}

// A number that no format can hold is written as no value, and so are texts that are no UTF-8 made such.
func TestNotFinite(t *testing.T) {
	in := Table{
		Columns: []Column{{Name: "x", Kind: Float}, {Name: "s", Kind: Text}},
		Rows:    [][]any{{math.NaN(), "a"}, {math.Inf(1), "b\xff"}, {math.Inf(-1), nil}},
	}
	for _, f := range Formats() {
		if text := string(written(t, f.Name, in)); strings.Contains(text, "NaN") || strings.Contains(text, "Inf") {
			t.Errorf("%s:\n%s", f.Name, text)
		}
	}
	out, err := ReadParquet(bytes.NewReader(written(t, "parquet", in)))
	if err != nil || out.Rows[0][0] != nil || out.Rows[1][1] != "b\uFFFD" {
		t.Errorf("%v, %v", out.Rows, err)
	}
}

// What is written in an exact format reads back as it was.
func TestReadBack(t *testing.T) {
	in := awkward()
	for format, read := range map[string]func(b []byte) (Table, error){
		"csv":     func(b []byte) (Table, error) { return ReadCSV(bytes.NewReader(b), in.Columns...) },
		"json":    func(b []byte) (Table, error) { return ReadJSON(bytes.NewReader(b), in.Columns...) },
		"jsonl":   func(b []byte) (Table, error) { return ReadJSON(bytes.NewReader(b), in.Columns...) },
		"parquet": func(b []byte) (Table, error) { return ReadParquet(bytes.NewReader(b), in.Columns...) },
	} {
		got, err := read(written(t, format, in))
		if err != nil || !reflect.DeepEqual(got, in) {
			t.Errorf("%s:\n%+v\nwant\n%+v\n%v", format, got, in, err)
		}
		if f, _ := FormatOf(format); !f.Exact {
			t.Errorf("%s is not exact", format)
		}
	}
	// Without knowing the columns, too, but for a list without any item in JSON.
	in.Columns[1].Exact, in.Columns[2].Exact = false, false
	got, err := ReadParquet(bytes.NewReader(written(t, "parquet", in)))
	if err != nil || !reflect.DeepEqual(got, in) {
		t.Errorf("parquet:\n%+v\nwant\n%+v\n%v", got, in, err)
	}
}

// The only value of a row may be missing: CSV does not write it as an empty line, which readers skip.
func TestOneColumn(t *testing.T) {
	in := Table{Columns: []Column{{Name: "x", Kind: Int}}, Rows: [][]any{{nil}, {int64(1)}, {nil}}}
	if got, err := ReadCSV(bytes.NewReader(written(t, "csv", in))); err != nil || !reflect.DeepEqual(got, in) {
		t.Errorf("%+v, %v", got, err)
	}
}

// A value that is not of its column's kind is an error of the format that has kinds.
func TestWrongKind(t *testing.T) {
	f, _ := FormatOf("parquet")
	for _, in := range []Table{
		{Columns: []Column{{Name: "a", Kind: Int}}, Rows: [][]any{{"x"}}},
		{Columns: []Column{{Name: "a", Kind: Text}}, Rows: [][]any{{int64(1)}}},
		{Columns: []Column{{Name: "a", Kind: Int}}, Rows: [][]any{{0.5}}},
		{Columns: []Column{{Name: "a"}, {Name: "a"}}},
		{},
	} {
		if err := f.Write(&bytes.Buffer{}, &in); err == nil {
			t.Errorf("%+v: no error", in)
		}
	}
	whole := Table{Columns: []Column{{Name: "a", Kind: Float}}, Rows: [][]any{{int64(2)}}}
	if err := f.Write(&bytes.Buffer{}, &whole); err != nil {
		t.Error(err)
	}
}

// Measured numbers of a column have the same number of decimals.
func TestDecimals(t *testing.T) {
	for _, c := range []struct {
		in   []float64
		want string
	}{
		{[]float64{0.1, 0.25}, "0.1000 0.2500"},
		{[]float64{123.4567, 9.87654}, "123.46 9.88"},
		{[]float64{0.9, 0.00012}, "0.900000 0.000120"},
		{[]float64{0.9, 1e-9}, "0.900000 0.000000"},
		{[]float64{1234567.8, 1}, "1234567.80 1.00"},
		{[]float64{1e9, 1}, "1e+09 1"},
		{[]float64{1e-5, 2e-5}, "1e-05 2e-05"},
		{[]float64{0, 0}, "0 0"},
		{[]float64{-0.5, math.NaN()}, "-0.5000 –"},
	} {
		in := Table{Columns: []Column{{Kind: Float}}}
		for _, x := range c.in {
			in.Rows = append(in.Rows, []any{x})
		}
		if got := strings.Join(in.formatColumn(0), " "); got != c.want {
			t.Errorf("%v: %s, want %s", c.in, got, c.want)
		}
	}
}

func TestJoinAndSelect(t *testing.T) {
	a := Table{Columns: []Column{{Name: "k", Kind: Int}, {Name: "x", Kind: Int}}, Rows: [][]any{{int64(1), int64(2)}}}
	b := Table{
		Columns: []Column{{Name: "x", Kind: Float}, {Name: "s", Kind: Text}, {Name: "k", Kind: Text}},
		Rows:    [][]any{{0.5, "t", nil}},
	}
	got, err := Join(a, b)
	want := Table{
		Columns: []Column{{Name: "k", Kind: Int}, {Name: "x", Kind: Float}, {Name: "s", Kind: Text}},
		Rows:    [][]any{{int64(1), 2.0, nil}, {nil, 0.5, "t"}},
	}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%+v, %v", got, err)
	}
	if got, err = Join(b, a); err != nil || got.Columns[2].Kind != Int {
		t.Errorf("%+v, %v", got, err)
	}
	b.Rows[0][2] = "eight"
	if _, err = Join(a, b); err == nil || !strings.Contains(err.Error(), "column k holds integers in one table and text") {
		t.Error(err)
	}
	none := Table{Columns: []Column{{Name: "k", Kind: Float}}, Rows: [][]any{{nil}}}
	for _, tables := range [][]Table{{a, none, b}, {none, a, b}, {b, none, a}, {a, b, none}} {
		if got, err := Join(tables...); err == nil {
			t.Errorf("texts and numbers are in one column: %v", got.Rows)
		}
	}
	if _, err := want.Select([]string{"s", "k", "s"}); err == nil {
		t.Error("a column twice")
	}
	if _, err := want.Select([]string{"ks"}); err == nil || !strings.Contains(err.Error(), "there are k, x, s") {
		t.Error(err)
	}
	picked, err := want.Select([]string{"s", "k"})
	if err != nil || !reflect.DeepEqual(picked.Rows, [][]any{{nil, int64(1)}, {"t", nil}}) {
		t.Errorf("%+v, %v", picked, err)
	}
}

func TestSuggest(t *testing.T) {
	known := []string{"k", "nmse", "dict_size", "dead_latents", "dead_fraction", "l2_loss"}
	for name, want := range map[string]string{
		"nsme": "did you mean nmse?", "dictSize": "did you mean dict_size?",
		"dead": "did you mean dead_latents or dead_fraction?",
		"loss": "did you mean l2_loss?", "zzz": "there are k, nmse,", "": "there are k",
		strings.Repeat("n", 1000): "there are k",
	} {
		if got := suggest(name, known); !strings.HasPrefix(got, want) {
			t.Errorf("%q: %s", name, got)
		}
	}
}

func TestEscapeMarkdown(t *testing.T) {
	for in, want := range map[string]string{
		"dict_size": "dict_size", "é_1": "é_1", "__init__": `\_\_init\_\_`, "_a b_": `\_a b\_`, "a_": `a\_`,
		"$x_1$":  `\$x_1\$`,
		"[a](b)": `[a]\(b)`, "[1,2]": "[1,2]", "~~a~~": `\~\~a\~\~`, "a|b\n<c>": `a\|b \<c>`, "": "", "_": `\_`,
	} {
		if got := EscapeMarkdown(in); got != want {
			t.Errorf("%q: %s, want %s", in, got, want)
		}
	}
}
