package report

import (
	"slices"

	"github.com/topksweep/sweep/sweep/grid"
	"github.com/topksweep/sweep/sweep/ledger"
	"github.com/topksweep/sweep/sweep/table"
	"github.com/topksweep/sweep/trainer"
)

// Where a plan names its data sets, the column data has the names: the axis has the name of its key, like all others.
// The fingerprints stand in a column of their own then. Only such tables have that column.

const fingerprint = "fingerprint"

// HasSets reports whether the column data of a table of results has the names of data sets.
func HasSets(t *table.Table) bool { return t.Index(fingerprint) >= 0 && t.Index(grid.DataKey) >= 0 }

// Settings lists the settings that the runs of a table of results have, in their order: the data set, where sets have
// names, and the fields of trainer.Config.
func Settings(t *table.Table) []string {
	var out []string
	if HasSets(t) {
		out = append(out, grid.DataKey)
	}
	for _, f := range trainer.Fields() {
		out = append(out, f.Key)
	}
	return out
}

// setNames returns the names of data sets by their fingerprints; nil where no plan has names.
func (rows Rows) setNames() map[string]string {
	var names map[string]string
	for _, h := range rows.headers() {
		for _, s := range h.Sets {
			if names == nil {
				names = map[string]string{}
			}
			if _, known := names[s.Info.Fingerprint]; !known {
				names[s.Info.Fingerprint] = s.Name
			}
		}
	}
	return names
}

// nameSets makes the column data that of names, or takes the column of fingerprints away where there are none. A run of
// a sweep without names has that of its data in another sweep, or the fingerprint.
func (rows Rows) nameSets(columns []Column) []Column {
	names := rows.setNames()
	if names == nil {
		return slices.DeleteFunc(columns, func(c Column) bool { return c.Name == fingerprint })
	}
	for i, c := range columns {
		if c.Name != grid.DataKey {
			continue
		}
		columns[i].Doc = "name of the data set"
		columns[i].get = func(r *ledger.Result) any {
			if r.Set != "" {
				return r.Set
			}
			if name, ok := names[r.Data]; ok {
				return name
			}
			return textOrNil(r.Data)
		}
	}
	return columns
}
