package report

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/topksweep/sweep/sweep/ledger"
	"github.com/topksweep/sweep/sweep/plan"
)

// Rows are the results of a sweep, one a run, in the order they are written.
type Rows struct {
	Plan       *plan.Header // says which keys vary; nil: those that differ between the results
	Results    []ledger.Result
	AllColumns bool // show every column in tables too, but for the ones that differ between equal runs
}

// Sort orders the rows by a column, descending if it begins with a minus. Rows
// without a value come last, equal ones stay in order.
func (rows Rows) Sort(column string) error {
	name, descending := strings.CutPrefix(column, "-")
	columns := Columns()
	i := slices.IndexFunc(columns, func(c Column) bool { return c.Name == name })
	if i < 0 {
		var names []string
		for _, c := range columns {
			names = append(names, c.Name)
		}
		return fmt.Errorf("no column %s; there are %s", name, strings.Join(names, ", "))
	}
	get := columns[i].get
	slices.SortStableFunc(rows.Results, func(a, b ledger.Result) int {
		x, y := get(a), get(b)
		switch {
		case absent(x) || absent(y):
			return cmp.Compare(rank(x), rank(y))
		case descending:
			return compare(y, x)
		}
		return compare(x, y)
	})
	return nil
}

// absent reports whether there is no number to write: none, or none that is
// finite.
func absent(v any) bool {
	x, ok := v.(float64)
	return v == nil || ok && (math.IsNaN(x) || math.IsInf(x, 0))
}

func rank(v any) int {
	if absent(v) {
		return 1
	}
	return 0
}

func compare(a, b any) int {
	switch x := a.(type) {
	case int64:
		return cmp.Compare(x, b.(int64))
	case float64:
		return cmp.Compare(x, b.(float64))
	}
	return cmp.Compare(a.(string), b.(string))
}

// tableMetrics are the metrics that fit a screen.
func tableMetrics() []string {
	return []string{"l2_loss", "nmse", "l0", "auxk_loss", "dead_latents", "alive_fraction", "recovery"}
}

// columns returns every column in the order of this sweep: the cell, the keys
// that vary, the other settings, the metrics, then the run as such.
func (rows Rows) columns() []Column {
	axes := rows.axes()
	place := func(c Column) int {
		switch i := slices.Index(axes, c.Name); {
		case c.in == id:
			return -1
		case c.in == setting && i >= 0:
			return i
		case c.in == setting && c.Name != "steps":
			return len(axes)
		case c.in == metric:
			return len(axes) + 1
		}
		return len(axes) + 2
	}
	out := Columns()
	slices.SortStableFunc(out, func(a, b Column) int { return cmp.Compare(place(a), place(b)) })
	return out
}

// axes returns the keys that vary.
func (rows Rows) axes() []string {
	if rows.Plan != nil {
		return rows.Plan.Axes
	}
	var out []string
	for _, c := range Columns() {
		if c.in == setting && slices.ContainsFunc(rows.Results, func(r ledger.Result) bool { return c.get(r) != c.get(rows.Results[0]) }) {
			out = append(out, c.Name)
		}
	}
	return out
}

// tableColumns returns the columns of a table: of the settings what varies and
// the steps, of the metrics some, of the run no times, and why runs failed if
// any did.
func (rows Rows) tableColumns() []Column {
	axes := rows.axes()
	return slices.DeleteFunc(rows.columns(), func(c Column) bool {
		switch c.in {
		case clock:
			return true
		case origin:
			return !rows.AllColumns || !rows.has(c)
		case setting:
			return c.Name != "steps" && !rows.AllColumns && !slices.Contains(axes, c.Name)
		case metric:
			return !rows.AllColumns && !slices.Contains(tableMetrics(), c.Name) || !rows.has(c)
		case run:
			return c.Name == "error" && !rows.has(c)
		}
		return false
	})
}

// has reports whether any row has a value in the column.
func (rows Rows) has(c Column) bool {
	return slices.ContainsFunc(rows.Results, func(r ledger.Result) bool { return c.get(r) != nil })
}

// notes says what a table does not show by itself: in which runs the settings of
// AuxK, which vary, cannot make a difference.
func (rows Rows) notes() []string {
	var vary []string
	for _, key := range []string{"auxk_alpha", "k_aux"} {
		if slices.Contains(rows.axes(), key) {
			vary = append(vary, key)
		}
	}
	completed, never := 0, 0
	for _, r := range rows.Results {
		if r.Status == plan.Completed {
			completed++
			if r.Metrics.FirstDeadStep == nil {
				never++
			}
		}
	}
	if len(vary) == 0 || never == 0 {
		return nil
	}
	return []string{fmt.Sprintf("No latent was ever dead in %d of %d runs with results (first_dead_step is empty): AuxK never acted there, and equal runs but for %s are one and the same.",
		never, completed, strings.Join(vary, " and "))}
}
