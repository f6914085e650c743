package main

import (
	"context"
	"fmt"

	"github.com/spf13/pflag"

	"github.com/topksweep/sweep/sweep/ledger"
	"github.com/topksweep/sweep/sweep/plan"
	"github.com/topksweep/sweep/sweep/report"
)

// outputOptions say how results are printed.
type outputOptions struct {
	format     format
	sort       sortColumn
	allColumns bool // also in a table for a terminal
}

func (o *outputOptions) addFlags(f *pflag.FlagSet) {
	var names []string
	for _, format := range report.Formats() {
		names = append(names, format.Name)
	}
	o.format = newFormat(names...)
	o.format.addFlag(f)
	f.Var(&o.sort, "sort", "sort by a `column`, descending with a leading - (default: the grid's order)")
	f.BoolVar(&o.allColumns, "all-columns", false, "every column in a table")
}

// A sortColumn is the value of the flag --sort: a column of the results, with a
// leading - if they are to descend, or empty.
type sortColumn string

// Set implements pflag.Value. It refuses a column that there is not.
func (c *sortColumn) Set(s string) error {
	*c = sortColumn(s)
	return c.sort(report.Rows{})
}

func (c *sortColumn) Type() string   { return "string" }
func (c *sortColumn) String() string { return string(*c) }

func (c *sortColumn) sort(rows report.Rows) error {
	if *c == "" {
		return nil
	}
	if err := rows.Sort(string(*c)); err != nil {
		return inputError{fmt.Errorf("--sort %s: %w", *c, err)}
	}
	return nil
}

// printResults prints what the runs of a sweep have come to, as the store tells it.
func printResults(ctx context.Context, env *environment, l *ledger.Ledger, header *plan.Header, o outputOptions) error {
	results, err := l.Results(ctx, header)
	if err != nil {
		return err
	}
	rows := report.Rows{Plan: header, Results: results, AllColumns: o.allColumns}
	if err := o.sort.sort(rows); err != nil {
		return err
	}
	return report.Write(env.out, o.format.name, rows)
}
