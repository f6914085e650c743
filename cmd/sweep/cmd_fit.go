package main

import (
	"context"
	"errors"

	"github.com/spf13/cobra"

	"github.com/topksweep/sweep/sweep/scaling"
)

type fitVerbOptions struct {
	fitOptions
	output format
}

func newFitCommand(env *environment) *cobra.Command {
	o := fitVerbOptions{output: newFormat("table", "json")}
	c := &cobra.Command{
		Use:   "fit SWEEP… --form nk",
		Short: "Fit a scaling law to results",
		Long: `Fit a scaling law to the results of sweeps. SWEEP is a name, an ID, or a file of results
(for form c: of curves). No server is needed. The forms are

  n    L(n) = e + a·n^−b, for one k; n is dict_size and L is nmse
  c    L(C) = e + a·C^−b, over the lower envelope of the curves of one k; C is in flops
  nk   L(n,k) = exp(α + β_k ln k + β_n ln n + γ ln k ln n) + exp(ζ + η ln k)

Each k and dict_size is one point: of the settings tried, the best one, averaged over its
seeds. Coefficients have bootstrap intervals. If the points do not determine a
coefficient, nothing is made up: the exit status is 1, and the output names the
coefficient, says why, and has the fit of a smaller form.`,
		Example: `  sweep fit topk-demo --form nk
  sweep fit topk-demo --form n --where k=32 -o json
  sweep fit runs.csv --form nk --without zeta,eta
  sweep fit topk-demo --form c --where k=32`,
		Args: args(cobra.MinimumNArgs(1)),

		ValidArgsFunction: completeSweeps(&o.location),
		RunE: func(c *cobra.Command, args []string) error {
			o.args = args
			return runFit(c.Context(), env, o)
		},
	}
	o.addFlags(c.Flags())
	c.Flags().StringVar(&o.form, "form", "nk", "what is fitted: n, c or nk")
	o.output.addFlag(c.Flags())
	return c
}

// runFit is the verb fit.
func runFit(ctx context.Context, env *environment, o fitVerbOptions) error {
	if err := o.check(scaling.NK); err != nil {
		return err
	}
	points, selection, _, err := o.read(ctx, env)
	if err != nil {
		return err
	}
	f, refused := scaling.FitPoints(ctx, points, o.fit)
	d, err := scaling.NewDocument(f, refused, points, o.fit, selection)
	if err != nil {
		return err
	}
	if o.output.name == "json" {
		return errors.Join(d.WriteJSON(env.out), refused)
	}
	return errors.Join(env.print(d.WriteText), refused)
}
