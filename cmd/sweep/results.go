package main

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/topksweep/sweep/storage"
	"github.com/topksweep/sweep/sweep/ledger"
	"github.com/topksweep/sweep/sweep/plan"
	"github.com/topksweep/sweep/sweep/report"
)

// outputFlags say how results are printed.
type outputFlags struct {
	format string
	sort   string
	all    bool
}

func (o *outputFlags) flags(f *pflag.FlagSet) {
	f.StringVarP(&o.format, "output", "o", "table", strings.Join(formatNames(), ", "))
	f.StringVar(&o.sort, "sort", "", "sort by a `column`, descending with a leading - (default: the grid's order)")
	f.BoolVar(&o.all, "all-columns", false, "every column in a table")
}

func formatNames() []string {
	var names []string
	for _, f := range report.Formats() {
		names = append(names, f.Name)
	}
	return names
}

func (o *outputFlags) check() error {
	if !slices.Contains(formatNames(), o.format) {
		return inputError{fmt.Errorf("-o %s: want one of %s", o.format, strings.Join(formatNames(), ", "))}
	}
	return o.sorted(report.Rows{})
}

func (o *outputFlags) sorted(rows report.Rows) error {
	if o.sort == "" {
		return nil
	}
	if err := rows.Sort(o.sort); err != nil {
		return inputError{fmt.Errorf("--sort %s: %w", o.sort, err)}
	}
	return nil
}

func (a *app) resultsCmd() *cobra.Command {
	var p place
	var out outputFlags
	c := &cobra.Command{
		Use:   "results SWEEP",
		Short: "Print the results of a sweep, also while it runs",
		Long: `Print the results of a sweep as they are in the store, also while it runs. SWEEP is a
name or an ID. No server is needed.`,
		Example: `  sweep results topk-demo
  sweep results topk-demo -o csv > results.csv
  sweep results topk-demo --sort nmse --all-columns`,
		Args: args(cobra.ExactArgs(1)),

		ValidArgsFunction: completeSweep(&p),
		RunE: func(c *cobra.Command, args []string) error {
			if err := out.check(); err != nil {
				return err
			}
			store, err := readStore(c.Context(), p.storeURL())
			if err != nil {
				return err
			}
			header, err := findSweep(c.Context(), store, args[0])
			if err != nil {
				return err
			}
			rows, err := loadRows(c.Context(), store, header)
			if err != nil {
				return err
			}
			return a.print(rows, out)
		},
	}
	p.flags(c.Flags())
	out.flags(c.Flags())
	return c
}

func loadRows(ctx context.Context, store storage.Store, header *plan.Header) (report.Rows, error) {
	rows, err := ledger.New(store).Results(ctx, header)
	return report.Rows{Plan: header, Results: rows}, err
}

func (a *app) print(rows report.Rows, out outputFlags) error {
	rows.AllColumns = out.all
	if err := out.sorted(rows); err != nil {
		return err
	}
	return report.Write(a.out, out.format, rows)
}
