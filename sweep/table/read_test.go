package table

import (
	"bytes"
	"fmt"
	"math"
	"os"
	"reflect"
	"runtime"
	"strings"
	"testing"

	"github.com/parquet-go/parquet-go"
)

func TestReadCSV(t *testing.T) {
	for text, want := range map[string]struct {
		kind   Kind
		values []any
	}{
		"x\n1\n\"\"\n-2\n":             {Int, []any{int64(1), nil, int64(-2)}},
		"\xEF\xBB\xBFx\r\n1\r\n":       {Int, []any{int64(1)}},
		"x\n1\n2.5\n":                  {Float, []any{1.0, 2.5}},
		"x\n8.0\n\"\"\n":               {Int, []any{int64(8), nil}},
		"x\n1e3\nNaN\n-inf\n":          {Float, []any{1000.0, nil, nil}},
		"x\nNaN\nNaN\n":                {Text, []any{"NaN", "NaN"}},
		"x\n007\n1\n":                  {Text, []any{"007", "1"}},
		"x\n00112233445566778899\n":    {Text, []any{"00112233445566778899"}},
		"x\n0x10\n":                    {Text, []any{"0x10"}},
		"x\n1_000\n":                   {Text, []any{"1_000"}},
		"x\n0\n-0.5\n0.25\n":           {Float, []any{0.0, -0.5, 0.25}},
		"x\n\"[1,2]\"\n[]\n\"\"\n":     {Ints, []any{[]int64{1, 2}, []int64{}, nil}},
		"x\n[1.5]\n":                   {Text, []any{"[1.5]"}},
		"x\n\"[1,null]\"\n":            {Text, []any{"[1,null]"}},
		"x\n9223372036854775808\n":     {Float, []any{9223372036854775808.0}},
		"cell\n12345678901234567890\n": {Text, []any{"12345678901234567890"}}, // a known column
		"lr\n1\n":                      {Float, []any{1.0}},
		"lr\nauto\n":                   {Text, []any{"auto"}},
		"x\n":                          {Text, nil},
	} {
		got, err := ReadCSV(strings.NewReader(text), Column{Name: "cell", Kind: Text}, Column{Name: "lr", Kind: Float})
		var values []any
		for _, row := range got.Rows {
			values = append(values, row...)
		}
		if err != nil || got.Columns[0].Kind != want.kind || !reflect.DeepEqual(values, want.values) {
			t.Errorf("%q: %+v, %v, want %v, %v", text, got, err, want.kind, want.values)
		}
	}
	byHand, err := ReadCSV(strings.NewReader("k, dict_size, name\n8, 512, \" a\"\n"))
	if want := []any{int64(8), int64(512), " a"}; err != nil || byHand.Index("dict_size") != 1 ||
		!reflect.DeepEqual(byHand.Rows[0], want) {
		t.Errorf("by hand: %+v, %v", byHand, err)
	}
	for text, want := range map[string]string{
		"": "no line of column names", "a,a\n": "two columns", "a,b\n1\n": "line 2", "a\n\"x": "line 2",
		"\xEF\xBB\xBFcell;x\r\na;0,5\r\n": "semicolons", "x\tlr\n1\t2\n": "tabs", "\xFF\xFEx\x00\n\x00": "UTF-8",
	} {
		_, err := ReadCSV(strings.NewReader(text), Column{Name: "cell"}, Column{Name: "lr", Kind: Float})
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %s", text, err, want)
		}
	}
}

func TestReadJSON(t *testing.T) {
	want := Table{
		Columns: []Column{{Name: "k", Kind: Int}, {Name: "x", Kind: Float}, {Name: "s", Kind: Text}, {Name: "l", Kind: Ints}},
		Rows:    [][]any{{int64(1), 0.5, "a", nil}, {nil, 2.0, nil, []int64{1}}, {int64(0), nil, "", []int64{}}},
	}
	for _, text := range []string{
		`[{"k":true,"x":0.5,"s":"a"},{"x":2,"l":[1]},{"k":false,"x":null,"s":"","l":[]}]`,
		"{\"k\":1,\"x\":0.5,\"s\":\"a\"}\n\n {\"x\":2.0,\"l\":[1]}\r\n{\"k\":0.0,\"s\":\"\",\"l\":[]}",
	} {
		if got, err := ReadJSON(strings.NewReader(text)); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %+v, %v", text, got, err)
		}
	}
	for _, text := range []string{
		"", " ", "1", "[1]", "[{}", `{"a":1`, `{"a":{}}`, `{"a":[0.5]}`, `{"a":[[1]]}`, `{"a":1}{"a":"x"}`, `{"a":1e999}`,
		`{"a":1,"a":2}`, `[{"a":1}] x`, `[{"a":1}]{"a":1}`, "null", `{"a" 1}`,
	} {
		if got, err := ReadJSON(strings.NewReader(text)); err == nil {
			t.Errorf("%s: %+v", text, got)
		}
	}
}

// A column that is known to hold integers, or numbers, has them if the values allow it.
func TestKnownKinds(t *testing.T) {
	in := Table{
		Columns: []Column{
			{Name: "a", Kind: Float}, {Name: "b", Kind: Float}, {Name: "c", Kind: Int}, {Name: "d", Kind: Text},
		},
		Rows: [][]any{{8.0, 8.5, int64(1), "1"}, {nil, 1.0, nil, nil}},
	}
	known := []Column{
		{Name: "a", Kind: Int, Unit: "u", Exact: true}, {Name: "b", Kind: Int}, {Name: "c", Kind: Float},
		{Name: "d", Kind: Int},
	}
	got, err := ReadParquet(bytes.NewReader(written(t, "parquet", in)), known...)
	want := Table{
		Columns: []Column{known[0], {Name: "b", Kind: Float}, {Name: "c", Kind: Float}, {Name: "d", Kind: Text}},
		Rows:    [][]any{{int64(8), 8.5, 1.0, "1"}, {nil, 1.0, nil, nil}},
	}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%+v, %v, want\n%+v", got, err, want)
	}
}

// Integers without a sign are read as what they are. What would be read as other numbers is refused.
func TestParquetTypes(t *testing.T) {
	file := func(node parquet.Node, v parquet.Value) []byte {
		var b bytes.Buffer
		w := parquet.NewWriter(&b, parquet.NewSchema("table", parquet.Group{"x": node}))
		if _, err := w.WriteRows([]parquet.Row{{v.Level(0, 0, 0)}}); err != nil {
			t.Fatal(err)
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		return b.Bytes()
	}
	for _, c := range []struct {
		node parquet.Node
		v    parquet.Value
		want any // a value, or an error
	}{
		{parquet.Uint(8), parquet.Int32Value(200), int64(200)},
		{parquet.Uint(32), parquet.Int32Value(-1), int64(math.MaxUint32)},
		{parquet.Int(32), parquet.Int32Value(-1), int64(-1)},
		{parquet.Uint(64), parquet.Int64Value(math.MaxInt64), int64(math.MaxInt64)},
		{parquet.Uint(64), parquet.Int64Value(-1), "row 0: 18446744073709551615 is over 9223372036854775807"},
		{parquet.Int(64), parquet.Int64Value(-1), int64(-1)},
		{parquet.Decimal(2, 5, parquet.Int32Type), parquet.Int32Value(50), "column x: decimal numbers"},
		{parquet.Decimal(2, 15, parquet.Int64Type), parquet.Int64Value(50), "column x: decimal numbers"},
		{
			parquet.Decimal(2, 4, parquet.FixedLenByteArrayType(2)), parquet.FixedLenByteArrayValue([]byte("ab")),
			"column x: decimal numbers",
		},
		{
			parquet.Leaf(parquet.FixedLenByteArrayType(2)), parquet.FixedLenByteArrayValue([]byte("ab")),
			"column x: values of a fixed number of bytes",
		},
	} {
		got, err := ReadParquet(bytes.NewReader(file(c.node, c.v)))
		if want, ok := c.want.(string); ok {
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%s: %v, %v, want %s", c.node, got.Rows, err, want)
			}
		} else if err != nil || got.Columns[0].Kind != Int || got.Rows[0][0] != c.want {
			t.Errorf("%s: %v, %v, want %v", c.node, got, err, c.want)
		}
	}
}

// Known texts that look like numbers are texts, and lists are refused where none is meant.
func TestConform(t *testing.T) {
	known := []Column{{Name: "cell", Kind: Text}, {Name: "k", Kind: Int}, {Name: "density", Kind: Ints}}
	in, err := ReadJSON(strings.NewReader(`[{"cell":12,"k":"a","density":[1],"l":[1]},{"cell":null}]`), known...)
	if err == nil {
		err = in.Conform(known)
	}
	want := [][]any{{"12", "a", []int64{1}, []int64{1}}, {nil, nil, nil, nil}}
	if err != nil || !reflect.DeepEqual(in.Rows, want) || in.Columns[0] != known[0] {
		t.Errorf("%+v, %v", in, err)
	}
	if in, err = ReadJSON(strings.NewReader(`[{"k":[1]},{"k":null}]`), known...); err != nil {
		t.Fatal(err)
	}
	if err := in.Conform(known); err == nil || !strings.Contains(err.Error(), "k holds lists of integers, want integers") {
		t.Error(err)
	}
}

// A file of another kind, a torn one and one with a flipped byte are errors or tables, and no panics.
func TestDamagedParquet(t *testing.T) {
	whole := written(t, "parquet", awkward())
	for n := range whole {
		if _, err := ReadParquet(bytes.NewReader(whole[:n])); err == nil {
			t.Errorf("the first %d of %d bytes: no error", n, len(whole))
		}
		damaged := bytes.Clone(whole)
		damaged[n] ^= 0xff
		_, _ = ReadParquet(bytes.NewReader(damaged))
	}
	_, err := ReadParquet(strings.NewReader("a,b\n1,2\n3,4\n5,6\n"))
	if err == nil || !strings.Contains(err.Error(), "not a Parquet file") {
		t.Error(err)
	}
}

// zeros is a reader of endless zeros, or of another byte.
type zeros byte

func (z zeros) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = byte(z)
	}
	return len(p), nil
}

// No input takes all memory: endless ones end with an error.
func TestEndless(t *testing.T) {
	if testing.Short() {
		t.Skip("reads a quarter of a gigabyte")
	}
	for name, read := range map[string]func() error{
		"csv of empty fields": func() error {
			_, err := ReadCSV(strings.NewReader("a,b\n" + strings.Repeat(",\n", MaxValues/2+1)))
			return err
		},
		"json of empty objects": func() error {
			_, err := ReadJSON(strings.NewReader(`{"a":1}` + strings.Repeat("{}", MaxValues+1)))
			return err
		},
		"csv of one line":  func() error { _, err := ReadCSV(zeros(',')); return err },
		"csv of one field": func() error { _, err := ReadCSV(zeros('"')); return err },
		"csv of columns": func() error {
			_, err := ReadCSV(strings.NewReader(strings.Repeat(",", maxColumns)))
			return err
		},
		"json of columns": func() error {
			var b strings.Builder
			for i := range maxColumns + 1 {
				fmt.Fprintf(&b, "{\"%d\":1}\n", i)
			}
			_, err := ReadJSON(strings.NewReader(b.String()))
			return err
		},
		"json of blanks": func() error { _, err := ReadJSON(zeros(' ')); return err },
		"parquet":        func() error { _, err := ReadParquet(zeros('P')); return err },
	} {
		if err := read(); err == nil || !strings.Contains(err.Error(), "more than") {
			t.Errorf("%s: %v", name, err)
		}
		runtime.GC()
	}
}

func FuzzReadCSV(f *testing.F) {
	addGoldens(f, "csv")
	f.Add([]byte("\n\xff\xfe"))
	f.Fuzz(func(t *testing.T, b []byte) {
		got, err := ReadCSV(bytes.NewReader(b), awkward().Columns...)
		if err == nil {
			again(t, "csv", got, func(b []byte) (Table, error) { return ReadCSV(bytes.NewReader(b), got.Columns...) })
		}
	})
}

func FuzzReadJSON(f *testing.F) {
	addGoldens(f, "jsonl")
	addGoldens(f, "json")
	f.Fuzz(func(t *testing.T, b []byte) {
		got, err := ReadJSON(bytes.NewReader(b), awkward().Columns...)
		if err == nil && len(got.Columns) > 0 {
			again(t, "jsonl", got, func(b []byte) (Table, error) { return ReadJSON(bytes.NewReader(b), got.Columns...) })
		}
	})
}

func FuzzReadParquet(f *testing.F) {
	addGoldens(f, "parquet")
	f.Fuzz(func(t *testing.T, b []byte) {
		got, err := ReadParquet(bytes.NewReader(b))
		if err == nil {
			again(t, "parquet", got, func(b []byte) (Table, error) { return ReadParquet(bytes.NewReader(b)) })
		}
	})
}

func addGoldens(f *testing.F, extension string) {
	for _, name := range []string{"awkward", "none", "one"} {
		b, err := os.ReadFile("testdata/" + name + "." + extension)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
}

// again checks that what was read, and is of the kinds that its columns have, is written and reads as the same.
func again(t *testing.T, format string, in Table, read func(b []byte) (Table, error)) {
	for _, row := range in.Rows {
		for j, v := range row {
			kind, ok := in.Columns[j].Kind, v == nil
			switch x := v.(type) {
			case string:
				ok = kind == Text
			case int64:
				ok = kind == Int
			case float64:
				ok = kind == Float && finite(x) != nil
			case []int64:
				ok = kind == Ints && x != nil
			}
			if !ok {
				t.Fatalf("%T in column %q of %s", v, in.Columns[j].Name, kind)
			}
		}
	}
	f, err := FormatOf(format)
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	if err := f.Write(&b, &in); err != nil {
		t.Fatal(err)
	}
	text := bytes.Clone(b.Bytes())
	out, err := read(text)
	if err != nil {
		t.Fatalf("%v in what was written: %q", err, text)
	}
	b.Reset()
	if err := f.Write(&b, &out); err != nil || !bytes.Equal(b.Bytes(), text) {
		t.Fatalf("%v: %q is written as %q", err, text, b.Bytes())
	}
}
