package main

import (
	"context"
	"errors"

	"github.com/spf13/cobra"

	"github.com/topksweep/sweep/deploy/local"
	"github.com/topksweep/sweep/sweep/protocol"
)

type cancelOptions struct {
	steerOptions
	selection selectionOptions
}

func newCancelCommand(env *environment) *cobra.Command {
	o := cancelOptions{steerOptions: newSteerOptions()}
	c := &cobra.Command{
		Use:   "cancel SWEEP",
		Short: "Stop a sweep, or some of its cells, keeping what there is",
		Long: `Stop a sweep: what is in training is saved, results so far are collected, and nothing
more is trained. The command returns when the sweep has ended. Submitting the grid again
goes on from there. No server need be running.

With --cell or --where only the chosen cells stop, and the sweep goes on with the others.
Cells that have results keep them. sweep retry trains canceled cells after all.

Of several sweeps with one name it is the one that has runs to train; if there are several,
give an ID.

--cell takes IDs as sweep results shows them, or their beginnings. --where takes conditions
as sweep results does, on settings, metrics and status. The status of a run is the one that
sweep status shows: status=training are the runs that a worker trains, status=waiting those
whose stage no worker has yet.`,
		Example: `  sweep cancel topk-demo
  sweep cancel topk-demo --where k=8
  sweep cancel topk-demo --where 'dict_size>=16384,status=pending'
  sweep cancel topk-demo --cell 036c8426ea --cell 1f0d`,
		Args: args(cobra.ExactArgs(1)),

		ValidArgsFunction: completeSweep(&o.location),
		RunE: func(c *cobra.Command, args []string) error {
			o.sweep = args[0]
			if err := o.selection.check(); err != nil {
				return err
			}
			return runCancel(c.Context(), env, o)
		},
	}
	o.addFlags(c.Flags())
	o.selection.addFlags(c.Flags())
	completeFlags(c, &o.location)
	return c
}

// runCancel is the verb cancel.
func runCancel(ctx context.Context, env *environment, o cancelOptions) error {
	l, err := openLedger(ctx, o.location)
	if err != nil {
		return err
	}
	header, err := findToCancel(ctx, l, o.sweep)
	if err != nil {
		return err
	}
	srv, err := o.dial(ctx, env, protocol.UpdateCancel, l, header)
	if errors.Is(err, errNoServer) && !o.selection.given() && !local.HasDatabase(o.location.dir) {
		return cancelStored(ctx, env, l, header, o)
	}
	if err != nil {
		return err
	}
	defer srv.close()
	if !o.selection.given() {
		return explain(srv.folders, cancelSweep(ctx, env, srv, l, header, o))
	}
	results, err := o.selection.results(ctx, l, header)
	if err == nil {
		err = o.selection.tellStates(ctx, srv, header, results)
	}
	if err != nil {
		return err
	}
	cells, err := o.selection.choose(env, header, results)
	if err != nil {
		return err
	}
	return o.send(ctx, env, srv, l, header, steering{
		update: protocol.UpdateCancel, args: []any{protocol.Selection{Cells: cells}},
		doing: "canceling cells; waiting until what trains of them is saved",
	})
}
