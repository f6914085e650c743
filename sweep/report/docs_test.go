package report

import (
	"bytes"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/topksweep/sweep/sweep/goldentest"
	"github.com/topksweep/sweep/sweep/table"
)

// TestDoc checks that the tables of docs/results.md list every format and every column.
func TestDoc(t *testing.T) {
	formats := "| `-o` | file | what it is |\n|---|---|---|\n"
	for _, f := range table.Formats() {
		formats += fmt.Sprintf("| `%s` | `results.%s` | %s |\n", f.Name, f.Extension, f.Doc)
	}
	columns, curves := columnsDoc(), "| column | what it is |\n|---|---|\n"
	for _, c := range CurveColumns() {
		curves += fmt.Sprintf("| `%s` | %s |\n", c.Name, c.Doc)
	}
	goldentest.CheckTables(t, "../../docs/results.md", map[string]string{
		"formats": formats, "columns": columns, "units": unitsDoc(), "curves": curves, "means": meansDoc(t),
		"evaluation": evaluationDoc(),
	})
}

// evaluationDoc lists the columns of evaluations.
func evaluationDoc() string {
	doc := "| column | what it is | in tables |\n|---|---|---|\n"
	for _, c := range evaluationColumns() {
		shown := ""
		if c.shown {
			shown = "yes"
		}
		if !slices.ContainsFunc(metricColumns(), func(m Column) bool { return m.Name == c.Name }) {
			doc += fmt.Sprintf("| `%s` | %s | %s |\n", c.Name, c.Doc, shown)
		} else if shown != "" {
			doc += fmt.Sprintf("| `%s` | as above | %s |\n", c.Name, shown)
		}
	}
	return doc + "| | the other metrics, as above | |\n"
}

// meansDoc is a command and what it prints.
func meansDoc(t *testing.T) string {
	const file, where = "examples/scaling/results.parquet", "dict_size=256"
	b, err := os.ReadFile("../../" + file)
	if err != nil {
		t.Fatal(err)
	}
	results, err := table.ReadParquet(bytes.NewReader(b), Schema()...)
	if err != nil {
		t.Fatal(err)
	}
	filter, err := table.ParseFilter(where)
	if err != nil {
		t.Fatal(err)
	}
	rows, err := filter.Rows(&results)
	if err != nil {
		t.Fatal(err)
	}
	results = results.Pick(rows)
	means, err := results.Group([]string{"k", "dict_size"}, []string{"nmse"}, Grouping([]string{"seed"}))
	if err != nil {
		t.Fatal(err)
	}
	f, err := table.FormatOf("table")
	if err != nil {
		t.Fatal(err)
	}
	var printed bytes.Buffer
	if err := f.Write(&printed, &means); err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("```\n$ sweep results %s --where %s --group-by k,dict_size --value nmse\n%s```\n",
		file, where, &printed)
}

// columnsDoc lists every column of the results, in the order of the tables, with what a reader needs to know of it.
func columnsDoc() string {
	doc := "| column | what it is | in tables |\n|---|---|---|\n"
	rows := sample()
	results := rows.Table()
	inTable := Shown(&results, rows.axes(), rows.AllColumns)
	for _, c := range Columns() {
		shown := ""
		switch {
		case c.Name == "steps":
			shown = "yes"
		case c.group == groupSetting:
			shown = "if it varies"
		case c.group == groupSweep:
			shown = "of several sweeps"
		case c.group == groupRows && c.above > 0:
			shown = fmt.Sprintf("if over %g", c.above)
		case c.group == groupRows:
			shown = "if there is any"
		case slices.Contains(tableMetrics(), c.Name) && strings.HasPrefix(c.Doc, "synthetic"), c.Name == "error":
			shown = "if there is any"
		case slices.Contains(inTable, c.Name):
			shown = "yes"
		}
		name := "`" + c.Name + "`"
		if c.Varies {
			name += " *"
		}
		doc += fmt.Sprintf("| %s | %s | %s |\n", name, c.Doc, shown)
	}
	return doc
}

// unitsDoc lists the columns by their kind and unit.
func unitsDoc() string {
	doc := "| kind | unit | columns |\n|---|---|---|\n"
	kinds := []string{table.Text: "text", table.Int: "integer", table.Float: "number", table.Ints: "list of integers"}
	var order []string
	columns := map[string][]string{}
	for _, c := range Schema() {
		key := kinds[c.Kind] + " | " + c.Unit
		if columns[key] == nil {
			order = append(order, key)
		}
		columns[key] = append(columns[key], "`"+c.Name+"`")
	}
	slices.Sort(order)
	for _, key := range order {
		names := columns[key]
		for start := 0; start < len(names); { // rows of at most 100 characters
			row, n := "| "+key+" | ", 0
			for start+n < len(names) && (n == 0 || len(row)+len(names[start+n])+4 <= 100) {
				if n > 0 {
					row += ", "
				}
				row += names[start+n]
				n++
			}
			doc += row + " |\n"
			start += n
			key = " | "
		}
	}
	return doc
}
