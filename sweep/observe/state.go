package observe

import (
	"context"

	"go.temporal.io/api/common/v1"
	"go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/converter"

	"github.com/topksweep/sweep/sweep/plan"
	"github.com/topksweep/sweep/sweep/protocol"
)

// State is Sweep without the progress. Where the search attribute of a running sweep does not tell whether it is
// paused, its workflow is asked, until the context ask is done; if that is nil, or a worker does not answer, the sweep
// is taken to train. An error means that the server did not answer, or does not know the workflow.
func State(ctx, ask context.Context, c client.Client, id string) (Observation, error) {
	o, err := Describe(ctx, c, id)
	if err != nil || o.attribute != "" || o.State != plan.Training || ask == nil {
		return o, err
	}
	if progress, err := Progress(ask, c, id); err == nil {
		o.State = stateOf(o.Status, o.attribute, progress.State)
	}
	return o, nil
}

// stateOf names the state of a sweep: by the status of its workflow and, while that runs, by what the workflow said
// last. The answer to a query is newer than a search attribute; either may be "".
func stateOf(status enums.WorkflowExecutionStatus, attribute, answer plan.Status) plan.Status {
	switch status {
	case enums.WORKFLOW_EXECUTION_STATUS_RUNNING, enums.WORKFLOW_EXECUTION_STATUS_CONTINUED_AS_NEW:
		if answer == plan.Paused || answer == "" && attribute == plan.Paused {
			return plan.Paused
		}
		return plan.Training
	case enums.WORKFLOW_EXECUTION_STATUS_PAUSED: // by an operator of the server
		return plan.Paused
	case enums.WORKFLOW_EXECUTION_STATUS_COMPLETED:
		if attribute == plan.Canceled { // some of its cells were canceled
			return plan.Canceled
		}
		return plan.Completed
	case enums.WORKFLOW_EXECUTION_STATUS_CANCELED:
		return plan.Canceled
	case enums.WORKFLOW_EXECUTION_STATUS_FAILED, enums.WORKFLOW_EXECUTION_STATUS_TERMINATED,
		enums.WORKFLOW_EXECUTION_STATUS_TIMED_OUT:
		return plan.Failed
	}
	return ""
}

// attributeState reads the state of a sweep in its search attributes; "" if they have none.
func attributeState(a *common.SearchAttributes) plan.Status {
	return plan.Status(attribute(a, protocol.AttrState))
}

// attribute reads a search attribute of type Keyword; "" if there is none.
func attribute(a *common.SearchAttributes, name string) (value string) {
	payload, ok := a.GetIndexedFields()[name]
	if !ok || converter.GetDefaultDataConverter().FromPayload(payload, &value) != nil {
		return ""
	}
	return value
}
