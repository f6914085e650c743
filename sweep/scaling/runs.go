package scaling

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/topksweep/sweep/sweep/table"
	"github.com/topksweep/sweep/trainer"
)

// A run is one row of results that a point may be made of.
type run struct {
	row         int // of the table
	cell, sweep string
	k, n        int64
	nmse        float64
	lr          float64 // NaN: not known
	tokens      *int64
	setting     string // the settings that vary and are chosen from, as text
}

// LeftOut is a run, or the runs of a setting, that are in no point.
type LeftOut struct {
	Sweep    string   `json:"sweep"`
	Cell     string   `json:"cell"` // "" for the runs of a setting
	K        *int64   `json:"k"`
	DictSize *int64   `json:"dict_size"`
	Setting  string   `json:"setting"`
	NMSE     *float64 `json:"nmse"` // of a setting, the mean over its seeds
	Seeds    int      `json:"seeds"`
	Reason   string   `json:"reason"`
}

// sameColumns must have one value in all runs: results that differ in them are about different things.
func sameColumns() []string {
	return []string{
		"data", "fingerprint", "activation_dim", "recipe", "semantics", "lm_name", "layer", "submodule_name",
	}
}

// settingColumns lists the settings of which the best are chosen.
func settingColumns() []string {
	var out []string
	for _, f := range trainer.Fields() {
		if f.Key != "k" && f.Key != "dict_size" && f.Key != "seed" && !slices.Contains(sameColumns(), f.Key) {
			out = append(out, f.Key)
		}
	}
	return out
}

// sizeColumn returns the column of dict_size, which a file may call n.
func sizeColumn(t *table.Table) string {
	if t.Index("dict_size") < 0 && t.Index("n") >= 0 {
		return "n"
	}
	return "dict_size"
}

// checkColumns refuses a table that lacks columns.
func checkColumns(t *table.Table, names ...string) error {
	for _, name := range names {
		if t.Index(name) >= 0 {
			continue
		}
		var have []string
		for _, c := range t.Columns {
			have = append(have, c.Name)
		}
		return fmt.Errorf("the table has no column %s; it has %s", name, strings.Join(have, ", "))
	}
	return nil
}

// readRuns reads the rows that can be used, and says why others cannot.
func readRuns(t *table.Table) (runs []run, rows []int, out []LeftOut, err error) {
	size := sizeColumn(t)
	if err := checkColumns(t, "k", size, "nmse"); err != nil {
		return nil, nil, nil, err
	}
	seen := map[string]string{} // cell, or the whole row without one → where it was
	for i := range t.Rows {
		r := run{row: i, cell: text(t.Value(i, "cell")), sweep: text(t.Value(i, "sweep")), lr: math.NaN()}
		k, okK := whole(t.Value(i, "k"))
		n, okN := whole(t.Value(i, size))
		v, okV := number(t.Value(i, "nmse"))
		if lr, ok := number(t.Value(i, "lr")); ok {
			r.lr = lr
		}
		if tokens, ok := whole(t.Value(i, "tokens")); ok {
			r.tokens = &tokens
		}
		r.k, r.n, r.nmse = k, n, v
		key := r.cell
		if key == "" {
			key = fmt.Sprintf("%#v", t.Rows[i])
		}
		before, again := seen[key]
		status := text(t.Value(i, "status"))
		var why string
		switch {
		case status != "" && status != "completed":
			why = "the run is " + status
		case !okK:
			why = "k is no whole number over 0"
		case !okN:
			why = size + " is no whole number over 0"
		case t.Value(i, "nmse") == nil:
			why = "it has no nmse"
		case !okV:
			why = "nmse is no finite number"
		case v <= 0:
			why = "nmse is not over 0 and has no logarithm"
		case v > 1:
			why = "nmse is over 1: the model is worse than always predicting the mean"
		case again && r.cell == "":
			why = "the row is there twice"
		case again:
			why = strings.TrimSuffix("the cell is there twice, first in "+before, ", first in ")
		}
		if why == "" {
			seen[key] = r.sweep
			runs, rows = append(runs, r), append(rows, i)
			continue
		}
		left := LeftOut{Sweep: r.sweep, Cell: r.cell, Seeds: 1, Reason: why}
		if okK {
			left.K = &k
		}
		if okN {
			left.DictSize = &n
		}
		if okV {
			left.NMSE = &v
		}
		out = append(out, left)
	}
	return runs, rows, out, nil
}

// CheckSame refuses results that no one law holds for, as those of several data.
func CheckSame(results table.Table) error { return checkSame(&results, completed(&results)) }

// checkSame refuses rows that differ in what must be one.
func checkSame(t *table.Table, rows []int) error {
	for _, name := range sameColumns() {
		var values []string
		for _, i := range rows {
			v := text(t.Value(i, name))
			if v != "" && !slices.Contains(values, v) {
				values = append(values, v)
			}
		}
		if len(values) > 1 {
			slices.Sort(values)
			return fmt.Errorf("the runs differ in %s (%s), and no one law holds for them: choose with --where '%s=%s'",
				name, strings.Join(shorten(values), ", "), name, quoted(values[0]))
		}
	}
	return nil
}

// quoted writes a value as a condition of --where has it.
func quoted(value string) string {
	if strings.ContainsAny(value, ",\"'=<> ") {
		return `"` + strings.ReplaceAll(value, `"`, `""`) + `"`
	}
	return value
}

// shorten leaves at most four values.
func shorten(values []string) []string {
	if len(values) > 4 {
		return append(slices.Clone(values[:4]), "…")
	}
	return values
}

// varying lists the settings that have several values in some rows.
func varying(t *table.Table, rows []int) []string {
	var out []string
	for _, name := range settingColumns() {
		for _, i := range rows {
			if text(t.Value(i, name)) != text(t.Value(rows[0], name)) {
				out = append(out, name)
				break
			}
		}
	}
	return out
}

// tried lists those of some settings that have several values among the runs of a group: there was a choice. The others
// differ from group to group only.
func tried(t *table.Table, groups [][]run, settings []string) (chosen, differing []string) {
	for _, name := range settings {
		if slices.ContainsFunc(groups, func(runs []run) bool {
			return slices.ContainsFunc(runs, func(r run) bool {
				return text(t.Value(r.row, name)) != text(t.Value(runs[0].row, name))
			})
		}) {
			chosen = append(chosen, name)
		} else {
			differing = append(differing, name)
		}
	}
	return chosen, differing
}

// text returns a value as text: "" for none.
func text(v any) string {
	switch x := v.(type) {
	case nil:
		return ""
	case float64:
		return strconv.FormatFloat(x, 'g', -1, 64)
	}
	return fmt.Sprint(v)
}

// number returns a value as a finite number. A column of a file is text where one of its values is none.
func number(v any) (float64, bool) {
	var x float64
	switch n := v.(type) {
	case int64:
		return float64(n), true
	case float64:
		x = n
	case string:
		var err error
		if x, err = strconv.ParseFloat(strings.TrimSpace(n), 64); err != nil {
			return 0, false
		}
	default:
		return 0, false
	}
	return x, !math.IsNaN(x) && !math.IsInf(x, 0)
}

// whole returns a value as a whole number over 0.
func whole(v any) (int64, bool) {
	if n, ok := v.(int64); ok {
		return n, n > 0
	}
	x, ok := number(v)
	if !ok || x < 1 || x > 1<<53 || x != math.Trunc(x) {
		return 0, false
	}
	return int64(x), true
}
