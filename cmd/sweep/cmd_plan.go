package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"runtime/debug"

	"github.com/spf13/cobra"

	"github.com/topksweep/sweep/sweep/plan"
)

type planOptions struct {
	location location
	grid     gridOptions
	output   format
	all      bool
	backend  string // of the workers: auto, cpu or cuda
}

func newPlanCommand(env *environment) *cobra.Command {
	o := planOptions{output: newFormat("text", "json")}
	c := &cobra.Command{
		Use:   "plan grid.yaml",
		Short: "Show what a grid would train, without starting anything",
		Long: `Show what a grid would train: its cells, steps, tokens and the memory of a run, and
which cells have a result already. Nothing is started or written.

The time is that of this machine alone: of its steps, evaluations and models, and of
what each stage takes besides. It times a few steps of each shape, for about two seconds
in all; of a grid of many shapes or cells only a few small ones, and fits the others. A
grid for workers on other hardware is planned with their --backend; if this machine lacks it, there is no
time, and a note says why. Cells that the backend cannot train, for their precision or
size, are an error that names them.`,
		Example: `  sweep plan grid.yaml
  sweep plan grid.yaml --all            every cell, not the first few
  sweep plan grid.yaml --backend cuda   for workers with GPUs, which this machine need not have
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
	env.cacheFlag.addFlags(c.Flags())
	o.output.addFlag(c.Flags())
	addBackendFlag(c.Flags(), &o.backend)
	c.Flags().BoolVar(&o.all, "all", false, "list every cell")
	return c
}

// runPlan is the verb plan.
func runPlan(ctx context.Context, env *environment, o planOptions) error {
	defer debug.SetGCPercent(debug.SetGCPercent(75)) // the memory of a million cells is dearer here than the time
	backend, err := backendFor(o.backend)
	if err != nil {
		return err
	}
	completed, err := completedRuns(ctx, o.location)
	if err != nil {
		return err
	}
	est := plan.Estimates{
		Bytes:       backend.bytes,
		Reused:      func(cell string) bool { return completed[cell] },
		Unsupported: refusal(ctx, o.location, backend),
	}
	e, err := estimatorHere(ctx, backend.name)
	switch {
	case err == nil:
		est.Slots, est.Costs, est.WorkerSlots = e.slots, e.costs, e.workerSlots
	case o.backend == "auto" || backend.name == "cpu": // a CPU is always there: a variable says what it cannot do
		return err
	default:
		fmt.Fprintln(env.errOut, "note: there is no time:", err)
	}
	planned, err := planGrid(ctx, env, o.grid, est)
	if err != nil {
		return err
	}
	if ctx.Err() != nil { // not all shapes were timed
		return context.Cause(ctx)
	}
	if e != nil {
		for _, n := range e.notes {
			fmt.Fprintln(env.errOut, "note: the time leaves out cells that cannot be timed on this machine:", n)
		}
	}
	if o.output.name == "json" {
		return planned.plan.WriteJSON(env.out)
	}
	return env.print(func(w io.Writer) error { return planned.plan.WriteText(w, o.all, env.width) })
}

// estimatorHere returns an estimator of the times on this machine, for as many runs at a
// time as a worker on it trains without flags. The error says that it lacks the backend.
func estimatorHere(ctx context.Context, backend string) (*estimator, error) {
	device, _, err := (&deviceOptions{backend: backend}).open()
	if err != nil {
		return nil, err
	}
	// Steps are timed with the machine to themselves.
	alone, _, err := (&deviceOptions{backend: backend, slots: 1}).open()
	if err != nil {
		return nil, err
	}
	e := newEstimator(ctx, alone.backend, device.slots)
	e.slots, e.workerSlots = device.slots, device.slots
	if pool, ok := device.backend.(*gpuPool); ok { // runs on one GPU take as long side by side as one after the other
		e.slots, e.share = len(pool.gpus), 1
	}
	return e, nil
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
