package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/topksweep/sweep/sweep/ledger"
	"github.com/topksweep/sweep/sweep/protocol"
)

func (a *app) retryCmd() *cobra.Command {
	var h handing
	c := &cobra.Command{
		Use:   "retry SWEEP",
		Short: "Train the failed runs of a sweep again",
		Long: `Train the runs of a sweep again that failed or were canceled, from their newest
checkpoints. Runs with a result stay as they are. A sweep that is still running does so
when it is through with the others.`,
		Example: "  sweep retry topk-demo\n  sweep retry topk-demo --wait",
		Args:    args(cobra.ExactArgs(1)),

		ValidArgsFunction: completeSweep(&h.place),
		RunE: func(c *cobra.Command, args []string) error {
			ctx := c.Context()
			if err := h.out.check(); err != nil {
				return err
			}
			backend, _, err := backendFor(h.meant)
			if err != nil {
				return err
			}
			store, err := readStore(ctx, h.storeURL())
			if err != nil {
				return err
			}
			header, err := findSweep(ctx, store, args[0])
			if err != nil {
				return err
			}
			done, err := ledger.New(store).CompletedRuns(ctx)
			if err != nil {
				return err
			}
			tc, _, err := h.dial(ctx, h.dir, nil)
			if err != nil {
				return err
			}
			defer tc.Close()
			state, err := stateOf(ctx, store, tc, header.ID, done)
			if err != nil {
				return err
			}
			left, err := ledger.New(store).Unfinished(ctx, header)
			if err != nil {
				return err
			}
			if left == 0 {
				fmt.Fprintf(a.err, "sweep %s: all %d runs have results\n", header.ID, header.CellCount)
			} else {
				if err := a.settled(ctx, tc, header.ID); err != nil {
					return err
				}
				if err := tellOrStart(ctx, tc, store, header, backend, protocol.UpdateRetry); err != nil {
					return err
				}
				fmt.Fprintf(a.err, "sweep %s: %d of %d runs have no result, %d of them failed: these and canceled ones are trained again\n", header.ID, left, header.CellCount, state.Failed)
			}
			return a.handed(ctx, tc, store, header, &h)
		},
	}
	h.flags(c.Flags())
	return c
}
