package observe

import (
	"context"
	"fmt"

	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"

	"github.com/topksweep/sweep/sweep/plan"
	"github.com/topksweep/sweep/sweep/protocol"
)

// A RunningSweep is a sweep whose workflow runs.
type RunningSweep struct {
	ID    string
	State plan.Status // as its search attribute says: training, paused, or "" where it has none
}

// Running lists the sweeps whose workflows run, those that were started last first. What has begun or ended in the last
// moments may be missing or still there: a server lists a little later than it acts.
func Running(ctx context.Context, c client.Client) (list []RunningSweep, err error) {
	request := &workflowservice.ListWorkflowExecutionsRequest{
		Query: fmt.Sprintf("WorkflowType = '%s' AND ExecutionStatus = 'Running'", protocol.WorkflowSweep),
	}
	for {
		page, err := c.ListWorkflow(ctx, request)
		if err != nil {
			return list, err
		}
		for _, e := range page.GetExecutions() {
			list = append(list, RunningSweep{e.GetExecution().GetWorkflowId(), attributeState(e.GetSearchAttributes())})
		}
		if request.NextPageToken = page.GetNextPageToken(); len(request.NextPageToken) == 0 {
			return list, nil
		}
	}
}
