package main

import (
	"context"
	"errors"
	"fmt"
	"io"

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
seeds. Named data sets are fitted one by one. Coefficients have bootstrap intervals. If
the points do not determine a coefficient, nothing is made up: the exit status is 1, and
the output names the coefficient, says why, and has the fit of a smaller form.`,
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
	t, err := o.read(ctx, env)
	if err != nil {
		return err
	}
	var documents []*scaling.Document
	var refusals []error
	for _, part := range t.bySet() {
		d, refused, err := o.fitTo(ctx, part.tables)
		if err != nil {
			return ofSet(part.name, err)
		}
		if d.Data = part.name; refused != nil {
			refusals = append(refusals, ofSet(part.name, refused))
		}
		documents = append(documents, d)
	}
	write := func(w io.Writer) error { return scaling.WriteText(w, documents...) }
	if o.output.name == "json" {
		return errors.Join(scaling.WriteJSON(env.out, documents...), errors.Join(refusals...))
	}
	return errors.Join(env.print(write), errors.Join(refusals...))
}

// fitTo fits the form to the tables of one data set. refused is the error of a form that the points do not determine,
// which the document describes.
func (o *fitVerbOptions) fitTo(ctx context.Context, t tables) (d *scaling.Document, refused, err error) {
	points, selection, err := o.points(t)
	if err != nil {
		return nil, nil, err
	}
	f, refused := scaling.FitPoints(ctx, points, o.fit)
	d, err = scaling.NewDocument(f, refused, points, o.fit, selection)
	return d, refused, err
}

// ofSet returns an error with the name of the data set that it is about, if it has one.
func ofSet(name string, err error) error {
	if name == "" {
		return err
	}
	return fmt.Errorf("data set %s: %w", name, err)
}
