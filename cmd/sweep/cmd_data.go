package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

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
	form    formFlags
	heldOut string // the file for the held-out rows; "" for none
	workers int    // 0: one per core
	output  format
}

func newDataInspectCommand(env *environment) *cobra.Command {
	o := dataInspectOptions{output: newFormat("text", "json")}
	c := &cobra.Command{
		Use:   "inspect PATH",
		Short: "Read activation shards whole and say what they hold",
		Long: `Read every row of the activation shards at PATH, and print rows, width, dtype, norms
and two fingerprints. PATH is a folder, with its subfolders, a pattern such as
'shards/**/*.npy' or a file (.safetensors, .npy, .arrow or .parquet; any with --raw-dtype).
Rows that hold NaN or Inf are listed, and make the exit status 2.

content is the fingerprint of the rows as they are stored, in whichever files. data is the
fingerprint of what a run trains on, as in the column data of the results. It depends on
normalize, eval_tokens, eval_source, max_norm, shuffle, tensor and verify in the section
data of the grid too: give them here as the grid does.

Notes say what makes metrics mislead. A few rows of huge norms, such as attention sinks,
or a few dimensions may hold most of the mean square: then losses are about them alone.
data.max_norm: 10x_median leaves rows out. Held-out rows that are training rows too are
counted. Norms and shares are those of a sample of up to 1,048,576 training rows: norms
are those that 1%, 10% and so on of the rows do not exceed, and the mean row's share is
that of its squared norm in the mean squared norm.

--held-out writes the rows that the runs of a grid hold out, in their order, as they are
stored, in float32: normalize does not scale them. docs/data.md says how they are chosen.`,
		Example: `  sweep data inspect activations/gpt2-small/l8
  sweep data inspect trainer/data/testdata/minilm-l3 --normalize mean_square --eval-tokens 500
  sweep data inspect shards --max-norm 10x_median
  sweep data inspect shards --eval-source held-out
  sweep data inspect shards --tensor blocks.8.hook_resid_post --held-out held-out.npy
  sweep data inspect acts.bin --raw-dtype f16 --raw-width 768
  sweep data inspect 'shards/**/*.safetensors' -o json`,
		Args: args(cobra.ExactArgs(1)),
		RunE: func(c *cobra.Command, args []string) error {
			o.spec.Source = args[0]
			o.form.set(&o.spec)
			return runDataInspect(c.Context(), env, o)
		},
	}
	o.output.addFlag(c.Flags())
	c.Flags().StringVar(&o.spec.Normalize, "normalize", "none", "data.normalize of the grid: none or mean_square")
	c.Flags().Int64Var(&o.spec.EvalTokens, "eval-tokens", 0, "data.eval_tokens of the grid (default: auto)")
	c.Flags().StringVar(&o.spec.EvalSource, "eval-source", "",
		"data.eval_source of the grid: `shards` whose rows are all held out")
	c.Flags().StringVar(&o.spec.MaxNorm, "max-norm", "",
		"data.max_norm of the grid: leave out rows with a larger norm, such as 60 or 10x_median")
	c.Flags().StringVar(&o.spec.Verify, "verify", "whole",
		"data.verify of the grid: whole, or sample to hash a part of the bytes")
	c.Flags().StringVar(&o.spec.Shuffle, "shuffle", "full", "data.shuffle of the grid: full or blocks")
	o.form.addFlags(c)
	c.Flags().StringVar(&o.heldOut, "held-out", "", "write the held-out rows to this `FILE.npy`")
	env.cacheFlag.addFlags(c.Flags())
	c.Flags().Var(atLeast1(&o.workers), "workers", "shard readers at a time (default: one per core)")
	return c
}

// runDataInspect is the verb data inspect.
func runDataInspect(ctx context.Context, env *environment, o dataInspectOptions) error {
	options, err := env.dataOptions()
	if err != nil {
		return err
	}
	options.Workers = o.workers
	r, err := data.Inspect(ctx, o.spec, options)
	if err != nil {
		return err
	}
	if o.output.name == "json" {
		err = env.writeJSON(r)
	} else {
		err = env.print(func(w io.Writer) error { return writeDataReport(w, r, o.spec) })
	}
	if err != nil {
		return err
	}
	if o.heldOut != "" {
		rows, err := data.WriteHeldOut(ctx, o.spec, options, o.heldOut)
		if err != nil {
			return err
		}
		env.note(fmt.Sprintf("%s: %d held-out rows, as they are stored", o.heldOut, rows))
	}
	notFinite := func(source string, r data.Report) error {
		if r.NonFiniteRows == 0 {
			return nil
		}
		return inputError{fmt.Errorf("%s: %d rows hold NaN or Inf: leave such rows out when you write shards",
			source, r.NonFiniteRows)}
	}
	err = notFinite(o.spec.Source, r)
	if r.EvalSource != nil {
		err = errors.Join(err, notFinite(o.spec.EvalSource, *r.EvalSource))
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
	writeSample(w, r)
	fmt.Fprintf(w, "content\t%s\n", r.Content)
	if of := r.EvalSource; of != nil {
		fmt.Fprintf(w, "eval source\t%d rows in %d shards (dtype %s, mean norm %.6g, range %.6g to %.6g), content %s\n",
			of.Rows, len(of.Shards), of.DType, of.MeanNorm, of.Min, of.Max, of.Content)
	}
	if r.NoData == "" {
		fmt.Fprintf(w, "data\t%s  (normalize %s, %d rows held out)\n", r.Data, spec.Normalize, r.EvalRows)
	} else {
		fmt.Fprintf(w, "data\tnone: %s\n", r.NoData)
	}
	if r.MaxNorm > 0 {
		fmt.Fprintf(w, "left out\t%d rows with a norm above %.6g\n", r.LeftOut, r.MaxNorm)
	}
	if r.NoData == "" && spec.Verify != "sample" && !strings.HasPrefix(r.Content, "objects-") { // else not counted
		fmt.Fprintf(w, "repeated\t%d of %d held-out rows are training rows too\n", r.EvalRepeated, r.EvalRows)
	}
	for _, note := range r.Notes {
		fmt.Fprintf(w, "note\t%s\n", note)
	}
	bad, shards := r.NonFinite, r.Shards
	if of := r.EvalSource; of != nil {
		bad, shards = slices.Concat(bad, of.NonFinite), slices.Concat(shards, of.Shards)
	}
	for _, b := range bad {
		fmt.Fprintf(w, "not finite\t%s: row %d, column %d\n", b.File, b.Row, b.Col)
	}
	if len(shards) > 1 {
		fmt.Fprint(w, "\nshard\trows\tdtype\tmean norm\n")
		for _, s := range shards {
			fmt.Fprintf(w, "%s\t%d\t%s\t%.6g\n", s.File, s.Rows, s.DType, s.MeanNorm)
		}
	}
	return w.Flush()
}

// writeSample writes what the sample of the training rows shows.
func writeSample(w io.Writer, r data.Report) {
	s := r.Sample
	if s == nil {
		return
	}
	fmt.Fprintf(w, "median norm\t%.6g  (of %d training rows)\n", s.MedianNorm, s.Rows)
	fmt.Fprintf(w, "norms\t1%% %.6g, 10%% %.6g, 50%% %.6g, 90%% %.6g, 99%% %.6g, 99.9%% %.6g, largest %.6g\n",
		s.Norm1, s.Norm10, s.Norm50, s.Norm90, s.Norm99, s.Norm999, s.LargestNorm)
	fmt.Fprintf(w, "mean row\t%.3g%% of the mean square\n", 100*s.MeanShare)
	fmt.Fprintf(w, "huge rows\t%.3g%% of the mean square, in rows of over 10 median norms\n", 100*s.HugeShare)
	fmt.Fprintf(w, "largest dimension\t%d, with %.3g%% of the mean square\n", s.LargestDim, 100*s.LargestShare)
}
