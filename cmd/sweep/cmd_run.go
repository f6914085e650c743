package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/topksweep/sweep/sweep/ledger"
	"github.com/topksweep/sweep/sweep/plan"
)

type runOptions struct {
	location location
	device   deviceOptions
	server   serverOptions
	grid     gridOptions
	output   outputOptions
	owner    ownerFlag
	priority priorityFlag

	mixClasses bool
}

func newRunCommand(env *environment) *cobra.Command {
	var o runOptions
	c := &cobra.Command{
		Use:   "run grid.yaml",
		Short: "Train a grid here and now, and print its results",
		Long: `Train a grid with everything in one process: a real Temporal server on a file in the
state directory, its Web UI, a worker, live progress, a live report for a browser and the
table of results.

Interrupt it (Ctrl-C) and it saves what is in training and stops; run it again, also
after a crash or kill -9, and it goes on where it stopped. Other sweeps of the state directory
that are unfinished are paused and named. A grid that has run is not trained again: its
results are shown. If sweep up runs on the same state directory, the grid is handed to
it. If the disk gets full it says so and waits for room.

A first grid:

  name: hello
  data: {synthetic: {activation_dim: 32, directions: 64, tokens: 100000, active: 4}}
  parameters: {k: [2, 4], dict_size: [64, 128]}
  train: {steps: 500, batch_size: 256, lr: 0.003}`,
		Example: `  sweep run grid.yaml
  sweep run grid.yaml -o csv > results.csv
  sweep run grid.yaml --dir /scratch/me/sweep --slots 8 --no-ui`,
		Args: args(cobra.ExactArgs(1)),

		ValidArgsFunction: completeGrid,
		RunE: func(c *cobra.Command, args []string) error {
			if err := o.server.check(); err != nil {
				return err
			}
			o.grid.path = args[0]
			return runRun(c.Context(), env, o)
		},
	}
	o.location.addFlags(c.Flags())
	o.device.addFlags(c.Flags())
	o.server.addFlags(c.Flags())
	o.grid.addFlags(c.Flags())
	env.cacheFlag.addFlags(c.Flags())
	o.output.addFlags(c.Flags())
	o.owner.addFlag(c.Flags())
	o.priority.addFlag(c.Flags())
	addMixFlag(c.Flags(), &o.mixClasses)
	completeFlags(c, nil)
	return c
}

// runRun is the verb run.
func runRun(ctx context.Context, env *environment, o runOptions) error {
	if err := o.output.format.checkTerminal(env); err != nil {
		return err
	}
	device, err := openDevice(env, o.device)
	if err != nil {
		return err
	}
	by, err := newSubmission(o.location, device.backend.Name(), o.owner, o.priority.is)
	if err != nil {
		return err
	}
	by.mixClasses, by.slots = o.mixClasses, device.slots
	planned, err := planGrid(ctx, env, o.grid, plan.Estimates{
		Bytes: device.backend.Bytes, Unsupported: refusal(ctx, o.location, device.workerBackend()),
	})
	if err != nil {
		return err
	}
	store, err := o.location.openStore(ctx, env)
	if err != nil {
		return err
	}
	l := ledger.New(store)
	// The plan is stored before any worker goes on with the sweep: a plan that is there
	// already may name data that has moved since.
	header, err := planned.store(ctx, env, l)
	if err != nil {
		return err
	}
	ctx, end := context.WithCancelCause(ctx)
	defer end(nil)
	h := here{location: o.location, server: o.server, device: device, store: store, ledger: l, header: header}
	train := func() error {
		srv, err := h.startOrJoin(ctx, env, end)
		if err != nil {
			return err
		}
		defer srv.close()
		srv.prefer(ctx, header.ID)
		if err := startOrAttach(ctx, env, srv, l, header, planned.src, by); err != nil {
			return explain(srv.folders, err)
		}
		if err := srv.train(); err != nil {
			return err
		}
		srv.again = env.command("run", o.grid.path)
		return followToResults(ctx, env, srv, l, header, o.location, o.output)
	}
	err = train()
	for errors.Is(err, errServerGone) { // the server was that of another process
		fmt.Fprintln(env.errOut, "the server that this sweep was handed to is gone; going on here")
		err = train()
	}
	if unfit := (unfitError{}); errors.As(context.Cause(ctx), &unfit) {
		return unfit
	}
	return err
}
