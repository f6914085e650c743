package report

import (
	"slices"
	"strconv"

	"github.com/topksweep/sweep/sweep/ledger"
	"github.com/topksweep/sweep/sweep/plan"
	"github.com/topksweep/sweep/sweep/table"
)

// withLengths returns columns with those of the axes tokens and epochs, which a grid may have instead of steps. They
// have what the grid says. Without such an axis tokens is a column all the same: of what the run trained on, which is
// up to one step more. Rows of sweeps that give no tokens have that here, too.
func withLengths(columns []Column, axes []string) []Column {
	for _, key := range plan.Lengths() {
		if !slices.Contains(axes, key) {
			continue
		}
		at := slices.IndexFunc(columns, func(c Column) bool { return c.Name == key })
		if at < 0 {
			at = len(columns)
			columns = append(columns, Column{Column: float(key, key+" as the grid has them"), get: noValue})
			columns[at].Exact = true
		}
		trained, kind := columns[at].get, columns[at].Kind
		columns[at].group = groupSetting
		columns[at].get = func(r *ledger.Result) any {
			text, ok := r.Written[key]
			if !ok {
				return trained(r)
			}
			if kind == table.Int {
				if n, err := strconv.ParseInt(text, 10, 64); err == nil {
					return n
				}
			}
			if x, err := strconv.ParseFloat(text, 64); err == nil && kind == table.Float {
				return x
			}
			return nil
		}
	}
	return columns
}
