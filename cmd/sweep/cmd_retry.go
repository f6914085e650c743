package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/topksweep/sweep/sweep/protocol"
)

type retryOptions struct {
	remoteOptions
	sweep string // name or ID
}

func newRetryCommand(env *environment) *cobra.Command {
	var o retryOptions
	c := &cobra.Command{
		Use:   "retry SWEEP",
		Short: "Train the failed runs of a sweep again",
		Long: `Train the runs of a sweep again that failed or were canceled, from their newest
checkpoints. Runs with a result stay as they are. A sweep that is still running trains
them after its other runs.`,
		Example: "  sweep retry topk-demo\n  sweep retry topk-demo --wait",
		Args:    args(cobra.ExactArgs(1)),

		ValidArgsFunction: completeSweep(&o.location),
		RunE: func(c *cobra.Command, args []string) error {
			o.sweep = args[0]
			return runRetry(c.Context(), env, o)
		},
	}
	o.remoteOptions.addFlags(c.Flags())
	return c
}

// runRetry is the verb retry.
func runRetry(ctx context.Context, env *environment, o retryOptions) error {
	if err := o.output.format.checkTerminal(env); err != nil {
		return err
	}
	backend, err := backendFor(o.backend)
	if err != nil {
		return err
	}
	l, header, err := openSweep(ctx, o.location, o.sweep)
	if err != nil {
		return err
	}
	done, err := l.CompletedRuns(ctx)
	if err != nil {
		return err
	}
	srv, err := o.dial(ctx, o.dir, nil)
	if err != nil {
		return err
	}
	defer srv.close()
	count, err := l.Count(ctx, header, done)
	if err != nil {
		return err
	}
	left, err := l.Unfinished(ctx, header)
	if err != nil {
		return err
	}
	if left == 0 {
		fmt.Fprintf(env.errOut, "sweep %s: all %d runs have results\n", header.ID, header.CellCount)
		return followOrPrintID(ctx, env, srv, l, header, o.remoteOptions)
	}
	if err := waitIfEnding(ctx, env, srv.client, header.ID); err != nil {
		return err
	}
	if err := updateOrStart(ctx, env, srv, l, header, backend.name, "", protocol.UpdateRetry); err != nil {
		return explain(srv.folders, err)
	}
	fmt.Fprintf(env.errOut,
		"sweep %s: %d of %d runs have no result, %d of them failed: these and canceled ones are trained again\n",
		header.ID, left, header.CellCount, count.Failed)
	return followOrPrintID(ctx, env, srv, l, header, o.remoteOptions)
}
