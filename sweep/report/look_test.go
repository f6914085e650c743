package report

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/topksweep/sweep/sweep/goldentest"
	"github.com/topksweep/sweep/sweep/ledger"
	"github.com/topksweep/sweep/sweep/plan"
	"github.com/topksweep/sweep/sweep/table"
	"github.com/topksweep/sweep/trainer"
)

// looks are results as people have them.
func looks() map[string]Rows {
	failed := sample()
	for i, id := range []string{"aaaa", "bbbb", "cccc"} {
		r := failed.Results[2]
		r.Cell, r.Config.DictSize = id+strings.Repeat("0", 16), 1024<<i
		failed.Results = append(failed.Results, r)
	}
	failed.Results[3].Status, failed.Results[3].Error = plan.Failed, "短い: 誤り"
	done := sample()
	done.Results = done.Results[:2]
	one := sample()
	one.Results = one.Results[:1]
	begun := sample()
	begun.Plan = &plan.Header{Axes: []string{"init"}}
	for i := range begun.Results {
		path := fmt.Sprintf("/scratch/models/%d/of a long name/%s", i, strings.Repeat("folder/", 20))
		begun.Results[i].Written = map[string]string{"init": path}
		begun.Results[i].Config.Init = strings.Repeat(fmt.Sprint(i), 64)
	}
	many := sample()
	many.Plan = &plan.Header{Axes: []string{"k", "dict_size", "auxk_alpha", "decay_start", "lr", "seed"}}
	for i := range many.Results {
		c := &many.Results[i].Config
		c.DictSize, c.AuxKAlpha, c.LR, c.Seed = 1<<(12+i), float64(i)/32, 0.1234567890123/float64(1+i), int64(i)
	}
	all := sample()
	all.AllColumns = true
	chosen := sample()
	chosen.Columns = []string{"nmse", "cell", "data", "error", "steps"}
	return map[string]Rows{
		"failed": failed, "done": done, "one": one, "begun": begun, "many": many, "all": all, "chosen": chosen,
		"none": {Plan: &plan.Header{}},
	}
}

// No line is longer than the terminal, but for a word that is. Nothing is lost in silence: a column is in the table,
// above it or named below it, and an error stands whole somewhere.
func TestLooks(t *testing.T) {
	for name, rows := range looks() {
		full := rows.Table()
		shown := Shown(&full, rows.axes(), rows.AllColumns)
		if len(rows.Columns) > 0 {
			shown = rows.Columns
		}
		for _, width := range []int{40, 60, 80, 200} {
			t.Run(fmt.Sprintf("%s/%d", name, width), func(t *testing.T) {
				rows.Width = width
				got := string(write(t, "table", rows))
				if width >= 60 {
					goldentest.Check(t, fmt.Sprintf("testdata/look/%s-%d.txt", name, width), []byte(got))
				}
				for line := range strings.Lines(got) {
					if line = strings.TrimSuffix(line, "\n"); table.Width(line) > width && strings.Contains(line, " ") {
						t.Errorf("%d columns: %q", table.Width(line), line)
					}
				}
				for _, column := range shown {
					if column != shown[0] && len(rows.Results) > 0 && !strings.Contains(got, column) {
						t.Errorf("column %s is lost:\n%s", column, got)
					}
				}
				flat := OneLine(got)
				for _, r := range rows.Results {
					if cause := OneLine(r.Error); !strings.Contains(flat, cause) {
						t.Errorf("%q is not shown whole:\n%s", cause, got)
					}
				}
			})
		}
		rows.Width = 0
		for _, f := range table.Formats()[1:] { // the width is about a terminal alone
			wide := rows
			wide.Width = 20
			if !bytes.Equal(write(t, f.Name, rows), write(t, f.Name, wide)) {
				t.Errorf("%s: %s depends on the terminal", name, f.Name)
			}
		}
	}
}

// The columns that a person names are printed in this order, in each format, and one that is not there is an error.
func TestChosenColumns(t *testing.T) {
	rows := sample()
	rows.Columns = []string{"nmse", "k"}
	if got := string(write(t, "csv", rows)); !strings.HasPrefix(got, "nmse,k\n0.123456,16\n") {
		t.Error(got)
	}
	rows.Columns = []string{"nmsee"}
	if err := Write(&bytes.Buffer{}, "csv", rows); err == nil || !strings.Contains(err.Error(), "did you mean nmse?") {
		t.Error(err)
	}
}

// Many cells with one error are counted, not listed.
func TestNamedRows(t *testing.T) {
	rows := Rows{Plan: &plan.Header{Axes: []string{"k"}}, Width: 60}
	for i := range 30 {
		r := ledger.Result{Cell: fmt.Sprintf("%010d", i), Status: plan.Failed, Error: strings.Repeat("no ", 30)}
		if i > 20 {
			r.Status, r.Error = plan.Pending, ""
		}
		r.Config = trainer.Config{ActivationDim: 8, K: i}
		rows.Results = append(rows.Results, r)
	}
	if got := string(write(t, "table", rows)); !strings.Contains(OneLine(got), " and 13 more no no no") {
		t.Error(got)
	}
}
