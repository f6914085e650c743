package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/sdk/client"

	"github.com/topksweep/sweep/sweep/ledger"
)

// removalOptions say how this process removes sweeps, and that it waits where another one does.
func removalOptions(errOut io.Writer) ledger.RemovalOptions {
	host, _ := os.Hostname() // without a name, the process ID is what there is to say
	said := false
	return ledger.RemovalOptions{
		By: fmt.Sprintf("process %d on %s", os.Getpid(), host),
		Waits: func(by string) {
			if !said {
				fmt.Fprintf(errOut, "waiting for %s, which removes sweeps from this store\n", by)
			}
			said = true
		},
	}
}

// A sweepEnding makes sure that no workflow trains sweeps that are to be removed.
type sweepEnding struct {
	env        *environment
	at         location
	connection connection
}

// refuseRunning returns an error if a server that answers runs one of the sweeps, or if one was named that does not
// answer.
func (e *sweepEnding) refuseRunning(ctx context.Context, ids []string) error {
	srv, err := e.connection.dial(ctx, e.env, e.at.dir, nil)
	if errors.Is(err, errNoServer) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("whether the sweep runs is not known: %w", err)
	}
	defer srv.close()
	return e.refuse(ctx, srv, ids)
}

// refuse returns an error if a server runs one of the sweeps.
func (e *sweepEnding) refuse(ctx context.Context, srv *server, ids []string) error {
	for _, id := range ids {
		if runs, err := isRunning(ctx, srv.client, id); err != nil {
			return fmt.Errorf("whether the sweep runs is not known: %w", err)
		} else if runs {
			return fmt.Errorf("sweep %s is running: %s ends it, and then it can be removed", id,
				e.env.command("cancel", id))
		}
	}
	return nil
}

// end returns an error if a server runs one of the sweeps. Where none runs, it ends the workflows that would come back
// when a server is started on the state directory.
func (e *sweepEnding) end(ctx context.Context, ids []string) error {
	srv, err := e.connection.dialOrStart(ctx, e.env, e.at)
	if errors.Is(err, errNoServer) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("whether the sweep runs is not known: %w", err)
	}
	defer srv.close()
	if !srv.forSteering {
		return e.refuse(ctx, srv, ids)
	}
	for _, id := range ids {
		if err := terminate(ctx, srv.client, id, "sweep rm removes the sweep"); err != nil {
			return err
		}
	}
	return nil
}

// terminate ends the workflow of a sweep, if it runs, without asking a worker.
func terminate(ctx context.Context, c client.Client, id, why string) error {
	d, err := c.DescribeWorkflowExecution(ctx, id, "")
	var unknown *serviceerror.NotFound
	if errors.As(err, &unknown) {
		return nil
	}
	if err == nil && d.WorkflowExecutionInfo.Status == enums.WORKFLOW_EXECUTION_STATUS_RUNNING {
		if err = c.TerminateWorkflow(ctx, id, "", why); errors.As(err, &unknown) {
			return nil // it has just ended
		}
	}
	if err != nil {
		return fmt.Errorf("end the workflow of sweep %s: %w", id, err)
	}
	return nil
}
