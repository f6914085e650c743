package main

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/topksweep/sweep/sweep/report"
	"github.com/topksweep/sweep/sweep/table"
	"github.com/topksweep/sweep/trainer"
)

type evalOptions struct {
	location   location
	selection  selectionOptions
	of         []string         // paths, runs and sweeps
	rows       trainer.DataSpec // Source, MaxNorm and Verify, and what form sets
	form       formFlags
	most       int    // rows; 0: all
	normalize  string // "" | none | mean_square
	k          int    // 0: that of the model
	backend    string
	output     tableOutput
	columns    columnsFlag
	allColumns bool
}

func newEvalCommand(env *environment) *cobra.Command {
	var o evalOptions
	c := &cobra.Command{
		Use:   "eval PATH|RUN|SWEEP… --data SHARDS",
		Short: "Measure models on rows of your choice, whoever trained them",
		Long: `Measure models on the rows of SHARDS: a folder, a pattern or a file, as data.source of a
grid. --tensor and --raw-dtype say how files hold rows, as data.tensor and data.raw do.
PATH is a folder that sparsify, SAELens, dictionary_learning or sweep has written, or
the file of the weights in it. RUN is the ID of a cell, or its beginning; SWEEP is a name
or an ID, and stands for its finished runs. What exists as a path is taken as one.

The metrics are those of sweep results, by the same formulas, and so are the columns. A
model is measured as it is: rows of W_dec are not brought to unit norm. What training
counts, such as dead_latents, has no value. All models are measured on the same rows.

l2_loss and l1 depend on the scale of the activations, which the column scale has: that of
a run is its own, so that the numbers are those of its result; that of a path is 1, for
activations as stored. --normalize none is 1 for all, and --normalize mean_square the scale
that brings these rows to unit mean squared norm. mse is always of activations as stored.`,
		Example: `  sweep eval 036c8426ea --data held-out
  sweep eval exports/topk-demo-1a2b3c4d/k32 trainer_0 --data 'shards/**/*.safetensors' -o json
  sweep eval topk-demo --where k=32 --data held-out --rows 100000 --out eval.csv
  sweep eval saes/blocks.8 --data held-out --max-norm 10x_median --k 64
  sweep eval saes/blocks.8 --data held-out --tensor blocks.8.hook_resid_post
  sweep eval saes/blocks.8 --data acts.bin --raw-dtype f16 --raw-width 768`,
		Args: args(cobra.MinimumNArgs(1)),

		ValidArgsFunction: completeSweeps(&o.location),
		RunE: func(c *cobra.Command, args []string) error {
			o.of = args
			return runEval(c.Context(), env, o)
		},
	}
	f := c.Flags()
	o.location.addFlags(f)
	o.selection.addFlags(f)
	o.output.addFlags(f, tableFormats()...)
	f.StringVar(&o.rows.Source, "data", "", "the `shards` whose rows the models are measured on (required)")
	f.Var(atLeast1(&o.most), "rows", "measure on so many of the rows, chosen in a fixed order (default all)")
	f.StringVar(&o.rows.MaxNorm, "max-norm", "", "leave out rows with a larger norm, such as 60 or 10x_median")
	o.form.addFlags(c)
	f.StringVar(&o.rows.Verify, "verify", "whole", "whole, or sample to hash a part of the bytes for the fingerprint")
	f.StringVar(&o.normalize, "normalize", "",
		"scale of l2_loss and l1: none or mean_square (default that of a run, else none)")
	f.Var(atLeast1(&o.k), "k", "keep so many latents a token (default that of the model)")
	f.StringVar(&o.backend, "backend", "auto", "what to encode on: auto, cpu or cuda; auto is cuda where there is a GPU")
	o.columns.known = report.EvaluationColumns()
	o.columns.addFlag(f)
	f.BoolVar(&o.allColumns, "all-columns", false, "every column in a table")
	env.cacheFlag.addFlags(f)
	completeFlags(c, &o.location)
	return c
}

// check refuses flags that cannot be meant.
func (o *evalOptions) check(env *environment) error {
	if o.rows.Source == "" {
		return inputError{errors.New("--data: say which shards hold the rows that the models are measured on")}
	}
	if o.normalize != "" && o.normalize != "none" && o.normalize != "mean_square" {
		return inputError{fmt.Errorf("--normalize %q: want none or mean_square", o.normalize)}
	}
	o.rows.EvalTokens = int64(o.most)
	o.form.set(&o.rows)
	return errors.Join(o.selection.check(), o.output.check(env))
}

// runEval is the verb eval. It prints what was measured also where some models could not be.
func runEval(ctx context.Context, env *environment, o evalOptions) error {
	if err := o.check(env); err != nil {
		return err
	}
	list, notMeasured, err := o.measure(ctx, env)
	if err != nil || len(list) == 0 {
		return errors.Join(err, notMeasured)
	}
	t := report.Evaluations(list)
	err = o.output.write(env, func(w io.Writer, f table.Format) error {
		chosen, err := o.columns.of(t)
		switch {
		case err != nil:
			return err
		case f.Exact:
			return f.Write(w, &chosen)
		case len(o.columns.chosen()) == 0:
			if chosen, err = report.EvaluationsForPeople(t, o.allColumns || o.columns.all()); err != nil {
				return err
			}
		}
		look := report.Look{
			Width: o.output.width(env), Rows: "models", Chosen: len(o.columns.chosen()) > 0,
			All: o.allColumns || o.columns.all(),
		}
		return look.Write(w, f, chosen)
	})
	return errors.Join(err, notMeasured)
}
