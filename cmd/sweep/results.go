package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/pflag"

	"github.com/topksweep/sweep/sweep/ledger"
	"github.com/topksweep/sweep/sweep/plan"
	"github.com/topksweep/sweep/sweep/report"
	"github.com/topksweep/sweep/sweep/table"
)

// outputOptions say how verbs that train print the results at the end.
type outputOptions struct {
	format     format
	sort       sortColumn
	columns    columnsFlag
	allColumns bool // also in a table for a terminal
}

func (o *outputOptions) addFlags(f *pflag.FlagSet) {
	o.format = newFormat(tableFormats()...)
	o.format.addFlag(f)
	f.Var(&o.sort, "sort", "sort by a `column`, descending with a leading - (default: the grid's order)")
	o.columns.known = resultColumns()
	o.columns.addFlag(f)
	f.BoolVar(&o.allColumns, "all-columns", false, "every column in a table")
}

// A sortColumn is the value of the flag --sort: a column of the results, with a
// leading - if they are to descend, or empty.
type sortColumn string

// Set implements pflag.Value. It refuses a column that there is not.
func (c *sortColumn) Set(s string) error {
	*c = sortColumn(s)
	return c.sort(&report.Rows{})
}

func (c *sortColumn) Type() string   { return "string" }
func (c *sortColumn) String() string { return string(*c) }

func (c *sortColumn) sort(rows *report.Rows) error {
	if *c == "" {
		return nil
	}
	if err := rows.Sort(string(*c)); err != nil {
		return inputError{fmt.Errorf("--sort %s: %w", *c, err)}
	}
	return nil
}

// printResults prints what the runs of a sweep have come to, as the store tells it.
func printResults(ctx context.Context, env *environment, l *ledger.Ledger, header *plan.Header, o outputOptions) (
	[]ledger.Result, error) {

	results, err := l.Results(ctx, header)
	if err == nil {
		err = l.CountAuxK(ctx, results)
	}
	if err != nil {
		return nil, err
	}
	rows := report.Rows{
		Plan: header, Results: results, AllColumns: o.allColumns || o.columns.all(), Columns: o.columns.chosen(),
		Width: env.width,
	}
	if err := o.sort.sort(&rows); err != nil {
		return nil, err
	}
	more, err := bestOf(env, header, o, &rows)
	if err != nil {
		return nil, err
	}
	if err := report.Write(env.out, o.format.name, rows); err != nil {
		return results, err
	}
	_, err = io.WriteString(env.errOut, more)
	return results, err
}

// resultsOptions are those of the verb results.
type resultsOptions struct {
	location     location
	connection   connection
	output       tableOutput
	where        whereOption
	sweeps       []string // names, IDs or files
	sort         string
	columns      columnsFlag
	allColumns   bool
	groupBy      []string
	pivot        []string
	value        []string
	over         []string
	reproducible bool
	mcc          bool
	join         []string // files
}

// checkNames refuses lists of columns that name none, and columns that the other flags leave out.
func (o *resultsOptions) checkNames() error {
	ofFiles := slices.ContainsFunc(o.sweeps, isTableFile) || len(o.join) > 0
	for _, list := range []struct {
		flag    string
		columns []string
	}{
		{"columns", o.columns.names}, {"group-by", o.groupBy}, {"pivot", o.pivot}, {"value", o.value}, {"over", o.over},
		{"sort", []string{strings.TrimPrefix(o.sort, "-")}},
	} {
		for i, name := range list.columns {
			list.columns[i] = strings.TrimSpace(name) // as in "k, dict_size"
		}
		if o.output.flags.Changed(list.flag) && len(list.columns) == 0 {
			return inputError{fmt.Errorf("--%s: no column is named", list.flag)}
		}
		if !o.mcc && !ofFiles && slices.Contains(list.columns, mccColumn().Name) { // a file may have it
			return inputError{fmt.Errorf("--%s mcc: the flag --mcc computes this column", list.flag)}
		}
		for _, name := range list.columns {
			if o.reproducible && report.Varies(name) {
				return inputError{fmt.Errorf("--%s %s: --reproducible is without this column, which differs between equal sweeps",
					list.flag, name)}
			}
		}
	}
	if o.reproducible && slices.ContainsFunc(o.where.filter.Columns(), report.Varies) {
		return inputError{fmt.Errorf("--where '%s': --reproducible is without the columns that differ between equal sweeps",
			&o.where)}
	}
	return nil
}

// check refuses flags that do not go together.
func (o *resultsOptions) check(env *environment) error {
	if err := o.checkNames(); err != nil {
		return err
	}
	fault := ""
	switch {
	case len(o.pivot) > 0 && len(o.groupBy) > 0:
		fault = "--pivot and --group-by: want one of them"
	case len(o.pivot) > 0 && len(o.pivot) != 2:
		fault = fmt.Sprintf("--pivot %s: want two columns, as in k,dict_size", strings.Join(o.pivot, ","))
	case len(o.pivot) > 0 && len(o.value) > 1:
		fault = fmt.Sprintf("--value %s: --pivot has one", strings.Join(o.value, ","))
	case len(o.value) > 0 && len(o.pivot)+len(o.groupBy) == 0:
		fault = "--value goes with --group-by or --pivot; --columns chooses columns"
	case o.output.flags.Changed("over") && len(o.pivot)+len(o.groupBy) == 0:
		fault = "--over goes with --group-by or --pivot"
	case len(o.columns.chosen()) > 0 && o.allColumns:
		fault = "--columns and --all-columns: want one of them"
	}
	if fault != "" {
		return inputError{errors.New(fault)}
	}
	return o.output.check(env)
}

// printSweeps prints the results of sweeps.
func (o *resultsOptions) printSweeps(env *environment, in tables) error {
	rows := report.Join(in.rows...)
	rows.AllColumns, rows.Width = o.showAll(), o.output.width(env)
	before := rows.Table()
	if err := rows.Filter(o.where.filter); err != nil {
		hint := ""
		if slices.Contains(o.where.filter.Columns(), mccColumn().Name) {
			hint = "; mcc: the flag --mcc computes it"
		}
		return inputError{fmt.Errorf("--where '%s': %w%s", &o.where, err, hint)}
	}
	o.where.noteNone(env, len(rows.Results), before)
	if len(o.groupBy)+len(o.pivot) > 0 {
		return o.printMeans(env, rows.Table())
	}
	if o.sort != "" {
		if err := rows.Sort(o.sort); err != nil {
			return inputError{fmt.Errorf("--sort %s: %w", o.sort, err)}
		}
	}
	if len(o.columns.chosen()) == 0 && !o.reproducible {
		return o.output.write(env, func(w io.Writer, f table.Format) error { return report.Write(w, f.Name, rows) })
	}
	f, err := table.FormatOf(o.output.format.name)
	if err != nil {
		return err
	}
	if len(o.columns.chosen()) == 0 && !f.Exact { // a table has no column that differs between equal sweeps
		return o.output.write(env, func(w io.Writer, f table.Format) error { return report.Write(w, f.Name, rows) })
	}
	return o.printColumns(env, rows.Table())
}

// printTable prints results that come from files, or from sweeps and files.
func (o *resultsOptions) printTable(env *environment, t table.Table) error {
	axes := report.Varying(&t) // before rows are left out: a table of a sweep shows its axes, too
	t, err := o.where.apply(env, t)
	if err != nil {
		return err
	}
	if len(o.groupBy)+len(o.pivot) > 0 {
		return o.printMeans(env, t)
	}
	if t, err = o.sorted(t); err != nil {
		return err
	}
	f, err := table.FormatOf(o.output.format.name)
	if err != nil {
		return err
	}
	if len(o.columns.chosen()) == 0 && !f.Exact {
		if t, err = t.Select(report.Shown(&t, axes, o.showAll())); err != nil {
			return err
		}
	}
	return o.printColumns(env, t)
}

// showAll reports whether a table is to have every column.
func (o *resultsOptions) showAll() bool { return o.allColumns || o.columns.all() }

// printColumns prints a table with the chosen columns, without those that differ between equal sweeps if it is to be
// reproducible.
func (o *resultsOptions) printColumns(env *environment, t table.Table) error {
	t, err := o.columns.of(t)
	if err != nil {
		return err
	}
	if o.reproducible {
		if t, err = report.Reproducible(t); err != nil {
			return err
		}
	}
	return o.output.write(env, func(w io.Writer, f table.Format) error {
		if f.Exact {
			return f.Write(w, &t)
		}
		look := report.Look{
			Width: o.output.width(env), Rows: "runs", Chosen: len(o.columns.chosen()) > 0, All: o.showAll(),
		}
		return look.Write(w, f, t)
	})
}

func (o *resultsOptions) sorted(t table.Table) (table.Table, error) {
	if o.sort == "" {
		return t, nil
	}
	order, err := t.Order(o.sort)
	if err != nil {
		return t, inputError{fmt.Errorf("--sort %s: %w", o.sort, err)}
	}
	return t.Pick(order), nil
}

// printMeans prints the table of --group-by or --pivot.
func (o *resultsOptions) printMeans(env *environment, t table.Table) error {
	f, err := table.FormatOf(o.output.format.name)
	if err != nil {
		return err
	}
	for _, key := range o.over {
		if t.Index(key) < 0 && o.output.flags.Changed("over") {
			_, err := t.Select([]string{key})
			return inputError{fmt.Errorf("--over: %w", err)}
		}
	}
	if o.reproducible {
		if t, err = report.Reproducible(t); err != nil {
			return err
		}
	}
	var out table.Table
	var notes []string
	grouping := report.GroupingOf(&t, o.over)
	if len(o.pivot) > 0 {
		value, most := "nmse", 0
		if len(o.value) > 0 {
			value = o.value[0]
		}
		out, most, err = t.Pivot(o.pivot[0], o.pivot[1], value, grouping)
		note := fmt.Sprintf("Values: %s.", value)
		if most > 1 {
			note = fmt.Sprintf("Values: mean %s of up to %d runs, which differ in %s.", value, most, strings.Join(o.over, ", "))
		}
		notes = append(notes, note)
		err = o.explain(err, "--pivot "+strings.Join(o.pivot, ","))
	} else {
		values := o.value
		if len(values) == 0 {
			values = report.Measured(&t, f.Exact || o.showAll()) // mcc is among them
		}
		out, err = t.Group(o.groupBy, values, grouping)
		err = o.explain(err, "--group-by "+strings.Join(o.groupBy, ","))
	}
	if err != nil {
		return err
	}
	if out, err = o.sorted(out); err != nil {
		return err
	}
	if out, err = o.columns.of(out); err != nil {
		return err
	}
	return o.output.write(env, func(w io.Writer, f table.Format) error {
		if f.Exact {
			return f.Write(w, &out)
		}
		look := report.Look{
			Width: o.output.width(env), Rows: "rows", Chosen: len(o.pivot)+len(o.columns.chosen()) > 0,
			Notes: notes,
		}
		return look.Write(w, f, out)
	})
}

// explain says what to do about runs that may not be mixed.
func (o *resultsOptions) explain(err error, flag string) error {
	mixed := (*table.MixedError)(nil)
	if !errors.As(err, &mixed) {
		if err != nil {
			err = inputError{fmt.Errorf("%s: %w", flag, err)}
		}
		return err
	}
	key, over := mixed.Keys[0], slices.Concat(o.over, mixed.Keys)
	hint := fmt.Sprintf("choose among them with --where '%s=…', or take the mean over them with --over %s",
		key, strings.Join(over, ","))
	if len(o.groupBy) > 0 {
		hint = fmt.Sprintf("add %s to --group-by, %s", strings.Join(mixed.Keys, ","), hint)
	}
	return inputError{fmt.Errorf("%s: %w, which a mean over %s may not mix: %s",
		flag, mixed, strings.Join(o.over, ","), hint)}
}
