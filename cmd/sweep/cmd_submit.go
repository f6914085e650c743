package main

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/topksweep/sweep/sweep/ledger"
	"github.com/topksweep/sweep/sweep/plan"
)

type submitOptions struct {
	remoteOptions
	grid     gridOptions
	priority priorityFlag
}

func newSubmitCommand(env *environment) *cobra.Command {
	var o submitOptions
	c := &cobra.Command{
		Use:   "submit grid.yaml",
		Short: "Hand a grid to a running server",
		Long: `Hand a grid to a running Temporal server and return; workers train it. Submitting the
same grid again attaches to the running sweep, and starts nothing twice. The store must
be the one that the workers use.`,
		Example: `  sweep submit grid.yaml                to the server that sweep up runs
  sweep submit grid.yaml --wait         and follow it to its table of results
  sweep submit grid.yaml --priority high --owner ada
  TEMPORAL_ADDRESS=temporal:7233 sweep submit grid.yaml --store /mnt/shared/sweep`,
		Args: args(cobra.ExactArgs(1)),

		ValidArgsFunction: completeGrid,
		RunE: func(c *cobra.Command, args []string) error {
			o.grid.path = args[0]
			return runSubmit(c.Context(), env, o)
		},
	}
	o.remoteOptions.addFlags(c.Flags())
	o.grid.addFlags(c.Flags())
	env.cacheFlag.addFlags(c.Flags())
	o.priority.addFlag(c.Flags())
	completeFlags(c, nil)
	return c
}

// runSubmit is the verb submit.
func runSubmit(ctx context.Context, env *environment, o submitOptions) error {
	if err := o.output.format.checkTerminal(env); err != nil {
		return err
	}
	backend, err := backendFor(o.backend)
	if err != nil {
		return err
	}
	by, err := o.submission(backend.name, o.priority.is)
	if err != nil {
		return err
	}
	planned, err := planGrid(ctx, env, o.grid, plan.Estimates{
		Bytes: backend.bytes, Unsupported: refusal(ctx, o.location, backend),
	})
	if err != nil {
		return err
	}
	store, err := o.openStore(ctx, env)
	if err != nil {
		return err
	}
	l := ledger.New(store)
	srv, err := o.dial(ctx, env, o.dir, nil)
	if err != nil {
		return err
	}
	defer srv.close()
	header, err := planned.store(ctx, env, l)
	if err != nil {
		return err
	}
	if err := startOrAttach(ctx, env, srv, l, header, planned.src, by); err != nil {
		return explain(srv.folders, err)
	}
	return followOrPrintID(ctx, env, srv, l, header, o.remoteOptions)
}
