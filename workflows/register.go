package workflows

import (
	"go.temporal.io/sdk/workflow"

	"github.com/topksweep/sweep/sweep/protocol"
)

// A Registry takes workflows: a Temporal worker, or a test environment.
type Registry interface {
	RegisterWorkflowWithOptions(w any, o workflow.RegisterOptions)
}

// Register registers every workflow.
func Register(r Registry) {
	r.RegisterWorkflowWithOptions(SweepWorkflow, workflow.RegisterOptions{Name: protocol.WorkflowSweep})
}
