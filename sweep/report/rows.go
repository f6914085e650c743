package report

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/topksweep/sweep/sweep/ledger"
	"github.com/topksweep/sweep/sweep/plan"
	"github.com/topksweep/sweep/trainer"
)

// Rows are the results of a sweep, one for each run, in the order in which they are written.
type Rows struct {
	Plan       *plan.Header // its Axes are the keys that vary; without a plan, the keys that differ between results
	Results    []ledger.Result
	AllColumns bool // tables show every column, except those of groupTime
}

// tableMetrics lists the metrics that tables show. More of them would not fit a screen.
func tableMetrics() []string {
	return []string{"l2_loss", "nmse", "l0", "auxk_loss", "dead_latents", "alive_fraction", "recovery"}
}

// columns returns every column in the order of this sweep: the cell's ID, the keys that vary, the other settings, the
// metrics, and then steps and what is about the run as a whole.
func (rows Rows) columns() []Column {
	axes := rows.axes()
	rank := func(c Column) int {
		switch i := slices.Index(axes, c.Name); {
		case c.group == groupID:
			return -1
		case c.group == groupSetting && i >= 0:
			return i
		case c.group == groupSetting && c.Name != "steps":
			return len(axes)
		case c.group == groupMetric:
			return len(axes) + 1
		}
		return len(axes) + 2
	}
	out := Columns()
	for i, c := range out {
		if c.info != nil {
			out[i].get = func(ledger.Result) any {
				if !rows.measured() {
					return nil
				}
				return c.info(rows.Plan.Info)
			}
		}
	}
	slices.SortStableFunc(out, func(a, b Column) int { return cmp.Compare(rank(a), rank(b)) })
	return out
}

// axes returns the keys that vary.
func (rows Rows) axes() []string {
	if rows.Plan != nil {
		return rows.Plan.Axes
	}
	var out []string
	for _, c := range Columns() {
		differs := func(r ledger.Result) bool { return c.get(r) != c.get(rows.Results[0]) }
		if c.group == groupSetting && slices.ContainsFunc(rows.Results, differs) {
			out = append(out, c.Name)
		}
	}
	return out
}

// tableColumns returns the columns of a table: the settings that vary, steps, the metrics of tableMetrics, and what is
// about the run as a whole. A column of metrics or errors without any value is left out.
func (rows Rows) tableColumns() []Column {
	axes := rows.axes()
	return slices.DeleteFunc(rows.columns(), func(c Column) bool {
		switch c.group {
		case groupTime:
			return true
		case groupData:
			return !rows.AllColumns || !rows.hasValue(c)
		case groupOld:
			older, _ := rows.older()
			return !rows.AllColumns && older == 0
		case groupSetting:
			return c.Name != "steps" && !rows.AllColumns && !slices.Contains(axes, c.Name)
		case groupMetric:
			return !rows.AllColumns && !slices.Contains(tableMetrics(), c.Name) || !rows.hasValue(c)
		case groupRows:
			return !rows.AllColumns && !rows.hasMore(c) || !rows.hasValue(c)
		case groupRun:
			return c.Name == "error" && !rows.hasValue(c)
		}
		return false
	})
}

// hasValue reports whether any row has a value in the column.
func (rows Rows) hasValue(c Column) bool {
	return slices.ContainsFunc(rows.Results, func(r ledger.Result) bool { return c.get(r) != nil })
}

// older counts the results whose metrics follow definitions of an earlier version, of all with metrics.
func (rows Rows) older() (n, of int) {
	for _, r := range rows.Results {
		if r.Status == plan.Completed {
			of++
			if r.SemanticsVersion() < trainer.SemanticsVersion {
				n++
			}
		}
	}
	return n, of
}

// oldNotes says which results cannot be compared with those of this version.
func (rows Rows) oldNotes() []string {
	n, of := rows.older()
	if n == 0 {
		return nil
	}
	return []string{fmt.Sprintf("%d of %d results follow definitions of an earlier version (semantics), and cannot be "+
		"compared with those of version %d: submit the grid again to have them anew.", n, of, trainer.SemanticsVersion)}
}

// measured reports whether the plan knows the norms of the rows: those of version 0.1.0 do not.
func (rows Rows) measured() bool { return rows.Plan != nil && rows.Plan.Info.MedianNorm > 0 }

// hasMore reports whether any row has a value in the column that is above what is worth showing.
func (rows Rows) hasMore(c Column) bool {
	return slices.ContainsFunc(rows.Results, func(r ledger.Result) bool {
		switch v := c.get(r).(type) {
		case int64:
			return float64(v) > c.above
		case float64:
			return v > c.above
		}
		return false
	})
}

// notes returns the sentences below a table.
func (rows Rows) notes() []string {
	return slices.Concat(rows.hugeNotes(), rows.auxkNotes(), rows.oldNotes())
}

// hugeNotes says where metrics are about a few rows, of huge norms or far from the mean.
func (rows Rows) hugeNotes() []string {
	switch {
	case !rows.measured():
		return nil
	case rows.Plan.Info.HugeShare > noteHugeShare:
	case rows.Plan.Info.FarRows > 0:
		return []string{fmt.Sprintf("Half of the variance of the held-out rows is in %d of %d of them: nmse is about such "+
			"rows; sweep data inspect says more.", rows.Plan.Info.FarRows, rows.Plan.Info.EvalRows)}
	default:
		return nil
	}
	share, hint := rows.Plan.Info.HugeShare, "data.max_norm: 10x_median leaves them out"
	if rows.Plan.Info.MaxNorm > 0 {
		hint = "a smaller data.max_norm leaves them out"
	}
	return []string{fmt.Sprintf("%.0f%% of the mean square of the data is in rows of over 10 median norms "+
		"(huge_rows_share): the losses and metrics are about those rows; %s.", 100*share, hint)}
}

// auxkNotes is about AuxK, which acts on dead latents only. Where it varies, but no latent of a run was ever dead, the
// runs that differ in AuxK alone are equal, and a note says so.
func (rows Rows) auxkNotes() []string {
	var varying []string
	for _, key := range []string{"auxk_alpha", "k_aux"} {
		if slices.Contains(rows.axes(), key) {
			varying = append(varying, key)
		}
	}
	completed, withoutDead := 0, 0
	for _, r := range rows.Results {
		if r.Status == plan.Completed {
			completed++
			if r.Metrics.FirstDeadStep == nil {
				withoutDead++
			}
		}
	}
	if len(varying) == 0 || withoutDead == 0 {
		return nil
	}
	return []string{fmt.Sprintf("No latent was ever dead in %d of %d runs with results (first_dead_step is empty): "+
		"AuxK never acted there, and equal runs but for %s are one and the same.",
		withoutDead, completed, strings.Join(varying, " and "))}
}
