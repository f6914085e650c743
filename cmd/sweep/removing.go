package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"

	"go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/sdk/client"

	"github.com/topksweep/sweep/deploy/local"
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
	at         location
	connection connection
}

// refuseRunning returns an error if a server that answers runs one of the sweeps, or if one was named that does not
// answer. asked is false if there is no server to ask.
func (e *sweepEnding) refuseRunning(ctx context.Context, ids []string) (asked bool, err error) {
	srv, err := e.connection.dial(ctx, e.at.dir, nil)
	if errors.Is(err, errNoServer) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("whether the sweep runs is not known: %w", err)
	}
	defer srv.close()
	for _, id := range ids {
		if runs, err := isRunning(ctx, srv.client, id); err != nil {
			return true, fmt.Errorf("whether the sweep runs is not known: %w", err)
		} else if runs {
			return true, fmt.Errorf("sweep %s is running: sweep cancel %s ends it, and then it can be removed", id, id)
		}
	}
	return true, nil
}

// end returns an error if one of the sweeps runs. Where no server runs, it ends the workflows that would come back when
// a server is started on the state directory.
func (e *sweepEnding) end(ctx context.Context, ids []string) error {
	if asked, err := e.refuseRunning(ctx, ids); asked || err != nil {
		return err
	}
	if _, err := os.Stat(filepath.Join(e.at.dir, "temporal.db")); errors.Is(err, os.ErrNotExist) {
		return nil
	}
	return endWorkflows(ctx, e.at.dir, ids)
}

// endWorkflows starts the server on a state directory, without a worker and without the Web UI, and ends the workflows
// of sweeps.
func endWorkflows(ctx context.Context, dir string, ids []string) (err error) {
	embedded, err := local.Start(ctx, local.Options{Dir: dir, GRPCPort: -1, UIPort: -1})
	if err != nil {
		return fmt.Errorf("end the workflow, which would come back with the next server: %w", err)
	}
	defer func() { err = errors.Join(err, embedded.Stop()) }()
	srv, err := connect(ctx, client.Options{HostPort: embedded.HostPort, Namespace: local.DefaultNamespace},
		slog.New(slog.DiscardHandler))
	if err != nil {
		return err
	}
	defer srv.close()
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
