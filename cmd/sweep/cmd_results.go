package main

import (
	"context"

	"github.com/spf13/cobra"
)

type resultsOptions struct {
	location location
	output   outputOptions
	sweep    string // name or ID
}

func newResultsCommand(env *environment) *cobra.Command {
	var o resultsOptions
	c := &cobra.Command{
		Use:   "results SWEEP",
		Short: "Print the results of a sweep, also while it runs",
		Long: `Print the results of a sweep as they are in the store, also while it runs. SWEEP is a
name or an ID. No server is needed.`,
		Example: `  sweep results topk-demo
  sweep results topk-demo -o csv > results.csv
  sweep results topk-demo --sort nmse --all-columns`,
		Args: args(cobra.ExactArgs(1)),

		ValidArgsFunction: completeSweep(&o.location),
		RunE: func(c *cobra.Command, args []string) error {
			o.sweep = args[0]
			return runResults(c.Context(), env, o)
		},
	}
	o.location.addFlags(c.Flags())
	o.output.addFlags(c.Flags())
	return c
}

// runResults is the verb results.
func runResults(ctx context.Context, env *environment, o resultsOptions) error {
	l, header, err := openSweep(ctx, o.location, o.sweep)
	if err != nil {
		return err
	}
	return printResults(ctx, env, l, header, o.output)
}
