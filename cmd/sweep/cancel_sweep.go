package main

import (
	"context"
	"errors"
	"fmt"

	"go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/sdk/temporal"

	"github.com/topksweep/sweep/sweep/ledger"
	"github.com/topksweep/sweep/sweep/plan"
	"github.com/topksweep/sweep/sweep/protocol"
)

// cancelSweep cancels a whole sweep and waits until it has ended. The store then says of each of its runs without
// result that it was canceled. A worker of this version notes that too, when it collects the results.
func cancelSweep(ctx context.Context, env *environment, srv *server, l *ledger.Ledger, header *plan.Header,
	o cancelOptions) error {

	// A server accepts a cancel of a workflow that has ended too: look first.
	d, err := srv.client.DescribeWorkflowExecution(ctx, header.ID, "")
	info := d.GetWorkflowExecutionInfo()
	var unknown *serviceerror.NotFound
	switch {
	case errors.As(err, &unknown), err == nil && info.GetStatus() == enums.WORKFLOW_EXECUTION_STATUS_CANCELED:
		return cancelStored(ctx, env, l, header, o)
	case err != nil:
		return fmt.Errorf("cancel %s: %w", header.ID, err)
	case info.GetStatus() != enums.WORKFLOW_EXECUTION_STATUS_RUNNING:
		return fmt.Errorf("cancel %s: %w", header.ID, explainNotRunning(ctx, env, l, header, nil))
	}
	if _, err := l.CancelRuns(ctx, header); err != nil { // first, so that what is collected says so
		return fmt.Errorf("cancel %s: %w", header.ID, err)
	}
	if err := srv.client.CancelWorkflow(ctx, header.ID, ""); err != nil && !errors.As(err, &unknown) {
		return fmt.Errorf("cancel %s: %w", header.ID, err)
	}
	fmt.Fprintf(env.errOut, "sweep %s: canceling\n", header.ID)
	waits := fmt.Sprintf("sweep %s: waiting until what trains is saved (Ctrl-C leaves it to it)", header.ID)
	err = saying(env, waits, func() error {
		return srv.client.GetWorkflow(ctx, header.ID, info.GetExecution().GetRunId()).Get(ctx, nil)
	})
	var ended *temporal.WorkflowExecutionError
	switch {
	case ctx.Err() != nil:
		return errInterrupted
	case err != nil && !errors.As(err, &ended):
		return fmt.Errorf("cancel %s: %w", header.ID, err)
	case !temporal.IsCanceledError(err): // it came to its end before
		return fmt.Errorf("cancel %s: %w", header.ID, explainNotRunning(ctx, env, l, header, nil))
	}
	return cancelStored(ctx, env, l, header, o)
}

// cancelStored notes in the store that a sweep was canceled that no server runs, and prints where it stands.
func cancelStored(ctx context.Context, env *environment, l *ledger.Ledger, header *plan.Header,
	o cancelOptions) error {

	header, err := l.Header(ctx, header.ID) // it may have been extended
	if err != nil {
		return err
	}
	n, err := countRuns(ctx, l, header)
	if err == nil && n.Pending == 0 && n.Canceled == 0 {
		return fmt.Errorf("cancel %s: %w", header.ID, explainNotRunning(ctx, env, l, header, nil))
	}
	if _, err := l.CancelRuns(ctx, header); err != nil {
		return fmt.Errorf("cancel %s: %w", header.ID, err)
	}
	if n, err = countRuns(ctx, l, header); err != nil {
		return err
	}
	did := fmt.Sprintf("canceled; %d of %d runs have results, and %s trains the others after all",
		n.Completed, header.CellCount, env.command("retry", header.ID))
	if o.output.name == "json" {
		return printSteered(env, o.output.name, protocol.Steered{
			Summary: protocol.Summary{
				Cells: header.CellCount, Completed: n.Completed, Failed: n.Failed, Canceled: n.Canceled,
			},
			Did: did, State: plan.Canceled,
		})
	}
	fmt.Fprintf(env.errOut, "sweep %s: %s\n", header.ID, did)
	return nil
}
