package report

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/topksweep/sweep/sweep/goldentest"
)

const resultsDoc = "../../docs/results.md"

// TestDoc checks that the tables of docs/results.md list every format and every column.
func TestDoc(t *testing.T) {
	b, err := os.ReadFile(resultsDoc)
	if err != nil {
		t.Fatal(err)
	}
	formats := "| `-o` | file | what it is |\n|---|---|---|\n"
	for _, f := range Formats() {
		formats += fmt.Sprintf("| `%s` | `results.%s` | %s |\n", f.Name, f.Extension, f.Doc)
	}
	columns := "| column | what it is | in tables |\n|---|---|---|\n"
	inTable := sample().tableColumns()
	for _, c := range Columns() {
		shown := ""
		switch {
		case c.group == groupSetting:
			shown = "if it varies"
		case c.group == groupRows && c.above > 0:
			shown = fmt.Sprintf("if over %g", c.above)
		case c.group == groupRows:
			shown = "if there is any"
		case slices.Contains(tableMetrics(), c.Name) && strings.HasPrefix(c.Doc, "synthetic"), c.Name == "error":
			shown = "if there is any"
		case slices.ContainsFunc(inTable, func(s Column) bool { return s.Name == c.Name }):
			shown = "yes"
		}
		if c.Name == "steps" {
			shown = "yes"
		}
		columns += fmt.Sprintf("| `%s` | %s | %s |\n", c.Name, c.Doc, shown)
	}
	doc := string(b)
	for name, table := range map[string]string{"formats": formats, "columns": columns} {
		head, tail := "<!-- "+name+" -->\n", "<!-- /"+name+" -->\n"
		before, rest, ok := strings.Cut(doc, head)
		_, after, ok2 := strings.Cut(rest, tail)
		if !ok || !ok2 {
			t.Fatalf("%s: no markers for the table %s", resultsDoc, name)
		}
		doc = before + head + table + tail + after
	}
	goldentest.Check(t, resultsDoc, []byte(doc))
}
