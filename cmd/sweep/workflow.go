package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"

	"github.com/topksweep/sweep/sweep/grid"
	"github.com/topksweep/sweep/sweep/ledger"
	"github.com/topksweep/sweep/sweep/plan"
	"github.com/topksweep/sweep/sweep/protocol"
)

// A submission is a sweep whose workflow is to be started. Its plan is stored.
type submission struct {
	header  *plan.Header
	ledger  *ledger.Ledger // that has the plan
	owner   string         // who submits it; "" if that is not known
	details string         // what the Web UI shows of it
	backend string         // that trains it
}

// startWorkflow starts the workflow of a sweep, or attaches to it if it runs. started is
// false, without an error, if the workflow has run before and the policy forbids another
// time. A namespace that lacks search attributes is noted on errOut.
func startWorkflow(ctx context.Context, errOut io.Writer, srv *server, s submission,
	reuse enums.WorkflowIdReusePolicy) (started bool, err error) {

	known := knownAttributes(ctx, errOut, srv)
	var cells []grid.Cell
	if slices.Contains(known, protocol.AttrAxes) {
		if cells, err = cellsOf(ctx, s.ledger, s.header); err != nil {
			return false, err
		}
	}
	started, err = executeWorkflow(ctx, srv, s, reuse, known, cells)
	var refused *serviceerror.InvalidArgument
	if errors.As(err, &refused) && len(known) > 0 { // it lists what is new some seconds before it takes it
		fmt.Fprintf(errOut, "note: the sweep starts without search attributes: %v\n", err)
		return executeWorkflow(ctx, srv, s, reuse, nil, nil)
	}
	return started, err
}

// executeWorkflow starts a workflow for startWorkflow, with those search attributes that are known.
func executeWorkflow(ctx context.Context, srv *server, s submission, reuse enums.WorkflowIdReusePolicy,
	known []string, cells []grid.Cell) (started bool, err error) {

	h := s.header
	_, err = srv.client.ExecuteWorkflow(ctx, client.StartWorkflowOptions{
		ID:                                       h.ID,
		TaskQueue:                                protocol.Queue,
		WorkflowIDReusePolicy:                    reuse,
		WorkflowIDConflictPolicy:                 enums.WORKFLOW_ID_CONFLICT_POLICY_USE_EXISTING,
		WorkflowExecutionErrorWhenAlreadyStarted: true,
		TypedSearchAttributes:                    firstAttributes(known, h, cells, s.owner),
		StaticSummary:                            fmt.Sprintf("%s: %d cells", h.Name, h.CellCount),
		StaticDetails:                            s.details,
	}, protocol.WorkflowSweep, protocol.SweepInput{
		Sweep: h.ID, Size: h.Size(), TrainQueue: protocol.TrainQueue(s.backend),
		MaxConcurrent: h.Run.MaxConcurrent, FailureLimit: h.Run.FailureLimit(),
		Owner: keyword(s.owner), Attributes: known,
	})
	var ranBefore *serviceerror.WorkflowExecutionAlreadyStarted
	if errors.As(err, &ranBefore) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("start sweep %s: %w", h.ID, err)
	}
	return true, nil
}

// startOrAttach starts the sweep of a stored plan, or attaches to it if it runs. A
// sweep that failed or was canceled starts again, with the results that it has. One
// that is done starts again only if the store lacks results: they were lost, or the
// sweep was done with another store. src is the grid.yaml.
func startOrAttach(ctx context.Context, env *environment, srv *server, l *ledger.Ledger, header *plan.Header,
	src []byte, backend, owner string) error {

	if err := waitIfEnding(ctx, env, srv.client, header.ID); err != nil {
		return err
	}
	s := submission{header: header, ledger: l, owner: owner, details: gridDetails(header.ID, src), backend: backend}
	started, err := startWorkflow(ctx, env.errOut, srv, s,
		enums.WORKFLOW_ID_REUSE_POLICY_ALLOW_DUPLICATE_FAILED_ONLY)
	if err != nil {
		return err
	}
	if started {
		fmt.Fprintf(env.errOut, "sweep %s: %d cells\n", header.ID, header.CellCount)
		return nil
	}
	left, err := l.Unfinished(ctx, header)
	if err != nil {
		return err
	}
	fmt.Fprintf(env.errOut, "sweep %s has run already: %d cells\n", header.ID, header.CellCount)
	if left == 0 {
		return nil
	}
	fmt.Fprintf(env.errOut, "note: this store lacks the results of %d of them: they are trained\n", left)
	_, err = startWorkflow(ctx, io.Discard, srv, s, enums.WORKFLOW_ID_REUSE_POLICY_ALLOW_DUPLICATE)
	return err
}

// updateTimeout is how long a worker may take to accept an update.
const updateTimeout = time.Minute

// updateOrStart sends an update to a sweep's workflow, or starts the workflow if
// none runs.
func updateOrStart(ctx context.Context, env *environment, srv *server, l *ledger.Ledger, h *plan.Header,
	backend, owner, update string, args ...any) error {

	updateCtx, cancel := context.WithTimeout(ctx, updateTimeout)
	defer cancel()
	handle, err := srv.client.UpdateWorkflow(updateCtx, client.UpdateWorkflowOptions{
		WorkflowID: h.ID, UpdateName: update, Args: args, WaitForStage: client.WorkflowUpdateStageCompleted,
	})
	if err == nil {
		err = handle.Get(updateCtx, nil)
	}
	var notRunning *serviceerror.NotFound
	switch {
	case errors.As(err, &notRunning):
		src, err := l.Grid(ctx, h.ID)
		if err != nil {
			return err
		}
		s := submission{header: h, ledger: l, owner: owner, details: gridDetails(h.ID, src), backend: backend}
		_, err = startWorkflow(ctx, env.errOut, srv, s, enums.WORKFLOW_ID_REUSE_POLICY_ALLOW_DUPLICATE)
		return err
	case err != nil && ctx.Err() == nil && updateCtx.Err() != nil:
		return fmt.Errorf("%s %s: no worker answered within %s: is one running?", update, h.ID, updateTimeout)
	case err != nil:
		return fmt.Errorf("%s %s: %w", update, h.ID, err)
	}
	return nil
}

// waitIfEnding waits for a sweep that is being canceled, or that stops because of
// runs that failed, to end. Until then it would not do what it is asked.
func waitIfEnding(ctx context.Context, env *environment, c client.Client, id string) error {
	d, err := c.DescribeWorkflowExecution(ctx, id, "")
	var unknown *serviceerror.NotFound
	if errors.As(err, &unknown) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("look at sweep %s: %w", id, err)
	}
	if d.WorkflowExecutionInfo.Status != enums.WORKFLOW_EXECUTION_STATUS_RUNNING {
		return nil
	}
	if !d.GetWorkflowExtendedInfo().GetCancelRequested() {
		var p protocol.Progress
		if err := queryProgress(ctx, c, id, &p); err != nil || !p.Ending {
			return nil
		}
	}
	fmt.Fprintf(env.errOut, "sweep %s is ending: waiting until its runs are saved\n", id)
	err = c.GetWorkflow(ctx, id, "").Get(ctx, nil)
	if ctx.Err() != nil {
		return errInterrupted
	}
	var ended *temporal.WorkflowExecutionError
	if err != nil && !errors.As(err, &ended) {
		return fmt.Errorf("wait for sweep %s to end: %w", id, err)
	}
	return nil
}
