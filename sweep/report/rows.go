package report

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/topksweep/sweep/sweep/ledger"
	"github.com/topksweep/sweep/sweep/plan"
	"github.com/topksweep/sweep/sweep/table"
	"github.com/topksweep/sweep/trainer"
)

// Rows are the results of one sweep or several, one for each run, in the order in which they are written.
type Rows struct {
	Plan       *plan.Header // of the one sweep; its Axes are the keys that vary. Without it, those that differ are
	Results    []ledger.Result
	AllColumns bool // tables show every column, except those of groupTime and groupFile
	Some       bool // Results are some of the runs: what is said of all of them is said of those that are shown

	// How Write shows them to a person: the columns that are named, nil for the usual ones, and the width of the terminal
	// in columns, 0 for a file.
	Columns []string
	Width   int

	plans []*plan.Header // of several sweeps
	table *table.Table   // what Table returns, once Tabulate was called; nil before
}

// Tabulate makes the table that all methods use from now on. Without it each call of Table, Filter, Sort and Write
// makes one, which takes long where there are many rows. Nothing may change Plan and Results afterwards.
func (rows *Rows) Tabulate() {
	t := rows.Table()
	rows.table = &t
}

// Join returns the results of several sweeps as those of one. A cell of several sweeps has a row for each.
func Join(sweeps ...Rows) Rows {
	if len(sweeps) == 1 {
		return sweeps[0]
	}
	var out Rows
	for _, rows := range sweeps {
		out.AllColumns = out.AllColumns || rows.AllColumns
		out.Results = append(out.Results, rows.Results...)
		out.plans = append(out.plans, rows.headers()...)
	}
	return out
}

// headers returns the plans of the sweeps.
func (rows Rows) headers() []*plan.Header {
	if rows.Plan != nil {
		return []*plan.Header{rows.Plan}
	}
	return rows.plans
}

// columns returns every column in the order of these results: the cell's ID, the keys that vary, the other settings,
// the metrics, and then steps and what is about the run as a whole.
func (rows Rows) columns() []Column {
	axes := rows.axes()
	rank := func(c Column) int {
		switch i := slices.Index(axes, c.Name); {
		case c.group == groupID, c.group == groupSweep, c.Name == "run":
			return -1
		case (c.group == groupSetting || c.Name == plan.DataKey) && i >= 0:
			return i
		case c.group == groupSetting && c.Name != "steps", c.group == groupWritten:
			return len(axes)
		case c.group == groupMetric, c.Name == "density":
			return len(axes) + 1
		}
		return len(axes) + 2
	}
	out := withLengths(rows.nameSets(Columns()), axes)
	for i, c := range out {
		if c.info != nil {
			out[i].get = func(r *ledger.Result) any {
				if info := rows.infoOf(r); info.MedianNorm > 0 { // plans of version 0.1.0 do not know the norms
					return c.info(info)
				}
				return nil
			}
		}
	}
	slices.SortStableFunc(out, func(a, b Column) int { return cmp.Compare(rank(a), rank(b)) })
	return out
}

// infoOf returns what is known of the data of a result.
func (rows Rows) infoOf(r *ledger.Result) trainer.DataInfo {
	for _, h := range rows.headers() {
		if rows.Plan == nil && h.ID != r.Sweep {
			continue
		}
		for _, s := range h.DataSets() {
			if s.Name == r.Set {
				return s.Info
			}
		}
	}
	return trainer.DataInfo{}
}

// axes returns the keys that vary: in the plan of the one sweep; in any plan of several, and then those that differ
// between results.
func (rows Rows) axes() []string {
	if rows.Plan != nil {
		return rows.Plan.Axes
	}
	var out []string
	for _, h := range rows.plans {
		for _, key := range h.Axes {
			if !slices.Contains(out, key) {
				out = append(out, key)
			}
		}
	}
	columns := settingColumns()
	if rows.setNames() != nil {
		data := rows.nameSets(dataColumns())[0]
		data.group = groupSetting
		columns = append(columns, data)
	}
	for _, c := range columns {
		first := any(nil)
		differs := func(r ledger.Result) bool {
			v := c.get(&r)
			if first == nil {
				first = v
			}
			return v != nil && v != first
		}
		if c.group == groupSetting && !slices.Contains(out, c.Name) && slices.ContainsFunc(rows.Results, differs) {
			out = append(out, c.Name)
		}
	}
	return out
}

// Table returns the results with every column.
func (rows Rows) Table() table.Table {
	if rows.table != nil {
		return *rows.table
	}
	columns := rows.columns()
	t := table.Table{Rows: make([][]any, len(rows.Results))}
	for _, c := range columns {
		t.Columns = append(t.Columns, c.Column)
	}
	above := make([]any, len(columns))
	for i := range rows.Results {
		row := make([]any, len(columns))
		for j, c := range columns {
			v := c.get(&rows.Results[i])
			if x, ok := v.(float64); ok {
				v = finiteOrNil(x)
			}
			if same(v, above[j]) {
				v = above[j] // takes no memory of its own
			}
			row[j] = v
		}
		t.Rows[i], above = row, row
	}
	return t
}

// same reports whether two values are equal texts or numbers.
func same(v, w any) bool {
	switch x := v.(type) {
	case string, int64:
		return v == w
	case float64:
		y, ok := w.(float64)
		return ok && math.Float64bits(x) == math.Float64bits(y) // 0 is not -0
	}
	return false
}

// Filter keeps the rows that are in a filter. The error is that of table.Filter.Rows.
func (rows *Rows) Filter(f table.Filter) error {
	t := rows.Table()
	keep, err := f.Rows(&t)
	if err == nil && len(keep) < len(rows.Results) {
		rows.pick(keep)
	}
	return err
}

// Sort sorts the rows by a column, in descending order if its name has a minus before it. Rows without a value come
// last. Rows with equal values keep their order.
func (rows *Rows) Sort(column string) error {
	t := rows.Table()
	order, err := t.Order(column)
	if err == nil {
		rows.pick(order)
	}
	return err
}

func (rows *Rows) pick(indices []int) {
	picked := make([]ledger.Result, len(indices))
	for i, r := range indices {
		picked[i] = rows.Results[r]
	}
	rows.Results = picked
	if rows.table != nil {
		t := rows.table.Pick(indices)
		rows.table = &t
	}
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

// notes returns the sentences below a table.
func (rows Rows) notes() []string {
	return slices.Concat(rows.hugeNotes(), rows.auxkNotes(), rows.oldNotes())
}

// hugeNotes says where metrics are about a few rows, of huge norms or far from the mean.
func (rows Rows) hugeNotes() []string {
	var out []string
	for _, h := range rows.headers() {
		for _, s := range h.DataSets() {
			note := hugeNote(s.Info)
			if note != "" && s.Name != "" {
				note = "Data set " + s.Name + ": " + note
			}
			if note != "" && !slices.Contains(out, note) {
				out = append(out, note)
			}
		}
	}
	return out
}

func hugeNote(info trainer.DataInfo) string {
	switch {
	case info.MedianNorm <= 0: // plans of version 0.1.0 do not know the norms
		return ""
	case info.HugeShare > noteHugeShare:
	case info.FarRows > 0:
		return fmt.Sprintf("Half of the variance of the held-out rows is in %d of %d of them: nmse is about such "+
			"rows; sweep data inspect says more.", info.FarRows, info.EvalRows)
	default:
		return ""
	}
	hint := "data.max_norm: 10x_median leaves them out"
	if info.MaxNorm > 0 {
		hint = "a smaller data.max_norm leaves them out"
	}
	return fmt.Sprintf("%.0f%% of the mean square of the data is in rows of over 10 median norms "+
		"(huge_rows_share): the losses and metrics are about those rows; %s.", 100*info.HugeShare, hint)
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
