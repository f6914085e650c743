package sweepbench

import (
	"context"

	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"
)

// Histories says how large the histories of a namespace are.
type Histories struct {
	Count      int
	Events     int64 // of all
	MostEvents int64 // events of the longest one
	MostBytes  int64 // of the largest one
}

// ReadHistories asks a server for the histories of all of a namespace's workflows, also of those that have gone on in
// another history.
func ReadHistories(ctx context.Context, c client.Client, namespace string) (h Histories, err error) {
	var page []byte
	for {
		list, err := c.ListWorkflow(ctx, &workflowservice.ListWorkflowExecutionsRequest{
			Namespace: namespace, PageSize: 100, NextPageToken: page,
		})
		if err != nil {
			return h, err
		}
		for _, e := range list.GetExecutions() {
			of := e.GetExecution()
			d, err := c.DescribeWorkflowExecution(ctx, of.GetWorkflowId(), of.GetRunId())
			if err != nil {
				return h, err
			}
			info := d.GetWorkflowExecutionInfo()
			h.Count++
			h.Events += info.GetHistoryLength()
			h.MostEvents = max(h.MostEvents, info.GetHistoryLength())
			h.MostBytes = max(h.MostBytes, info.GetHistorySizeBytes())
		}
		if page = list.GetNextPageToken(); len(page) == 0 {
			return h, nil
		}
	}
}
