package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/topksweep/sweep/sweep/plan"
)

type planOptions struct {
	location location
	grid     gridOptions
	output   format
	all      bool
}

func newPlanCommand(env *environment) *cobra.Command {
	o := planOptions{output: newFormat("text", "json")}
	c := &cobra.Command{
		Use:   "plan grid.yaml",
		Short: "Show what a grid would train, without starting anything",
		Long: `Show what a grid would train: its cells, steps, tokens and the memory of a run, and
which cells have a result already. Nothing is started or written.

The time is that of the training steps on this machine alone: it times a few steps
of each shape, as sweep bench does, for about two seconds in all. What this machine
cannot train, a precision or a size, is planned without a time, and a note says why.`,
		Example: `  sweep plan grid.yaml
  sweep plan grid.yaml --all            every cell, not the first few
  sweep plan grid.yaml -o json          for a program`,
		Args: args(cobra.ExactArgs(1)),

		ValidArgsFunction: completeGrid,
		RunE: func(c *cobra.Command, args []string) error {
			o.grid.path = args[0]
			return runPlan(c.Context(), env, o)
		},
	}
	o.location.addFlags(c.Flags())
	o.grid.addFlags(c.Flags())
	o.output.addFlag(c.Flags())
	c.Flags().BoolVar(&o.all, "all", false, "list every cell")
	return c
}

// runPlan is the verb plan.
func runPlan(ctx context.Context, env *environment, o planOptions) error {
	// As many runs at a time as a worker on this machine trains without flags.
	device, _, err := (&deviceOptions{backend: "auto", perGPU: 1}).open()
	if err != nil {
		return err
	}
	completed, err := completedRuns(ctx, o.location)
	if err != nil {
		return err
	}
	// Steps are timed with the machine to themselves.
	alone, _, err := (&deviceOptions{backend: device.backend.Name(), perGPU: 1, slots: 1}).open()
	if err != nil {
		return err
	}
	e := newEstimator(ctx, alone.backend, device.slots)
	planned, err := planGrid(ctx, env, o.grid, plan.Estimates{
		Bytes: device.backend.Bytes, Slots: device.slots, Seconds: e.seconds,
		Reused: func(cell string) bool { return completed[cell] },
	})
	if err != nil {
		return err
	}
	if ctx.Err() != nil { // not all shapes were timed
		return context.Cause(ctx)
	}
	for _, n := range e.notes {
		fmt.Fprintln(env.errOut, "note: the time leaves out cells that cannot be timed on this machine:", n)
	}
	if o.output.name == "json" {
		return planned.plan.WriteJSON(env.out)
	}
	return planned.plan.WriteText(env.out, o.all)
}

// completedRuns is the set of runs that have a result, none if there is no store.
func completedRuns(ctx context.Context, at location) (map[string]bool, error) {
	l, err := openLedger(ctx, at)
	if errors.Is(err, errNoStore) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return l.CompletedRuns(ctx)
}
