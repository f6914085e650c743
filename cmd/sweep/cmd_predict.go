package main

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strconv"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/topksweep/sweep/sweep/scaling"
)

type predictOptions struct {
	fitOptions
	cell   scaling.CostQuestion
	output format
}

func newPredictCommand(env *environment) *cobra.Command {
	o := predictOptions{output: newFormat("table", "json")}
	c := &cobra.Command{
		Use:   "predict SWEEP… --k 64 --dict-size 131072",
		Short: "Predict the nmse and the cost of a cell that was not trained",
		Long: `Predict the nmse of a k and a dict_size by a scaling law that is fitted to the results of
sweeps, with an interval, and the compute, the time and the memory that it takes to train
it. SWEEP is a name, an ID, or a file of results. No server is needed.

Without --form the law is nk if the points determine it, else the smaller form that
"sweep fit" offers. The time is that of the device that trained the largest runs.`,
		Example: `  sweep predict topk-demo --k 64 --dict-size 131072
  sweep predict topk-demo --k 64 --dict-size 131_072 --tokens 1e9 -o json`,
		Args: args(cobra.MinimumNArgs(1)),

		ValidArgsFunction: completeSweeps(&o.location),
		RunE: func(c *cobra.Command, args []string) error {
			o.args = args
			return runPredict(c.Context(), env, o)
		},
	}
	o.addFlags(c.Flags())
	f := c.Flags()
	f.StringVar(&o.form, "form", "", "the law: n or nk (default: what the points determine)")
	f.Var(count{&o.cell.K}, "k", "latents kept per token")
	f.Var(count{&o.cell.DictSize}, "dict-size", "latents in the dictionary")
	f.Var(count{&o.cell.Steps}, "steps", "optimizer steps, of the batch size of the largest run")
	f.Var(count{&o.cell.Tokens}, "tokens", "tokens to train on (default: as many as the largest run)")
	o.output.addFlag(f)
	return c
}

// runPredict is the verb predict.
func runPredict(ctx context.Context, env *environment, o predictOptions) error {
	switch {
	case o.cell.K == 0 || o.cell.DictSize == 0:
		return inputError{errors.New("say which cell: --k and --dict-size")}
	case o.cell.K > o.cell.DictSize:
		return inputError{fmt.Errorf("--k %d is more than --dict-size %d", o.cell.K, o.cell.DictSize)}
	case o.cell.Steps > 0 && o.cell.Tokens > 0:
		return inputError{errors.New("give --steps or --tokens, not both")}
	case o.form == string(scaling.C):
		return inputError{errors.New("--form c predicts no cell: want n or nk")}
	}
	if err := o.check(scaling.NK); err != nil {
		return err
	}
	t, err := o.read(ctx, env)
	if err != nil {
		return err
	}
	points, selection, err := o.points(t)
	if err != nil {
		return err
	}
	fit, err := scaling.FitPoints(ctx, points, o.fit)
	var refused *string
	if no := (*scaling.NotDetermined)(nil); o.form == "" && errors.As(err, &no) && no.Smaller != nil {
		message := no.Short()
		fit, refused, err = no.Smaller, &message, nil
	}
	if err != nil {
		return err
	}
	p, err := fit.Forecast(t.results, selection, o.cell)
	if err != nil {
		return inputError{err}
	}
	p.Refused = refused
	if o.output.name == "json" {
		return p.WriteJSON(env.out)
	}
	return env.print(p.WriteText)
}

// A count is the value of a flag that takes a whole number over 0, as 131072, 131_072 or 1e9.
type count struct{ at *int64 }

var _ pflag.Value = count{}

// Set implements pflag.Value.
func (c count) Set(s string) error {
	n, err := strconv.ParseInt(s, 0, 64)
	if err != nil {
		x, ferr := strconv.ParseFloat(s, 64)
		if ferr != nil || x != math.Trunc(x) || math.Abs(x) > 1<<53 {
			return errors.New("want a whole number over 0")
		}
		n = int64(x)
	}
	if n < 1 {
		return errors.New("want a whole number over 0")
	}
	*c.at = n
	return nil
}

func (c count) Type() string { return "number" }

func (c count) String() string {
	if c.at == nil || *c.at == 0 {
		return ""
	}
	return strconv.FormatInt(*c.at, 10)
}
