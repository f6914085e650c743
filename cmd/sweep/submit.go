package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"
	"go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/client"

	"github.com/topksweep/sweep/storage"
	"github.com/topksweep/sweep/sweep/ledger"
	"github.com/topksweep/sweep/sweep/plan"
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
			planned, err := g.plan(ctx, args[0], plan.Estimates{Bytes: bytes})
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
			header, err := a.save(ctx, store, planned)
			if err != nil {
				return err
			}
			if err := a.begin(ctx, tc, store, header, planned.src, backend); err != nil {
				return err
			}
			return a.handed(ctx, tc, store, header, &h)
		},
	}
	h.flags(c.Flags())
	g.flags(c.Flags())
	return c
}

// save stores a plan, and returns what is stored of its sweep.
func (a *app) save(ctx context.Context, store storage.Store, p *planned) (*plan.Header, error) {
	for _, w := range p.plan.Warnings {
		fmt.Fprintln(a.err, "note:", w)
	}
	header, note, err := p.save(ctx, store)
	if note != "" {
		fmt.Fprintln(a.err, "note:", note)
	}
	return header, err
}

// begin starts the sweep of a stored plan, or attaches to it. A sweep that failed
// or was canceled starts again, with the results it has; one that is done does
// only where the store has lost results, or is another than it was done with.
func (a *app) begin(ctx context.Context, c client.Client, store storage.Store, header *plan.Header, src []byte, backend string) error {
	if err := a.settled(ctx, c, header.ID); err != nil {
		return err
	}
	details := gridDetails(header.ID, src)
	started, err := start(ctx, c, header, details, backend, enums.WORKFLOW_ID_REUSE_POLICY_ALLOW_DUPLICATE_FAILED_ONLY)
	if err != nil {
		return err
	}
	if started {
		fmt.Fprintf(a.err, "sweep %s: %d cells\n", header.ID, header.CellCount)
		return nil
	}
	left, err := ledger.New(store).Unfinished(ctx, header)
	if err != nil {
		return err
	}
	fmt.Fprintf(a.err, "sweep %s has run already: %d cells\n", header.ID, header.CellCount)
	if left == 0 {
		return nil
	}
	fmt.Fprintf(a.err, "note: this store lacks the results of %d of them: they are trained\n", left)
	_, err = start(ctx, c, header, details, backend, enums.WORKFLOW_ID_REUSE_POLICY_ALLOW_DUPLICATE)
	return err
}
