package main

import (
	"encoding/json"
	"fmt"
	"text/tabwriter"
	
	"github.com/spf13/cobra"

	"github.com/topksweep/sweep/cmd/sweep/progress"
	"github.com/topksweep/sweep/trainer"
	"github.com/topksweep/sweep/trainer/data"
)

func (a *app) dataCmd() *cobra.Command {
	c := &cobra.Command{
		Use:   "data",
		Short: "Look at activation shards",
		Args:  unknownVerb,
		RunE:  help,
	}
	c.AddCommand(a.inspectCmd())
	return c
}

func (a *app) inspectCmd() *cobra.Command {
	var output string
	var workers int
	var spec trainer.DataSpec
	c := &cobra.Command{
		Use:   "inspect PATH",
		Short: "Read activation shards whole and say what they hold",
		Long: `Read every row of the activation shards at PATH, a directory, a glob or a file
(.safetensors or .npy), and print rows, width, dtype, mean norm and two fingerprints.
Rows that hold NaN or Inf are listed, and make the exit status 2.

content is the fingerprint of the rows as they are stored. data is that of what a run
trains on, the column data of its results: it depends on the grid's data.normalize and
data.eval_tokens too, so give those here as the grid does.`,
		Example: `  sweep data inspect activations/gpt2-small/l8
  sweep data inspect trainer/data/testdata/minilm-l3 --normalize mean_square --eval-tokens 500
  sweep data inspect 'shards/*.safetensors' -o json`,
		Args: args(cobra.ExactArgs(1)),
		RunE: func(c *cobra.Command, args []string) error {
			if output != "text" && output != "json" {
				return inputError{fmt.Errorf("-o %s: want text or json", output)}
			}
			spec.Source = args[0]
			r, err := data.Inspect(c.Context(), spec, data.Options{Workers: workers, Progress: progress.Percent(a.terminal())})
			if err != nil {
				return err
			}
			if output == "json" {
				e := json.NewEncoder(a.out)
				e.SetIndent("", "  ")
				err = e.Encode(r)
			} else {
				err = a.writeReport(r, spec)
			}
			if err == nil && r.NonFiniteRows > 0 {
				err = inputError{fmt.Errorf("%s: %d rows hold NaN or Inf: leave such rows out when you write shards", args[0], r.NonFiniteRows)}
			}
			return err
		},
	}
	c.Flags().StringVarP(&output, "output", "o", "text", "text or json")
	c.Flags().StringVar(&spec.Normalize, "normalize", "none", "data.normalize of the grid: none or mean_square")
	c.Flags().Int64Var(&spec.EvalTokens, "eval-tokens", 0, "data.eval_tokens of the grid (default: auto)")
	c.Flags().Var(atLeast1(&workers), "workers", "shard readers at a time (default: one per core)")
	return c
}

func (a *app) writeReport(r data.Report, spec trainer.DataSpec) error {
	w := tabwriter.NewWriter(a.out, 0, 0, 2, ' ', 0)
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
