package report

import (
	"slices"

	"github.com/topksweep/sweep/sweep/ledger"
	"github.com/topksweep/sweep/sweep/plan"
	"github.com/topksweep/sweep/sweep/table"
	"github.com/topksweep/sweep/trainer"
)

// Where a plan names its data sets, the column data has the names: the axis has the name of its key, like all others.
// The fingerprints stand in a column of their own then. Only such tables have that column.

const fingerprint = "fingerprint"

// HasSets reports whether the column data of a table of results has the names of data sets.
func HasSets(t *table.Table) bool { return t.Index(fingerprint) >= 0 && t.Index(plan.DataKey) >= 0 }

// Settings lists the settings that the runs of a table of results have, in their order: the data set, where sets have
// names, tokens or epochs, where these are an axis, and the fields of trainer.Config.
func Settings(t *table.Table) []string {
	var out []string
	if HasSets(t) {
		out = append(out, plan.DataKey)
	}
	for _, key := range plan.Lengths() {
		if i := t.Index(key); i >= 0 && i < t.Index("steps") { // tokens that were trained on stand behind it
			out = append(out, key)
		}
	}
	for _, f := range trainer.Fields() {
		out = append(out, f.Key)
	}
	return out
}

// GroupingOf is Grouping for the runs of a table. Those of data sets that have one name in several sweeps, and are not
// the same, are of several groups.
func GroupingOf(t *table.Table, over []string) table.Grouping {
	g := Grouping(over)
	if oneNameTwoSets(t) {
		g.Alike = append(g.Alike, fingerprint)
	}
	return g
}

// oneNameTwoSets reports whether a name of a data set has several fingerprints in a table: those of several sweeps.
func oneNameTwoSets(t *table.Table) bool {
	first := map[any]any{}
	for i := range t.Rows {
		name, is := t.Value(i, plan.DataKey), t.Value(i, fingerprint)
		if was, seen := first[name]; seen && was != is {
			return true
		}
		first[name] = is
	}
	return false
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

// fingerprintColumn is the column of fingerprints.
func fingerprintColumn() Column {
	return Column{
		Column: text(fingerprint, "that of the data, in a table whose column data has names of data sets"),
		group:  groupData, get: func(r *ledger.Result) any { return textOrNil(r.Data) },
	}
}

// nameSets makes the column data that of names, and adds the column of fingerprints, where there are names. A run of a
// sweep without names has that of its data in another sweep, or the fingerprint.
func (rows Rows) nameSets(columns []Column) []Column {
	names := rows.setNames()
	at := slices.IndexFunc(columns, func(c Column) bool { return c.Name == plan.DataKey })
	if names == nil || at < 0 {
		return columns
	}
	columns[at].Doc = "name of the data set"
	columns[at].get = func(r *ledger.Result) any {
		if r.Set != "" {
			return r.Set
		}
		if name, ok := names[r.Data]; ok {
			return name
		}
		return textOrNil(r.Data)
	}
	return slices.Insert(columns, at+1, fingerprintColumn())
}
