package workflows

import (
	"context"
	"testing"

	"github.com/stretchr/testify/mock"
	"go.temporal.io/sdk/temporal"

	"github.com/topksweep/sweep/sweep/plan"
	"github.com/topksweep/sweep/sweep/protocol"
)

// A sweep that was canceled is found as canceled: what is told at the end does not take it back.
func TestStateOfCanceledSweep(t *testing.T) {
	f := newTreeFake(5, append(fourCellTree(), oneCellTree("g", 4, 50)))
	env := f.env(t)
	var told []string
	env.OnUpsertTypedSearchAttributes(mock.Anything).Run(func(args mock.Arguments) {
		a := args.Get(0).(temporal.SearchAttributes)
		if v, ok := a.GetKeyword(temporal.NewSearchAttributeKeyKeyword(protocol.AttrState)); ok {
			told = append(told, v)
		}
	}).Return(nil)
	f.train = func(ctx context.Context, _, _ int) error {
		env.CancelWorkflow()
		<-ctx.Done()
		return ctx.Err()
	}
	in := f.input(1)
	in.Attributes = []string{protocol.AttrState}
	env.ExecuteWorkflow(protocol.WorkflowSweep, in)
	if err := env.GetWorkflowError(); !temporal.IsCanceledError(err) {
		t.Fatalf("ended with %v, want canceled", err)
	}
	if len(told) == 0 || told[len(told)-1] != string(plan.Canceled) {
		t.Errorf("told %v, want canceled at the end", told)
	}
}
