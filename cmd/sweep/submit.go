package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"
	"go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/client"

	"github.com/topksweep/sweep/storage"
	"github.com/topksweep/sweep/sweep"
)

func (a *app) submitCmd() *cobra.Command {
	var h handing
	var g gridFlags
	c := &cobra.Command{
		Use:   "submit grid.yaml",
		Short: "Hand a grid to a running server",
		Long: `Hand a grid to a running Temporal server and return; workers train it. Submitting the
same grid again attaches to the running sweep, and starts nothing twice. The store must
be the one that the workers use.`,
		Example: `  sweep submit grid.yaml                to the server that sweep up runs
  sweep submit grid.yaml --wait         and follow it to its table of results
  TEMPORAL_ADDRESS=temporal:7233 sweep submit grid.yaml --store /mnt/shared/sweep`,
		Args: args(cobra.ExactArgs(1)),

		ValidArgsFunction: completeGrid,
		RunE: func(c *cobra.Command, args []string) error {
			ctx := c.Context()
			if err := h.out.check(); err != nil {
				return err
			}
			backend, bytes, err := backendFor(h.meant)
			if err != nil {
				return err
			}
			planned, err := g.plan(ctx, args[0], sweep.Estimates{Bytes: bytes})
			if err != nil {
				return err
			}
			store, err := openStore(ctx, h.storeURL())
			if err != nil {
				return err
			}
			tc, _, err := h.dial(ctx, h.dir, nil)
			if err != nil {
				return err
			}
			defer tc.Close()
			plan, err := a.submit(ctx, tc, store, planned, backend)
			if err != nil {
				return err
			}
			return a.handed(ctx, tc, store, plan, &h)
		},
	}
	h.flags(c.Flags())
	g.flags(c.Flags())
	return c
}

// submit stores a plan and starts its sweep, or attaches to it.
func (a *app) submit(ctx context.Context, c client.Client, store storage.Store, p *planned, backend string) (*sweep.PlanHeader, error) {
	for _, w := range p.plan.Warnings {
		fmt.Fprintln(a.err, "note:", w)
	}
	plan, note, err := p.save(ctx, store)
	if err != nil {
		return nil, err
	}
	if note != "" {
		fmt.Fprintln(a.err, "note:", note)
	}
	// A sweep that failed or was canceled starts again, with the results it has.
	started, err := start(ctx, c, plan, gridDetails(plan.ID, p.src), backend, enums.WORKFLOW_ID_REUSE_POLICY_ALLOW_DUPLICATE_FAILED_ONLY)
	if err != nil {
		return nil, err
	}
	if started {
		fmt.Fprintf(a.err, "sweep %s: %d cells\n", plan.ID, plan.CellCount)
	} else {
		fmt.Fprintf(a.err, "sweep %s has run already: %d cells\n", plan.ID, plan.CellCount)
	}
	return plan, nil
}
