package report

import (
	"slices"

	"github.com/topksweep/sweep/sweep/plan"
	"github.com/topksweep/sweep/sweep/table"
)

// Grouping returns how results are grouped: runs of one group differ in the settings over which the mean is taken, and
// in no other. They trained on the same data, and their metrics have one definition. A cell that several sweeps have
// counts once. Runs that have no result do not know how it would have been measured, and go with any.
func Grouping(over []string) table.Grouping {
	g := table.Grouping{ID: "cell", Over: over, Alike: []string{"data", "semantics"}}
	for _, c := range settingColumns() {
		if c.group == groupSetting {
			g.Keys = append(g.Keys, c.Name)
		}
	}
	return g
}

// Measured lists those columns of a table of results that hold measurements, and have a value: of all, or those that
// fit a screen beside their means and deviations. Columns of numbers that this package does not know are among both.
func Measured(t *table.Table, all bool) []string {
	var out []string
	for _, c := range Columns() {
		measures := c.group == groupMetric || c.group == groupCost || c.group == groupTime
		j := t.Index(c.Name)
		if !measures || j < 0 || t.Columns[j].Kind != table.Int && t.Columns[j].Kind != table.Float {
			continue
		}
		hasValue := slices.ContainsFunc(t.Rows, func(row []any) bool { return row[j] != nil })
		if hasValue && (all || c.Name == "nmse" || c.Name == "l0") {
			out = append(out, c.Name)
		}
	}
	for _, c := range t.Columns {
		if !isKnown(c.Name) && (c.Kind == table.Int || c.Kind == table.Float) {
			out = append(out, c.Name)
		}
	}
	return out
}

func isKnown(name string) bool {
	return slices.Contains(plan.Lengths(), name) ||
		slices.ContainsFunc(Columns(), func(k Column) bool { return k.Name == name })
}

// Varies reports whether the column with a name differs between two equal sweeps.
func Varies(name string) bool { return slices.Contains(VaryingColumns(), name) }

// VaryingColumns lists the names of the columns that differ between two equal sweeps.
func VaryingColumns() []string {
	var out []string
	for _, k := range Columns() {
		if k.Varies {
			out = append(out, k.Name)
		}
	}
	return out
}

// Reproducible returns a table without the columns that differ between two equal sweeps.
func Reproducible(t table.Table) (table.Table, error) {
	var keep []string
	varying := VaryingColumns()
	for _, c := range t.Columns {
		if !slices.Contains(varying, c.Name) {
			keep = append(keep, c.Name)
		}
	}
	return t.Select(keep)
}

// Varying lists the settings in which rows of a table of results differ.
func Varying(t *table.Table) []string {
	var out []string
	for _, name := range Settings(t) {
		j := t.Index(name)
		if j >= 0 && slices.ContainsFunc(t.Rows, func(row []any) bool { return !table.Equal(row[j], t.Rows[0][j]) }) {
			out = append(out, name)
		}
	}
	return out
}
