package table

import (
	"fmt"
	"math"
	"strings"
	"testing"
)

func sample() Table {
	return Table{
		Columns: []Column{
			{Name: "k", Kind: Int}, {Name: "nmse", Kind: Float}, {Name: "status", Kind: Text}, {Name: "lr", Kind: Float},
			{Name: "lr_written", Kind: Text}, {Name: "density", Kind: Ints},
		},
		Rows: [][]any{
			{int64(8), 0.1, "completed", 1e-3, "auto", []int64{1}},
			{int64(8), 0.2, "completed", 2e-3, "0.002", nil},
			{int64(16), nil, "failed", 1e-3, "auto", nil},
			{int64(9007199254740993), 0.3, "a, b", nil, nil, nil},
			{nil, -1.0, "", 0.0, "it's \"x\"", nil},
		},
	}
}

func TestFilter(t *testing.T) {
	in := sample()
	for text, want := range map[string]string{
		"k=8": "[0 1]", "k==8": "[0 1]", " k = 8 , nmse < 0.2 ": "[0]", "k!=8": "[2 3]", "k>8": "[2 3]", "k>=8": "[0 1 2 3]",
		"k<=8.5": "[0 1]", "k<16": "[0 1]", "k=8.0": "[0 1]", "k=1_6": "[2]",
		"k=9007199254740992": "[]", "k=9007199254740993": "[3]", "k>9007199254740992": "[3]",
		"nmse=": "[2]", "nmse!=": "[0 1 3 4]", "nmse!=0.1": "[1 3 4]", "nmse<0": "[4]", "nmse>-1": "[0 1 3]",
		"nmse<1e400": "error", "nmse=NaN": "error", "nmse<inf": "error", "k=eight": "error",
		"status=completed": "[0 1]", "status!=completed": "[2 3 4]", `status="a, b"`: "[3]", `status='a, b',k>8`: "[3]",
		`status=""`: "[4]", "status=": "[]", "status^=comp": "[0 1]", "status=COMPLETED": "[]",
		`lr_written="it's ""x"""`: "[4]", "lr_written='it''s \"x\"'": "[4]", "lr_written=auto": "[0 2]", "lr=1e-3": "[0 2]",
		"lr_written!=auto": "[1 4]",
		"lr=auto":          "error", "density!=": "[0]", "density=1": "error", "k^=8": "error", "status<z": "error",
		"": "error", ",": "error", "k": "error", "k=8,": "error", "k=8,,nmse<1": "error", "=8": "error", "k<": "error",
		"k!8": "error", "k=>8": "error", "k=<8": "error", `status="a`: "error", `status="a"b`: "error", "nms=1": "error",
		"k<>8": "error", "'k'=8": "error", "k = 8 nmse < 1": "error",
	} {
		f, err := ParseFilter(text)
		got := "error"
		if err == nil {
			var rows []int
			if rows, err = f.Rows(&in); err == nil {
				got = fmt.Sprint(rows)
			}
		}
		if got != want {
			t.Errorf("%q: %s, want %s (%v)", text, got, want, err)
		}
	}
}

// Errors say where they are, and what to write instead.
func TestFilterErrors(t *testing.T) {
	in := sample()
	for text, want := range map[string][]string{
		"k=8,nsme<1":   {"character 5", "did you mean nmse?"},
		"é=1,k":        {"character 5", `"k" has no comparison`},
		"k=8, lr=auto": {"character 6", "lr_written has it as the grid does"},
		"status>a":     {"holds text, which has no >", "want =, != or ^="},
		"":             {"character 1", "want a condition such as k=8"},
		"k=8,":         {"character 5", "there is nothing"},
	} {
		f, err := ParseFilter(text)
		if err == nil {
			_, err = f.Rows(&in)
		}
		for _, part := range want {
			if err == nil || !strings.Contains(err.Error(), part) {
				t.Errorf("%q: %v, want %s", text, err, part)
			}
		}
	}
}

// Where no row is left, a hint says what to ask instead.
func TestFilterHint(t *testing.T) {
	in := sample()
	in.Columns[0].Name = "decay_start"
	in.Columns[4].Name = "decay_start_written"
	for text, want := range map[string]string{
		"decay_start=0.8":           "decay_start holds integers; decay_start_written has it as the grid does",
		"decay_start=8,nmse>7":      "",
		"decay_start=7":             "",
		"status=compl":              "status^=compl finds the texts that begin so",
		"status=done":               "the values of status are completed, failed, a, b, ",
		"nmse>9,status=done":        "the values of status are completed, failed, a, b, ",
		"nmse=0.1,nmse=0.2":         "all conditions have to hold, and nmse has one value in a row",
		"status=completed,lr>9":     "",
		"density=":                  "",
		"decay_start_written=NOTME": `the values of decay_start_written are auto, 0.002, it's "x"`,
	} {
		f, err := ParseFilter(text)
		if err != nil {
			t.Fatal(err)
		}
		if got := f.Hint(&in); got != want {
			t.Errorf("%s: %q, want %q", text, got, want)
		}
	}
	in.Rows = in.Rows[:0]
	if f, err := ParseFilter("status=x"); err != nil || f.Hint(&in) != "no row has a value of status" {
		t.Error(err)
	}
}

func FuzzFilter(f *testing.F) {
	for _, text := range []string{"k=8,nmse<0.2", `status="a, ""b"`, "k^='", "é!=,k", "k= \t8"} {
		f.Add(text)
	}
	in := sample()
	f.Fuzz(func(t *testing.T, text string) {
		filter, err := ParseFilter(text)
		if err != nil {
			return
		}
		rows, err := filter.Rows(&in)
		if err != nil {
			return
		}
		_ = filter.Hint(&in)
		// A row is in the filter if it is in each of its conditions.
		for i := range in.Rows {
			inAll := true
			for _, c := range filter {
				one, err := Filter{c}.Rows(&in)
				if err != nil {
					t.Fatal(err)
				}
				inAll = inAll && strings.Contains(fmt.Sprint(one, " "), fmt.Sprint(i))
			}
			if inAll != strings.Contains(fmt.Sprint(rows), fmt.Sprint(i)) {
				t.Fatalf("%q: row %d, %v", text, i, rows)
			}
		}
	})
}

func TestOrder(t *testing.T) {
	in := sample()
	for by, want := range map[string]string{
		"k": "[0 1 2 3 4]", "-k": "[3 2 0 1 4]", "nmse": "[4 0 1 3 2]", "-nmse": "[3 1 0 4 2]", "status": "[4 3 0 1 2]",
		"density": "[0 1 2 3 4]",
	} {
		if got, err := in.Order(by); err != nil || fmt.Sprint(got) != want {
			t.Errorf("%s: %v, want %s, %v", by, got, want, err)
		}
	}
	if _, err := in.Order("--k"); err == nil {
		t.Error("--k")
	}
	in.Rows[0][1] = math.NaN() // is as no value
	if got, err := in.Order("nmse"); err != nil || fmt.Sprint(got) != "[4 1 3 0 2]" {
		t.Errorf("%v, %v", got, err)
	}
}
