package observe

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"go.temporal.io/api/common/v1"
	"go.temporal.io/api/enums/v1"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/converter"

	"github.com/topksweep/sweep/sweep/plan"
	"github.com/topksweep/sweep/sweep/protocol"
)

// A Listed is what a server tells of a sweep in a list. Counts are those of search attributes: 0 where it has none.
type Listed struct {
	ID     string
	State  plan.Status
	Start  time.Time // of its newest history
	Close  time.Time // of that; zero while it runs
	Cells  int
	Done   int
	Failed int
}

// mostListed is how many sweeps List asks for: the newest ones.
const mostListed = 1000

// List asks for the sweeps that run or have ended since a moment, each once, in the order in which they started.
func List(ctx context.Context, c client.Client, since time.Time) ([]Listed, error) {
	answer, err := c.ListWorkflow(ctx, &workflowservice.ListWorkflowExecutionsRequest{
		PageSize: mostListed,
		Query: fmt.Sprintf("WorkflowType = '%s' AND (ExecutionStatus = 'Running' OR CloseTime >= '%s')",
			protocol.WorkflowSweep, since.UTC().Format(time.RFC3339)),
	})
	if err != nil {
		return nil, err
	}
	newest := map[string]Listed{}
	for _, info := range answer.GetExecutions() {
		if info.GetStatus() == enums.WORKFLOW_EXECUTION_STATUS_CONTINUED_AS_NEW {
			continue // another history goes on
		}
		a := info.GetSearchAttributes()
		s := Listed{
			ID: info.GetExecution().GetWorkflowId(), Start: timeOf(info.GetStartTime()), Close: timeOf(info.GetCloseTime()),
			State: stateOf(info.GetStatus(), attributeState(a), ""),
			Cells: count(a, protocol.AttrCells), Done: count(a, protocol.AttrDone), Failed: count(a, protocol.AttrFailed),
		}
		if known, ok := newest[s.ID]; !ok || s.Start.After(known.Start) {
			newest[s.ID] = s
		}
	}
	var out []Listed
	for _, s := range newest {
		out = append(out, s)
	}
	slices.SortFunc(out, func(a, b Listed) int { return cmp.Or(a.Start.Compare(b.Start), cmp.Compare(a.ID, b.ID)) })
	return out, nil
}

// count reads a search attribute of type Int; 0 if there is none.
func count(a *common.SearchAttributes, name string) int {
	var n int64
	payload, ok := a.GetIndexedFields()[name]
	if !ok || converter.GetDefaultDataConverter().FromPayload(payload, &n) != nil {
		return 0
	}
	return int(n)
}
