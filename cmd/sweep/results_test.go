package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/topksweep/sweep/sweep/report"
	"github.com/topksweep/sweep/sweep/table"
)

// seedsGrid has six cells: two settings with two seeds each, and two more with one seed.
const seedsGrid = `name: seeds
data: {synthetic: {activation_dim: 8, directions: 16, tokens: 4000, active: 2}}
parameters: {k: [2, 3], dict_size: [16, 32], seed: [0, 1]}
exclude: [{k: 3, dict_size: 32, seed: 1}, {k: 2, dict_size: 32, seed: 1}]
train: {steps: 60, batch_size: 64, lr: 0.003, dead_feature_threshold: 640}
`

// Two sweeps that are trained alike give equal bytes in every format, with --reproducible where the format has times.
func TestEqualSweeps(t *testing.T) {
	t.Setenv("SWEEP_CPU", "portable")
	a, b := t.TempDir(), t.TempDir()
	g := writeGrid(t, seedsGrid)
	for _, dir := range []string{a, b} {
		mustRun(t, dir, "run", g, "--no-ui")
	}
	for _, f := range table.Formats() {
		for _, args := range [][]string{
			{"results", "seeds", "--reproducible"}, {"results", "seeds", "--reproducible", "--all-columns"},
			{"results", "seeds", "--reproducible", "--group-by", "k,dict_size"},
			{"results", "seeds", "--pivot", "k,dict_size"}, {"curves", "seeds"},
		} {
			if args[0] == "curves" && (!f.Exact || f.Name == "table") {
				continue
			}
			args = append(args, "-o", f.Name)
			first, second := mustRun(t, a, args...), mustRun(t, b, args...)
			if first != second || len(first) < 50 {
				t.Errorf("sweep %s: two equal sweeps differ\n%s\n%s", strings.Join(args, " "), first, second)
			}
		}
		// The store has a file of each format, which holds what the verb prints.
		files, err := filepath.Glob(filepath.Join(a, "store", "sweeps", "seeds-*", "results", "results."+f.Extension))
		if err != nil || len(files) != 1 {
			t.Fatalf("%s: %v, %v", f.Name, files, err)
		}
		stored, err := os.ReadFile(files[0])
		if err != nil || string(stored) != mustRun(t, a, "results", "seeds", "-o", f.Name) {
			t.Errorf("%s differs from what is printed, %v", files[0], err)
		}
	}
	// All columns that do not vary are there, and no other.
	text := mustRun(t, a, "results", "seeds", "--reproducible", "-o", "csv")
	header, _, _ := strings.Cut(text, "\n")
	for _, c := range report.Columns() {
		if strings.Contains(","+header+",", ","+c.Name+",") == c.Varies {
			t.Errorf("%s: %v in %s", c.Name, c.Varies, header)
		}
	}
}

// Results of several sweeps and of files are one table, which can be filtered, sorted, grouped and written.
func TestResultsOfSeveral(t *testing.T) {
	t.Setenv("SWEEP_CPU", "portable")
	dir := t.TempDir()
	mustRun(t, dir, "run", writeGrid(t, seedsGrid), "--no-ui")
	more := changed(t, changed(t, seedsGrid, "name: seeds", "name: more"), "k: [2, 3]", "k: [3, 4]")
	mustRun(t, dir, "run", writeGrid(t, changed(t, more, "k: 2, dict_size: 32", "k: 4, dict_size: 32")), "--no-ui")

	read := func(text string) table.Table {
		t.Helper()
		got, err := table.ReadCSV(strings.NewReader(text), report.Schema()...)
		if err != nil {
			t.Fatal(err)
		}
		return got
	}
	all := read(mustRun(t, dir, "results", "seeds", "more", "-o", "csv"))
	if len(all.Rows) != 12 {
		t.Fatalf("%d rows", len(all.Rows))
	}
	cells := map[any]int{}
	for i := range all.Rows {
		cells[all.Value(i, "cell")]++
	}
	if len(cells) != 9 { // three of each sweep's six cells are the same
		t.Errorf("%d cells", len(cells))
	}
	// A table says which sweep a row is of, and shows the keys that vary over all.
	text := mustRun(t, dir, "results", "seeds", "more")
	if !strings.Contains(text, "sweep") || !strings.Contains(text, "seeds-") {
		t.Errorf("no column sweep:\n%s", text)
	}
	named := mustRun(t, dir, "results", "seeds", "--columns", " cell, k", "-o", "csv")
	if !strings.HasPrefix(named, "cell,k\n") {
		t.Errorf("names with spaces: %s", named)
	}
	// A cell that both have counts once.
	groups := read(mustRun(t, dir, "results", "seeds", "more", "--group-by", "k,dict_size", "-o", "csv"))
	if len(groups.Rows) != 6 {
		t.Errorf("%v", groups.Rows)
	}
	for i := range groups.Rows {
		if n := groups.Value(i, "runs"); n != int64(2) && groups.Value(i, "dict_size") == int64(16) || n == int64(0) {
			t.Errorf("%v", groups.Rows[i])
		}
	}
	// Files hold what the store holds.
	for _, format := range []string{"csv", "json", "jsonl", "parquet"} {
		file := filepath.Join(t.TempDir(), "all."+format)
		mustRun(t, dir, "results", "seeds", "more", "--out", file)
		args := []string{"results", file, "--where", "k<4,status=completed", "--sort", "-nmse", "-o", "csv"}
		got, want := mustRun(t, dir, args...), mustRun(t, dir, append([]string{"results", "seeds", "more"}, args[2:]...)...)
		if got != want {
			t.Errorf("%s:\n%s\nwant\n%s", format, got, want)
		}
		got = mustRun(t, dir, "results", file, "--group-by", "k,dict_size", "-o", "md")
		if want = mustRun(t, dir, "results", "seeds", "more", "--group-by", "k,dict_size", "-o", "md"); got != want {
			t.Errorf("%s:\n%s\nwant\n%s", format, got, want)
		}
		curves := filepath.Join(t.TempDir(), "curves."+format)
		mustRun(t, dir, "curves", "seeds", "--out", curves)
		got = mustRun(t, dir, "curves", curves, "--where", "nmse!=", "-o", "csv")
		if want = mustRun(t, dir, "curves", "seeds", "--where", "nmse!=", "-o", "csv"); got != want {
			t.Errorf("curves as %s:\n%s\nwant\n%s", format, got, want)
		}
	}
	testCurves(t, dir, read)
	curves := filepath.Join(t.TempDir(), "curves.csv")
	mustRun(t, dir, "curves", "seeds", "--out", curves)
	lists := filepath.Join(t.TempDir(), "lists.json")
	if err := os.WriteFile(lists, []byte(`[{"cell":[1],"k":1}]`), 0o644); err != nil {
		t.Fatal(err)
	}
	// A bad flag is the user's mistake, and nothing is printed.
	for args, want := range map[string]string{
		"seeds --where nsme<1":                      "did you mean nmse?",
		"seeds --where k":                           "has no comparison",
		"seeds --where k=8 --where kk=1":            "character 5: no column",
		"seeds --sort nmsee":                        "did you mean nmse?",
		"seeds --columns cell,k,nmsee":              "did you mean nmse?",
		"seeds --columns k,k":                       "named twice",
		"seeds --group-by k":                        "differ in dict_size",
		"seeds --group-by k --over seed,dict_siz":   "did you mean dict_size?",
		"seeds --group-by k,dict_size --value cell": "holds text",
		"seeds --pivot k":                           "want two columns",
		"seeds --pivot k,k":                         "for rows and for columns",
		"seeds --pivot k,dict_size --value nmse,l0": "has one",
		"seeds --pivot k,dict_size --group-by k":    "want one of them",
		"seeds --group-by=":                         "no column is named",
		"seeds --columns cell,mcc":                  "the flag --mcc computes",
		"seeds --sort -mcc":                         "the flag --mcc computes",
		"seeds --reproducible --sort wall_seconds":  "which differs between equal sweeps",
		"seeds --reproducible --where device=x":     "that differ between equal sweeps",
		"CURVES":                                    "sweep curves prints it",
		"LISTS":                                     "cell holds lists of integers, want text",
		"results_test.go":                           "those that end with .csv",
		"seeds --value nmse":                        "goes with",
		"seeds seeds":                               "given twice",
		"seeds -o xml":                              "want one of",
		"seeds --out x.doc":                         "the ending says no format",
		"nothing.csv":                               "no such file",
		"nothing":                                   "nothing",
	} {
		args = strings.NewReplacer("CURVES", curves, "LISTS", lists).Replace(args)
		p := startProgram(t, dir, append([]string{"results"}, strings.Fields(args)...)...)
		status := p.exitStatus(t)
		if status != exitBadInput || !strings.Contains(p.err.String(), want) || p.out.Len() > 0 {
			t.Errorf("%s: status %d\n%s%s", args, status, p.out.String(), p.err.String())
		}
	}
	// No row is left: that is no error, and is said.
	p := startProgram(t, dir, "results", "seeds", "--where", "k=99", "-o", "csv")
	if p.exitStatus(t) != exitOK || !strings.Contains(p.err.String(), "none of 6 rows") ||
		bytes.Count(p.out.Bytes(), []byte("\n")) != 1 {
		t.Errorf("%s%s", p.out.String(), p.err.String())
	}
}

// No binary format is written on a terminal, and nothing is trained before it is refused.
func TestBinaryOnTerminal(t *testing.T) {
	for _, args := range []string{
		"results x -o parquet", "curves x -o parquet", "run x -o parquet", "submit x -o parquet", "extend x y -o parquet",
		"retry x -o parquet",
	} {
		var out, messages bytes.Buffer
		env := &environment{out: &out, errOut: &messages, outTTY: true}
		status := execute(t.Context(), env, strings.Fields(args+" --dir "+t.TempDir()))
		refused := strings.Contains(messages.String(), "-o parquet is not for a terminal")
		if status != exitBadInput || out.Len() > 0 || !refused {
			t.Errorf("%s: status %d\n%s%s", args, status, out.String(), messages.String())
		}
	}
}

// testCurves checks the curves of the sweep seeds against its results, with a curve that is gone and a damaged one.
func testCurves(t *testing.T, dir string, read func(text string) table.Table) {
	results, curves := read(mustRun(t, dir, "results", "seeds", "-o", "csv")), read(mustRun(t, dir, "curves", "seeds"))
	for i, c := range report.CurveColumns() {
		if i >= len(curves.Columns) || curves.Columns[i].Name != c.Name || curves.Columns[i].Kind != c.Kind {
			t.Errorf("column %d is not %s, %s", i, c.Name, c.Kind)
		}
	}
	last := map[any]int{}
	for i := range curves.Rows {
		last[curves.Value(i, "cell")] = i
	}
	for i := range results.Rows {
		end, ok := last[results.Value(i, "cell")]
		for curve, result := range map[string]string{
			"step": "steps", "tokens": "tokens", "flops": "flops", "nmse": "nmse", "k": "k", "dict_size": "dict_size",
			"seed": "seed", "dead_latents": "dead_latents", "sweep": "sweep",
		} {
			if got, want := curves.Value(end, curve), results.Value(i, result); !ok || got == nil || got != want {
				t.Errorf("at the end of run %d %s is %v, want %v", i, curve, got, want)
			}
		}
		if results.Value(i, "flops_executed") == nil {
			t.Errorf("run %d has no flops_executed", i)
		}
	}
	gone := filepath.Join(dir, "store", results.Value(0, "curve_path").(string))
	damaged := filepath.Join(dir, "store", results.Value(1, "curve_path").(string))
	if err := os.Remove(gone); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(damaged, []byte("[{"), 0o644); err != nil {
		t.Fatal(err)
	}
	p := startProgram(t, dir, "curves", "seeds")
	if p.exitStatus(t) != exitOK || !strings.Contains(p.err.String(), "has no curve in the store") ||
		!strings.Contains(p.err.String(), "is damaged") {
		t.Errorf("%s", p.err.String())
	}
	left := map[any]bool{}
	rest := read(p.out.String())
	for i := range rest.Rows {
		left[rest.Value(i, "cell")] = true
	}
	if len(left) != len(results.Rows)-2 {
		t.Errorf("%d curves are left", len(left))
	}
}
