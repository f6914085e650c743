package observe

import (
	"testing"

	"go.temporal.io/api/enums/v1"

	"github.com/topksweep/sweep/sweep/plan"
	"github.com/topksweep/sweep/sweep/protocol"
)

// A workflow that ended well is a sweep with all its results, unless its search attribute says that cells were
// canceled.
func TestStateOfEndedSweep(t *testing.T) {
	for _, x := range []struct {
		status    enums.WorkflowExecutionStatus
		attribute plan.Status
		want      plan.Status
	}{
		{enums.WORKFLOW_EXECUTION_STATUS_COMPLETED, "", plan.Completed},
		{enums.WORKFLOW_EXECUTION_STATUS_COMPLETED, plan.Completed, plan.Completed},
		{enums.WORKFLOW_EXECUTION_STATUS_COMPLETED, plan.Training, plan.Completed}, // it was not told any more
		{enums.WORKFLOW_EXECUTION_STATUS_COMPLETED, plan.Canceled, plan.Canceled},
		{enums.WORKFLOW_EXECUTION_STATUS_CANCELED, plan.Training, plan.Canceled},
		{enums.WORKFLOW_EXECUTION_STATUS_FAILED, plan.Canceled, plan.Failed},
		{enums.WORKFLOW_EXECUTION_STATUS_CONTINUED_AS_NEW, protocol.StateContinued, plan.Training},
	} {
		if got := stateOf(x.status, x.attribute, ""); got != x.want {
			t.Errorf("%s with the attribute %q: %s, want %s", x.status, x.attribute, got, x.want)
		}
	}
}
