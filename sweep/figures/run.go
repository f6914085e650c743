package figures

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/topksweep/sweep/sweep/table"
	"github.com/topksweep/sweep/trainer"
)

// A number is a value that may be missing.
type number struct {
	v  float64
	ok bool
}

// A run is what is drawn of one row of the results.
type run struct {
	cell     string // "" if the table has no cells
	k, n     float64
	seed     float64
	alpha    number            // auxk_alpha
	settings map[string]string // the other settings, as text
	nmse, l0 number
	dead     number // share of the latents, from 0 to 1
}

// runsOf reads the rows of results. A row is left out if it has no k or no dict_size above 0, and if its cell, or in a
// file without cells the whole row, has come before. A cell that failed in one table and completed in a later one is
// that of the later. The error is about the table: a column that is needed and missing, or rows of several data sets,
// whose errors must not stand on one axis.
func runsOf(t *table.Table) ([]run, error) {
	for _, column := range []string{"k", "dict_size", "nmse"} {
		if t.Index(column) < 0 {
			return nil, fmt.Errorf("the results have no column %s; figures need k, dict_size and nmse", column)
		}
	}
	if err := sameData(t); err != nil {
		return nil, err
	}
	var out []run
	seen := map[string]int{} // the cell, or the whole row → its place in out
	for i := range t.Rows {
		r := run{cell: textOf(t.Value(i, "cell")), settings: map[string]string{}}
		k, n := positive(t, i, "k"), positive(t, i, "dict_size")
		id := r.cell
		if id == "" {
			id = fmt.Sprintf("%#v", t.Rows[i])
		}
		r.nmse = value(t, i, "nmse")
		before, again := seen[id]
		if !k.ok || !n.ok || again && (out[before].nmse.ok || !r.nmse.ok) {
			continue
		}
		r.k, r.n, r.seed = k.v, n.v, value(t, i, "seed").v
		r.l0, r.alpha = value(t, i, "l0"), value(t, i, "auxk_alpha")
		r.dead = value(t, i, "dead_fraction")
		if d := value(t, i, "dead_latents"); !r.dead.ok && d.ok {
			r.dead = number{d.v / r.n, true}
		}
		r.dead.ok = r.dead.ok && r.dead.v >= 0 && r.dead.v <= 1
		for _, key := range otherSettings() {
			r.settings[key] = textOf(t.Value(i, key))
		}
		if again {
			out[before] = r
			continue
		}
		seen[id] = len(out)
		out = append(out, r)
	}
	return out, nil
}

// sameData returns an error if completed rows are of several data sets, or measured by several definitions.
func sameData(t *table.Table) error {
	for _, column := range []string{"data", "fingerprint", "semantics"} {
		var values []string
		for i := range t.Rows {
			v := textOf(t.Value(i, column))
			if value(t, i, "nmse").ok && v != "" && !slices.Contains(values, v) {
				values = append(values, v)
			}
		}
		if len(values) > 1 {
			return fmt.Errorf("the results have %d values of %s (%s, …), and their errors are not comparable: "+
				"choose one with --where '%s=%s'", len(values), column, values[0], column, values[0])
		}
	}
	return nil
}

// otherSettings lists the settings besides those that figures have axes for.
func otherSettings() []string {
	var out []string
	for _, f := range trainer.Fields() {
		if f.Key != "k" && f.Key != "dict_size" && f.Key != "seed" && f.Key != "auxk_alpha" {
			out = append(out, f.Key)
		}
	}
	return out
}

// value returns a number of a table, if it is one and finite. A column of a file is text where one of its values is no
// number.
func value(t *table.Table, row int, column string) number {
	v, ok := t.Number(row, column)
	if s, isText := t.Value(row, column).(string); isText {
		var err error
		v, err = strconv.ParseFloat(strings.TrimSpace(s), 64)
		ok = err == nil
	}
	if !ok || math.IsNaN(v) || math.IsInf(v, 0) {
		return number{}
	}
	return number{v, true}
}

// positive returns a number of a table, if it is above 0.
func positive(t *table.Table, row int, column string) number {
	v := value(t, row, column)
	v.ok = v.ok && v.v > 0
	return v
}

// textOf returns a value of a table as text: "" if there is none.
func textOf(v any) string {
	if v == nil {
		return ""
	}
	return strings.TrimSpace(fmt.Sprint(v))
}
