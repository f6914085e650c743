package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"
	"go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"
)

type cancelOptions struct {
	location   location
	connection connection
	sweep      string // name or ID
}

func newCancelCommand(env *environment) *cobra.Command {
	var o cancelOptions
	c := &cobra.Command{
		Use:   "cancel SWEEP",
		Short: "Stop a sweep for good, keeping what it has",
		Long: `Stop a running sweep: what is in training is saved, results so far are collected, and
nothing more is trained. Submitting the grid again goes on from there.`,
		Example: "  sweep cancel topk-demo",
		Args:    args(cobra.ExactArgs(1)),

		ValidArgsFunction: completeSweep(&o.location),
		RunE: func(c *cobra.Command, args []string) error {
			o.sweep = args[0]
			return runCancel(c.Context(), env, o)
		},
	}
	o.location.addFlags(c.Flags())
	o.connection.addFlags(c.Flags())
	return c
}

// runCancel is the verb cancel.
func runCancel(ctx context.Context, env *environment, o cancelOptions) error {
	_, header, err := openSweep(ctx, o.location, o.sweep)
	if err != nil {
		return err
	}
	srv, err := o.connection.dial(ctx, o.location.dir, nil)
	if err != nil {
		return err
	}
	defer srv.close()
	// A server accepts a cancel of a workflow that has ended too: look first.
	d, err := srv.client.DescribeWorkflowExecution(ctx, header.ID, "")
	var unknown *serviceerror.NotFound
	switch {
	case errors.As(err, &unknown),
		err == nil && d.WorkflowExecutionInfo.Status != enums.WORKFLOW_EXECUTION_STATUS_RUNNING:
		return fmt.Errorf("sweep %s is not running", header.ID)
	case err == nil:
		err = srv.client.CancelWorkflow(ctx, header.ID, "")
	}
	if err != nil {
		return fmt.Errorf("cancel %s: %w", header.ID, err)
	}
	fmt.Fprintf(env.errOut, "sweep %s: canceling\n", header.ID)
	return nil
}
