package main

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"
	"go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"
)

func (a *app) cancelCmd() *cobra.Command {
	var p place
	var conn connection
	c := &cobra.Command{
		Use:   "cancel SWEEP",
		Short: "Stop a sweep for good, keeping what it has",
		Long: `Stop a running sweep: what is in training is saved, results so far are collected, and
nothing more is trained. Submitting the grid again goes on from there.`,
		Example: "  sweep cancel topk-demo",
		Args:    args(cobra.ExactArgs(1)),

		ValidArgsFunction: completeSweep(&p),
		RunE: func(c *cobra.Command, args []string) error {
			ctx := c.Context()
			store, err := readStore(ctx, p.storeURL())
			if err != nil {
				return err
			}
			header, err := findSweep(ctx, store, args[0])
			if err != nil {
				return err
			}
			tc, _, err := conn.dial(ctx, p.dir, nil)
			if err != nil {
				return err
			}
			defer tc.Close()
			// A server takes a cancel for what has ended, too.
			d, err := tc.DescribeWorkflowExecution(ctx, header.ID, "")
			var gone *serviceerror.NotFound
			if errors.As(err, &gone) || err == nil && d.WorkflowExecutionInfo.Status != enums.WORKFLOW_EXECUTION_STATUS_RUNNING {
				return fmt.Errorf("sweep %s is not running", header.ID)
			}
			if err == nil {
				err = tc.CancelWorkflow(ctx, header.ID, "")
			}
			if err != nil {
				return fmt.Errorf("cancel %s: %w", header.ID, err)
			}
			fmt.Fprintf(a.err, "sweep %s: canceling\n", header.ID)
			return nil
		},
	}
	p.flags(c.Flags())
	conn.flags(c.Flags())
	return c
}
