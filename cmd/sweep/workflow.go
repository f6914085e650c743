package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"go.temporal.io/api/enums/v1"
	"go.temporal.io/api/operatorservice/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"

	"github.com/topksweep/sweep/sweep/ledger"
	"github.com/topksweep/sweep/sweep/plan"
	"github.com/topksweep/sweep/sweep/protocol"
)

// Search attributes by which sweeps are found in the Web UI.
var (
	attrName  = temporal.NewSearchAttributeKeyKeyword("SweepName")
	attrCells = temporal.NewSearchAttributeKeyInt64("SweepCells")
)

func searchAttributes() map[string]enums.IndexedValueType {
	return map[string]enums.IndexedValueType{
		attrName.GetName():  attrName.GetValueType(),
		attrCells.GetName(): attrCells.GetValueType(),
	}
}

// searchAttributesOf are the search attributes of a sweep that the server's
// namespace has. A server without them runs sweeps all the same.
func searchAttributesOf(ctx context.Context, srv *server, h *plan.Header) temporal.SearchAttributes {
	request := &operatorservice.ListSearchAttributesRequest{Namespace: srv.namespace}
	known, err := srv.client.OperatorService().ListSearchAttributes(ctx, request)
	if err != nil {
		return temporal.SearchAttributes{}
	}
	var set []temporal.SearchAttributeUpdate
	if _, ok := known.CustomAttributes[attrName.GetName()]; ok {
		set = append(set, attrName.ValueSet(h.Name))
	}
	if _, ok := known.CustomAttributes[attrCells.GetName()]; ok {
		set = append(set, attrCells.ValueSet(int64(h.CellCount)))
	}
	return temporal.NewSearchAttributes(set...)
}

// startWorkflow starts the workflow of a sweep whose plan is stored, or attaches to
// it if it runs. details is what the Web UI shows of it. started is false, without
// an error, if the workflow has run before and the policy forbids another time.
func startWorkflow(ctx context.Context, srv *server, h *plan.Header, details, backend string,
	reuse enums.WorkflowIdReusePolicy) (started bool, err error) {

	_, err = srv.client.ExecuteWorkflow(ctx, client.StartWorkflowOptions{
		ID:                                       h.ID,
		TaskQueue:                                protocol.Queue,
		WorkflowIDReusePolicy:                    reuse,
		WorkflowIDConflictPolicy:                 enums.WORKFLOW_ID_CONFLICT_POLICY_USE_EXISTING,
		WorkflowExecutionErrorWhenAlreadyStarted: true,
		TypedSearchAttributes:                    searchAttributesOf(ctx, srv, h),
		StaticSummary:                            fmt.Sprintf("%s: %d cells", h.Name, h.CellCount),
		StaticDetails:                            details,
	}, protocol.WorkflowSweep, protocol.SweepInput{
		Sweep: h.ID, Size: h.Size(), TrainQueue: protocol.TrainQueue(backend),
		MaxConcurrent: h.Run.MaxConcurrent, FailureLimit: h.Run.FailureLimit(),
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
	src []byte, backend string) error {

	if err := waitIfEnding(ctx, env, srv.client, header.ID); err != nil {
		return err
	}
	details := gridDetails(header.ID, src)
	started, err := startWorkflow(ctx, srv, header, details, backend,
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
	_, err = startWorkflow(ctx, srv, header, details, backend, enums.WORKFLOW_ID_REUSE_POLICY_ALLOW_DUPLICATE)
	return err
}

// updateTimeout is how long a worker may take to accept an update.
const updateTimeout = time.Minute

// updateOrStart sends an update to a sweep's workflow, or starts the workflow if
// none runs.
func updateOrStart(ctx context.Context, srv *server, l *ledger.Ledger, h *plan.Header,
	backend, update string, args ...any) error {

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
		_, err = startWorkflow(ctx, srv, h, gridDetails(h.ID, src), backend, enums.WORKFLOW_ID_REUSE_POLICY_ALLOW_DUPLICATE)
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
