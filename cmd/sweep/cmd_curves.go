package main

import (
	"context"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/topksweep/sweep/sweep/report"
	"github.com/topksweep/sweep/sweep/table"
)

type curvesOptions struct {
	location location
	output   tableOutput
	where    whereOption
	sweeps   []string // names, IDs or files
}

func newCurvesCommand(env *environment) *cobra.Command {
	var o curvesOptions
	c := &cobra.Command{
		Use:   "curves SWEEP…",
		Short: "Print the training curves of sweeps as one table",
		Long: `Print the curves of the completed runs of one sweep or several as one table, a row for
each point: losses, the held-out nmse where it was measured, dead latents, learning rate,
gradient norm, tokens and operations. The last row of a run has its final nmse. The
settings that vary are columns, too; lr_setting is the setting lr.

SWEEP is a name, an ID, or a file that this verb has written. No server is needed. A
curve that is missing or damaged is left out, with a note.`,
		Example: `  sweep curves topk-demo > curves.csv
  sweep curves topk-demo --out curves.parquet
  sweep curves topk-demo --where 'k=8,auxk_alpha=0,nmse!=' -o jsonl`,
		Args: args(cobra.MinimumNArgs(1)),

		ValidArgsFunction: completeSweeps(&o.location),
		RunE: func(c *cobra.Command, args []string) error {
			o.sweeps = args
			return runCurves(c.Context(), env, o)
		},
	}
	o.location.addFlags(c.Flags())
	o.output.addFlags(c.Flags(), "csv", "json", "jsonl", "parquet")
	o.where.addFlag(c.Flags())
	return c
}

// runCurves is the verb curves.
func runCurves(ctx context.Context, env *environment, o curvesOptions) error {
	if err := o.output.check(env); err != nil {
		return err
	}
	t, err := readTables(ctx, o.location, o.sweeps, true, nil)
	if err != nil {
		return err
	}
	if len(t.curves.Columns) == 0 {
		return inputError{fmt.Errorf("%s: no column step, so that it holds no curves; sweep results prints results",
			strings.Join(o.sweeps, ", "))}
	}
	env.note(t.notes...)
	report.AddSettings(&t.curves, &t.results)
	curves, err := o.where.apply(env, t.curves)
	if err != nil {
		return err
	}
	return o.output.write(env, func(w io.Writer, f table.Format) error { return f.Write(w, &curves) })
}
