package observe

import (
	"context"

	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"

	"github.com/topksweep/sweep/sweep/protocol"
)

// maxRunning bounds the sweeps that RunningSweeps lists.
const maxRunning = 100

// RunningSweeps lists the IDs of sweeps that run, maxRunning of them at most, and none where the server does not tell.
func RunningSweeps(ctx context.Context, c client.Client) (ids []string) {
	page, err := c.ListWorkflow(ctx, &workflowservice.ListWorkflowExecutionsRequest{
		PageSize: maxRunning, Query: "WorkflowType = " + quote(protocol.WorkflowSweep) + " AND ExecutionStatus = 'Running'",
	})
	if err != nil {
		return nil
	}
	for _, e := range page.GetExecutions() {
		ids = append(ids, e.GetExecution().GetWorkflowId())
	}
	return ids
}
