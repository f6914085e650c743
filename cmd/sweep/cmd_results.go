package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"
)

func newResultsCommand(env *environment) *cobra.Command {
	var o resultsOptions
	c := &cobra.Command{
		Use:   "results SWEEP…",
		Short: "Print the results of sweeps, also while they run",
		Long: `Print the results of one sweep or several as they are in the store, also while they run.
SWEEP is a name, an ID, or a file of results: CSV, JSON, JSON Lines or Parquet. No server
is needed: if one runs the sweep, the status of a run is the one that sweep status shows,
else pending until the run has ended. The results of several are one table, in which a
cell that two sweeps have has a row for each.

--where keeps some rows: conditions with = != < <= > >=, separated by commas. ^= is for
the beginning of a text, and 'nmse=' finds the rows without a value.

--group-by has one row for the runs that are equal in some columns: the mean of each
metric, its standard deviation and the number of runs. --pivot has one column for each
value of a column. Both take means over seeds alone. Runs that differ in another setting
are not mixed: it is an error, until --where chooses among them or --over names the
setting.

--join adds the columns of a CSV, JSON, JSON Lines or Parquet file, such as the losses
of a language model that deploy/harvest/loss.py measures. Its column cell says which
rows they belong to. All other flags know them.

On a terminal a table is as wide as that: columns with one value stand in a line above
it, and a line below names those that are left out. --columns chooses, and with it or
--all-columns nothing is left out. A file or a pipe gets the whole table.`,
		Example: `  sweep results topk-demo
  sweep results topk-demo -o csv > results.csv
  sweep results topk-demo --out results.parquet
  sweep results topk-demo --sort nmse --all-columns
  sweep results topk-demo --columns k,dict_size,nmse,flops,device_seconds
  sweep results topk-demo topk-large --where 'k=8,nmse<0.2'
  sweep results topk-demo --group-by k,dict_size --value nmse,dead_fraction
  sweep results topk-demo --pivot k,dict_size --value nmse --where auxk_alpha=0 -o latex
  sweep results a.parquet b.csv --group-by dict_size --over seed,lr
  sweep results topk-demo --mcc --group-by k,dict_size
  sweep results topk-demo --join loss.csv --sort -loss_recovered_zero
  sweep results topk-demo --reproducible -o csv | sha256sum`,
		Args: args(cobra.MinimumNArgs(1)),

		ValidArgsFunction: completeSweeps(&o.location),
		RunE: func(c *cobra.Command, args []string) error {
			o.sweeps = args
			return runResults(c.Context(), env, o)
		},
	}
	f := c.Flags()
	o.location.addFlags(f)
	o.connection.addFlags(f)
	o.output.addFlags(f, tableFormats()...)
	o.where.addFlag(f)
	f.StringVar(&o.sort, "sort", "", "sort by a `column`, descending with a leading - (default: the grid's order)")
	o.columns.known, o.columns.later = append(resultColumns(), mccColumn()), true
	o.columns.addFlag(f)
	f.BoolVar(&o.allColumns, "all-columns", false, "every column in a table")
	f.StringSliceVar(&o.groupBy, "group-by", nil, "mean, standard deviation and n for each value of these `columns`")
	f.StringSliceVar(&o.pivot, "pivot", nil, "the values of one column down and of another across, as `rows,columns`")
	f.StringSliceVar(&o.value, "value", nil, "the measured `columns` of --group-by, or the one of --pivot (default: nmse)")
	f.StringSliceVar(&o.over, "over", []string{"seed"}, "the `settings` over which means are taken")
	f.BoolVar(&o.mcc, "mcc", false, "add the column mcc: how alike the latents of runs are that differ in seed alone; "+
		"reads their models")
	f.StringArrayVar(&o.join, "join", nil, "add the columns of a `file` with a column cell; may be given several times")
	f.BoolVar(&o.reproducible, "reproducible", false, "without the columns that differ between equal sweeps")
	completeFlags(c, &o.location)
	return c
}

// runResults is the verb results.
func runResults(ctx context.Context, env *environment, o resultsOptions) error {
	if err := o.check(env); err != nil {
		return err
	}
	states := liveStates{env: env, connection: o.connection, dir: o.location.dir}
	defer states.close()
	tell := states.tell
	if o.reproducible { // what trains at the moment differs between equal sweeps
		tell = nil
	}
	in, err := readTables(ctx, o.location, o.sweeps, false, tell)
	if err != nil {
		return err
	}
	if len(in.curves.Columns) > 0 {
		return inputError{fmt.Errorf("a file of curves, with a column step, is among %s: sweep curves prints it",
			strings.Join(o.sweeps, ", "))}
	}
	if o.mcc {
		if err := addMCC(ctx, env, o.location, &in.results); err != nil {
			return err
		}
	}
	if !o.mcc && len(o.join) == 0 && len(in.rows) == len(o.sweeps) {
		return o.printSweeps(env, in)
	}
	if err := o.joinFiles(env, &in.results); err != nil {
		return err
	}
	return o.printTable(env, in.results)
}
