package main

import (
	"slices"

	"github.com/topksweep/sweep/sweep/grid"
	"github.com/topksweep/sweep/sweep/report"
	"github.com/topksweep/sweep/sweep/table"
)

// tablesOfSet are the rows of one data set.
type tablesOfSet struct {
	name string // "" where there is one set
	tables
}

// bySet divides results and curves by their data sets, in the order of the rows: no law and no figure is about several
// data. Tables without names of sets, or with one, stay whole.
func (t tables) bySet() []tablesOfSet {
	if isOnlyCurves(&t) { // a file of curves names sets and no fingerprints
		names := valuesIn(&t.curves, grid.DataKey)
		if len(names) < 2 {
			return []tablesOfSet{{"", t}}
		}
		var out []tablesOfSet
		for _, name := range names {
			part := t
			part.curves = t.curves.Pick(rowsWith(&t.curves, grid.DataKey, name))
			out = append(out, tablesOfSet{table.Print(name), part})
		}
		return out
	}
	names := valuesIn(&t.results, grid.DataKey)
	if len(names) < 2 || !report.HasSets(&t.results) {
		return []tablesOfSet{{"", t}}
	}
	var out []tablesOfSet
	for _, name := range names {
		part := t
		part.results = t.results.Pick(rowsWith(&t.results, grid.DataKey, name))
		part.curves = t.curves.Pick(nil)
		if t.curves.Index("cell") >= 0 {
			cells := valuesIn(&part.results, "cell")
			part.curves = t.curves.Pick(rowsWith(&t.curves, "cell", cells...))
		}
		out = append(out, tablesOfSet{table.Print(name), part})
	}
	return out
}

// valuesIn lists the values of a column, each once, in the order of the rows.
func valuesIn(t *table.Table, column string) (out []any) {
	if t.Index(column) < 0 {
		return nil
	}
	seen := map[any]bool{}
	for i := range t.Rows {
		if v := t.Value(i, column); v != nil && !seen[v] {
			seen[v] = true
			out = append(out, v)
		}
	}
	return out
}

// rowsWith lists the rows that have one of some values in a column.
func rowsWith(t *table.Table, column string, values ...any) (rows []int) {
	wanted := map[any]bool{}
	for _, v := range values {
		wanted[v] = true
	}
	for i := range t.Rows {
		if wanted[t.Value(i, column)] {
			rows = append(rows, i)
		}
	}
	return slices.Clip(rows)
}
