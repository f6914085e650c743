package report

import (
	"slices"

	"github.com/topksweep/sweep/sweep/ledger"
	"github.com/topksweep/sweep/sweep/table"
	"github.com/topksweep/sweep/trainer"
)

// tableMetrics lists the metrics that tables show. More of them would not fit a screen.
func tableMetrics() []string {
	return []string{"l2_loss", "nmse", "l0", "auxk_loss", "dead_latents", "alive_fraction", "recovery"}
}

// The columns of the model that a run begins from: its hash, and its path.
const (
	initSetting = "init"
	initWritten = "init_written"
)

// idLength is the number of characters of a cell's ID in a table.
const idLength = 10

// shortID is a cell's ID as tables have it.
func shortID(id string) string { return id[:min(len(id), idLength)] }

// Shown lists those columns of results that a table for people shows: the settings that vary, steps, the metrics of
// tableMetrics, and what is about the run as a whole. A column of metrics or errors without any value is left out. axes
// are the settings that vary; all is Rows.AllColumns. Columns that this package does not know are shown.
func Shown(t *table.Table, axes []string, all bool) []string {
	known := append(Columns(), fingerprintColumn())
	var out []string
	for j, c := range t.Columns {
		i := slices.IndexFunc(known, func(k Column) bool { return k.Name == c.Name })
		if i < 0 || known[i].shown(t, j, axes, all) {
			out = append(out, c.Name)
		}
	}
	return out
}

// shown reports whether a table for people shows the column, which has the index j in t.
func (c Column) shown(t *table.Table, j int, axes []string, all bool) bool {
	some := func(is func(v any) bool) bool {
		return slices.ContainsFunc(t.Rows, func(row []any) bool { return row[j] != nil && is(row[j]) })
	}
	hasValue := some(func(any) bool { return true })
	switch c.group {
	case groupTime, groupFile:
		return false
	case groupSweep:
		return some(func(v any) bool { return !table.Equal(v, t.Rows[0][j]) })
	case groupWritten: // a hash says nothing to a person
		return all && hasValue || c.Name == initWritten && slices.Contains(axes, initSetting)
	case groupData, groupCost:
		return all && hasValue || slices.Contains(axes, c.Name)
	case groupOld:
		return all || some(func(v any) bool { // a file may have a text there
			version, isNumber := v.(int64)
			return !isNumber || version < trainer.SemanticsVersion
		})
	case groupSetting:
		return c.Name == "steps" || all || slices.Contains(axes, c.Name)
	case groupMetric:
		return (all || slices.Contains(tableMetrics(), c.Name)) && hasValue
	case groupRows:
		return all && hasValue || some(func(v any) bool {
			x, _ := table.Number(v)
			return x > c.above
		})
	case groupRun:
		return c.Name != "error" || hasValue
	}
	return true
}

// Shorten returns a table for people: with short IDs of cells and the causes of errors. The given columns are whole.
func Shorten(t table.Table) table.Table {
	out := table.Table{Columns: t.Columns, Rows: make([][]any, len(t.Rows))}
	for i, row := range t.Rows {
		out.Rows[i] = slices.Clone(row)
		for j, v := range row {
			s, ok := v.(string)
			if !ok {
				continue
			}
			switch t.Columns[j].Name {
			case "cell":
				s = shortID(s)
			case "error":
				s = Cause(s)
			}
			out.Rows[i][j] = OneLine(s)
		}
	}
	return out
}

// reasons returns the errors that a table of the results does not show whole, one line each, with the cell as the
// table names it.
func reasons(results []ledger.Result) []string {
	var out []string
	for _, r := range results {
		if whole := OneLine(r.Error); whole != Cause(r.Error) {
			out = append(out, shortID(r.Cell)+"  "+whole)
		}
	}
	return out
}
