package table

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// pandas and pyarrow read the files that this package writes, with all values, types, units and docs; and this package
// reads what they write. The interpreter is that of the environment variable SWEEP_TEST_PYTHON.
func TestPython(t *testing.T) {
	python := os.Getenv("SWEEP_TEST_PYTHON")
	if python == "" {
		t.Skip("SWEEP_TEST_PYTHON names no interpreter with pandas and pyarrow")
	}
	dir, in := t.TempDir(), awkward()
	for _, f := range Formats() {
		if f.Exact {
			file := filepath.Join(dir, "awkward."+f.Extension)
			if err := os.WriteFile(file, written(t, f.Name, in), 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
	c := exec.CommandContext(t.Context(), python, "testdata/read.py", dir)
	if out, err := c.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for _, name := range []string{"pandas.csv", "pandas.parquet", "zstd.parquet", "pandas.jsonl", "pandas.json"} {
		f, err := os.Open(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		var got Table
		switch filepath.Ext(name) {
		case ".csv":
			got, err = ReadCSV(f, in.Columns...)
		case ".parquet":
			got, err = ReadParquet(f, in.Columns...)
		default:
			got, err = ReadJSON(f, in.Columns...)
		}
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		for i, row := range in.Rows {
			for _, column := range []string{"cell", "k", "lr", "nmse", "l2_loss^2"} {
				v, want := got.Value(i, column), row[in.Index(column)]
				if filepath.Ext(name) == ".json" || filepath.Ext(name) == ".jsonl" { // pandas writes few digits there
					v, want = v == nil, want == nil
				}
				if column == "k" { // pandas holds integers as numbers where one is missing
					v, want = convert(v, Float), convert(want, Float)
				}
				if v != want {
					t.Errorf("%s: %s of row %d is %v, want %v", name, column, i, v, want)
				}
			}
		}
	}
}
