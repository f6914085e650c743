package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/topksweep/sweep/sweep/report"
	"github.com/topksweep/sweep/sweep/table"
)

// What a file says of cells is joined to their rows, in each format that is read, and goes through all flags and
// formats.
func TestJoin(t *testing.T) {
	t.Setenv("SWEEP_CPU", "portable")
	dir := t.TempDir()
	mustRun(t, dir, "run", writeGrid(t, seedsGrid), "--no-ui")
	csvOf := func(args ...string) table.Table {
		t.Helper()
		got, err := table.ReadCSV(strings.NewReader(mustRun(t, dir, append(args, "-o", "csv")...)), report.Schema()...)
		if err != nil {
			t.Fatal(err)
		}
		return got
	}
	all := csvOf("results", "seeds")
	var lines, objects []string
	for i := range all.Rows[:5] {
		cell := table.Print(all.Value(i, "cell"))
		lines = append(lines, cell+",x-1,"+table.Print(int64(i))+`.5,"a|<&b"`)
		objects = append(objects, `{"cell":"`+cell+`","sweep":"x-1","ce_loss":`+table.Print(int64(i))+`.5,"file":"a|<&b"}`)
	}
	files := t.TempDir()
	write := func(name, content string) string {
		t.Helper()
		path := filepath.Join(files, name)
		if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
		return path
	}
	loss := write("loss.csv", "cell,sweep,ce_loss,file\n"+strings.Join(lines, "\n")+"\n")
	want := mustRun(t, dir, "results", "seeds", "--join", loss, "-o", "csv")
	for name, content := range map[string]string{
		"loss.json": "[" + strings.Join(objects, ",") + "]", "loss.jsonl": strings.Join(objects, "\n"),
	} {
		if got := mustRun(t, dir, "results", "seeds", "--join", write(name, content), "-o", "csv"); got != want {
			t.Errorf("%s:\n%s\nwant\n%s", name, got, want)
		}
	}
	joined := csvOf("results", "seeds", "--join", loss)
	for i := range joined.Rows {
		v, ok := joined.Number(i, "ce_loss")
		if ok != (i < 5) || ok && v != float64(i)+0.5 || joined.Value(i, "cell") != all.Value(i, "cell") {
			t.Errorf("row %d: %v", i, joined.Rows[i])
		}
	}
	parquet := filepath.Join(files, "joined.parquet")
	mustRun(t, dir, "results", "seeds", "--join", loss, "--out", parquet)
	if got := mustRun(t, dir, "results", parquet, "-o", "csv"); got != want {
		t.Errorf("through Parquet:\n%s\nwant\n%s", got, want)
	}
	// What both have is compared, and stays once.
	more := write("more.csv", "cell,extra\n"+table.Print(all.Value(1, "cell"))+",7\n")
	got := mustRun(t, dir, "results", "seeds", "--join", parquet, "--join", more, "--columns", "cell,ce_loss,extra",
		"-o", "csv")
	if strings.Count(got, "ce_loss") != 1 || !strings.Contains(got, ",1.5,7\n") || !strings.Contains(got, ",0.5,\n") {
		t.Errorf("two files:\n%s", got)
	}
	sorted := csvOf("results", "seeds", "--join", loss, "--where", "ce_loss>1", "--sort", "-ce_loss")
	if len(sorted.Rows) != 4 || sorted.Value(0, "ce_loss") != 4.5 || sorted.Value(3, "ce_loss") != 1.5 {
		t.Errorf("%v", sorted.Rows)
	}
	means := csvOf("results", "seeds", "--join", loss, "--group-by", "k,dict_size", "--value", "ce_loss")
	if means.Index("ce_loss_mean") < 0 || means.Value(0, "ce_loss_mean") == nil {
		t.Errorf("%v", means)
	}
	// A table has the numbers, and the texts when they are asked for.
	text := mustRun(t, dir, "results", "seeds", "--join", loss)
	if !strings.Contains(text, "ce_loss") || strings.Contains(text, "file") {
		t.Errorf("%s", text)
	}
	for _, more := range [][]string{{"--all-columns"}, {"--columns", "cell,file"}} {
		args := append([]string{"results", "seeds", "--join", loss}, more...)
		if text := mustRun(t, dir, args...); !strings.Contains(text, "a|<&b") {
			t.Errorf("%v:\n%s", more, text)
		}
	}
	unknown := write("unknown.csv", "cell,x\nnone,1\n"+table.Print(all.Value(0, "cell"))+",2\n")
	p := startProgram(t, dir, "results", "seeds", "--join", unknown)
	if status := p.exitStatus(t); status != 0 || !strings.Contains(p.err.String(), "1 of 2 rows are about cells that") {
		t.Errorf("status %d\n%s", status, p.err.String())
	}
	testJoinErrors(t, dir, write, table.Print(all.Value(0, "cell")))
}

// testJoinErrors checks that a file that cannot be joined is the user's mistake, and nothing is printed.
func testJoinErrors(t *testing.T, dir string, write func(name, content string) string, cell string) {
	for content, want := range map[string]string{
		"k,x\n1,2\n": `no column "cell"`,
		"cell,x\n" + cell + ",1\n" + cell + ",2\n": "rows 1 and 2 have the same cell",
		"cell,x\n,1\n":                      "row 1 has no cell",
		"cell,x\n" + cell[:10] + ",1\n":     "the column cell needs whole IDs",
		"cell,tokens,x\n" + cell + ",1,1\n": "column tokens is there already, with another value",
		"cell\n" + cell + "\n":              "no column that is not there already",
		"cell,x\n" + cell + "\n":            "wrong number of fields",
		"":                                  "no line of column names",
	} {
		bad := write("bad.csv", content)
		p := startProgram(t, dir, "results", "seeds", "--join", bad)
		status := p.exitStatus(t)
		err := p.err.String()
		if status != exitBadInput || p.out.Len() > 0 || !strings.Contains(err, want) ||
			!strings.Contains(err, "--join") || !strings.Contains(err, bad) {
			t.Errorf("%q: status %d, want %s\n%s%s", content, status, want, p.out.String(), err)
		}
	}
	for file, want := range map[string]string{"nowhere.csv": "--join: open nowhere.csv", "x.txt": "that ends with .csv"} {
		p := startProgram(t, dir, "results", "seeds", "--join", file)
		if status := p.exitStatus(t); status != exitBadInput || !strings.Contains(p.err.String(), want) {
			t.Errorf("status %d\n%s", status, p.err.String())
		}
	}
}
