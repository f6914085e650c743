package grid

import (
	"fmt"
	"os"
	"reflect"
	"regexp"
	"strings"
	"testing"

	"github.com/topksweep/sweep/sweep/goldentest"
	"github.com/topksweep/sweep/trainer"
)

const gridDoc = "../../docs/grid.md"

// TestDoc keeps the tables of docs/grid.md up to date: they are written between
// markers from the fields of trainer.Config and the tables of options.
func TestDoc(t *testing.T) {
	data := dataOptions(new(trainer.DataSpec), new(trainer.Synthetic), new(trainer.Raw))
	run := runOptions(new(RunOptions))
	goldentest.CheckTables(t, gridDoc, map[string]string{
		"fields":     fieldTable(),
		"data":       optionTable(data),
		"synthetic":  optionTable(sub(data, "synthetic")),
		"raw":        optionTable(sub(data, "raw")),
		"run":        optionTable(run),
		"checkpoint": optionTable(sub(run, "checkpoint")),
	})
}

func sub(table []option, key string) []option {
	for _, o := range table {
		if o.key == key {
			return o.sub
		}
	}
	return nil
}

func fieldTable() string {
	var b strings.Builder
	b.WriteString("| key | default | takes | what it is |\n|---|---|---|---|\n")
	for _, f := range trainer.Fields() {
		if f.FromData {
			continue
		}
		fmt.Fprintf(&b, "| `%s` | `%s` | %s | %s |\n", f.Key, f.Default, takes(f), f.Doc)
		if f.Key == stepsKey {
			for _, l := range lengths() {
				fmt.Fprintf(&b, "| `%s` |  | %s | %s |\n", l.key, l.takes, l.doc)
			}
		}
	}
	return b.String()
}

// takes says what a field takes and within which bounds, in few words: a table's
// row fits 100 columns.
func takes(f trainer.Field) string {
	out := "number"
	switch {
	case f.Kind == trainer.Word:
		return "`" + strings.Join(f.Words, "`, `") + "`"
	case f.Kind == trainer.File:
		return "path or `none`"
	case f.Kind == trainer.Int:
		out = "integer"
	}
	switch {
	case f.None:
		out += ", fraction or `none`"
	case f.Fraction != "":
		out += " or fraction"
	}
	if f.Auto {
		out += " or `auto`"
	}
	t := reflect.TypeFor[trainer.Config]()
	for i := range t.NumField() {
		tag := t.Field(i).Tag
		if tag.Get("json") != f.Key {
			continue
		}
		if low, high := tag.Get("min"), tag.Get("max"); low != "" && high != "" {
			out += ", " + low + " to " + high
		} else if low != "" {
			out += ", ≥ " + low
		}
		if over := tag.Get("over"); over != "" {
			out += ", > " + over
		}
	}
	return out
}

func optionTable(table []option) string {
	var b strings.Builder
	b.WriteString("| key | default | what it is |\n|---|---|---|\n")
	for _, o := range table {
		fallback := "`" + o.fallback + "`"
		switch {
		case o.required:
			fallback = "required"
		case o.fallback == "":
			fallback = ""
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s |\n", o.key, fallback, o.doc)
	}
	return b.String()
}

var yamlBlock = regexp.MustCompile("(?s)```yaml\n(.*?)```")

// TestDocExamples reads the examples of docs/grid.md as grids.
func TestDocExamples(t *testing.T) {
	b, err := os.ReadFile(gridDoc)
	if err != nil {
		t.Fatal(err)
	}
	blocks := yamlBlock.FindAllStringSubmatch(string(b), -1)
	want := []int{96, 4, 6, 4, 6, 1}
	if len(blocks) != len(want) {
		t.Fatalf("%d examples, want %d", len(blocks), len(want))
	}
	for i, block := range blocks {
		src := block[1]
		if !strings.Contains(src, "name:") {
			src = "name: a\ndata: {source: acts}\n" + src
		}
		g, err := Parse("grid.yaml", []byte(src), ParseOptions{})
		if err != nil {
			t.Fatal(err)
		}
		found := map[string]Init{}
		for _, path := range g.Inits() { // the examples name no models that are there
			found[path] = fromModel(string(rune('a'+len(found))), 512, 8)
		}
		g.SetInits(found)
		cells, err := g.Cells(infosOf(g)...)
		if err != nil || len(cells) != want[i] {
			t.Errorf("example %d has %d cells, want %d; %v", i, len(cells), want[i], err)
		}
	}
}
