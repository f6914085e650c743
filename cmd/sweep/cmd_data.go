package main

import (
	"context"
	"fmt"
	"io"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/topksweep/sweep/cmd/sweep/progress"
	"github.com/topksweep/sweep/trainer"
	"github.com/topksweep/sweep/trainer/data"
)

func newDataCommand(env *environment) *cobra.Command {
	c := &cobra.Command{
		Use:   "data",
		Short: "Look at activation shards",
		Args:  unknownVerb,
		RunE:  showHelp,
	}
	c.AddCommand(newDataInspectCommand(env))
	return c
}

type dataInspectOptions struct {
	spec    trainer.DataSpec
	workers int // 0: one per core
	output  format
}

func newDataInspectCommand(env *environment) *cobra.Command {
	o := dataInspectOptions{output: newFormat("text", "json")}
	c := &cobra.Command{
		Use:   "inspect PATH",
		Short: "Read activation shards whole and say what they hold",
		Long: `Read every row of the activation shards at PATH, and print rows, width, dtype, mean
norm and two fingerprints. PATH is a folder, with its subfolders, a pattern such as
'shards/**/*.npy' or a file (.safetensors or .npy).
Rows that hold NaN or Inf are listed, and make the exit status 2.

content is the fingerprint of the rows as they are stored. data is the fingerprint of
what a run trains on, as in the column data of the results. It depends on data.normalize
and data.eval_tokens of the grid too: give both here as the grid does.`,
		Example: `  sweep data inspect activations/gpt2-small/l8
  sweep data inspect trainer/data/testdata/minilm-l3 --normalize mean_square --eval-tokens 500
  sweep data inspect 'shards/**/*.safetensors' -o json`,
		Args: args(cobra.ExactArgs(1)),
		RunE: func(c *cobra.Command, args []string) error {
			o.spec.Source = args[0]
			return runDataInspect(c.Context(), env, o)
		},
	}
	o.output.addFlag(c.Flags())
	c.Flags().StringVar(&o.spec.Normalize, "normalize", "none", "data.normalize of the grid: none or mean_square")
	c.Flags().Int64Var(&o.spec.EvalTokens, "eval-tokens", 0, "data.eval_tokens of the grid (default: auto)")
	c.Flags().Var(atLeast1(&o.workers), "workers", "shard readers at a time (default: one per core)")
	return c
}

// runDataInspect is the verb data inspect.
func runDataInspect(ctx context.Context, env *environment, o dataInspectOptions) error {
	r, err := data.Inspect(ctx, o.spec, data.Options{Workers: o.workers, Progress: progress.Percent(env.terminal())})
	if err != nil {
		return err
	}
	if o.output.name == "json" {
		err = env.writeJSON(r)
	} else {
		err = writeDataReport(env.out, r, o.spec)
	}
	if err == nil && r.NonFiniteRows > 0 {
		err = inputError{fmt.Errorf("%s: %d rows hold NaN or Inf: leave such rows out when you write shards",
			o.spec.Source, r.NonFiniteRows)}
	}
	return err
}

func writeDataReport(out io.Writer, r data.Report, spec trainer.DataSpec) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintf(w, "rows\t%d\n", r.Rows)
	fmt.Fprintf(w, "width\t%d\n", r.Dim)
	fmt.Fprintf(w, "dtype\t%s\n", r.DType)
	fmt.Fprintf(w, "shards\t%d\n", len(r.Shards))
	fmt.Fprintf(w, "bytes\t%d\n", r.Bytes)
	fmt.Fprintf(w, "mean norm\t%.6g\n", r.MeanNorm)
	fmt.Fprintf(w, "mean squared norm\t%.6g\n", r.MeanSquareNorm)
	fmt.Fprintf(w, "range\t%.6g to %.6g\n", r.Min, r.Max)
	fmt.Fprintf(w, "content\t%s\n", r.Content)
	if r.NoData == "" {
		fmt.Fprintf(w, "data\t%s  (normalize %s, %d rows held out)\n", r.Data, spec.Normalize, r.EvalRows)
	} else {
		fmt.Fprintf(w, "data\tnone: %s\n", r.NoData)
	}
	for _, b := range r.NonFinite {
		fmt.Fprintf(w, "not finite\t%s: row %d, column %d\n", b.File, b.Row, b.Col)
	}
	if len(r.Shards) > 1 {
		fmt.Fprint(w, "\nshard\trows\tdtype\tmean norm\n")
		for _, s := range r.Shards {
			fmt.Fprintf(w, "%s\t%d\t%s\t%.6g\n", s.File, s.Rows, s.DType, s.MeanNorm)
		}
	}
	return w.Flush()
}
