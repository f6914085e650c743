package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"
	"go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/sdk/client"

	"github.com/topksweep/sweep/storage"
	"github.com/topksweep/sweep/sweep/ledger"
	"github.com/topksweep/sweep/sweep/plan"
	"github.com/topksweep/sweep/sweep/protocol"
)

func (a *app) extendCmd() *cobra.Command {
	var h handing
	var g gridFlags
	c := &cobra.Command{
		Use:   "extend SWEEP grid.yaml",
		Short: "Add cells to a sweep, running or done",
		Long: `Add the cells of a grid to a sweep, running or done: more values of an axis, another
axis, more steps. Cells that the sweep has already stay as they are. What the new ones
share with the old is not trained again: they begin at the forks that are there.
The grid must be on the same data; its name and its section run do not matter. A sweep
that is not running goes on with all that it has no result of.`,
		Example: `  sweep extend topk-demo wider.yaml
  sweep extend topk-demo-1a2b3c4d wider.yaml --wait`,
		Args: args(cobra.ExactArgs(2)),

		ValidArgsFunction: func(c *cobra.Command, args []string, more string) ([]cobra.Completion, cobra.ShellCompDirective) {
			if len(args) == 1 {
				return completeGrid(c, nil, more)
			}
			return completeSweep(&h.place)(c, args, more)
		},
		RunE: func(c *cobra.Command, args []string) error {
			ctx := c.Context()
			if err := h.out.check(); err != nil {
				return err
			}
			backend, bytes, err := backendFor(h.meant)
			if err != nil {
				return err
			}
			store, err := writableStore(ctx, h.storeURL())
			if err != nil {
				return err
			}
			header, err := findSweep(ctx, store, args[0])
			if err != nil {
				return err
			}
			add, err := g.plan(ctx, args[1], plan.Estimates{Bytes: bytes})
			if err != nil {
				return err
			}
			tc, _, err := h.dial(ctx, h.dir, nil)
			if err != nil {
				return err
			}
			defer tc.Close()
			whole, err := ledger.New(store).Plan(ctx, header.ID)
			if err != nil {
				return err
			}
			before := whole.CellCount
			added, err := whole.Extend(add.plan)
			if err != nil {
				return inputError{err}
			}
			if added > 0 {
				if err := ledger.New(store).ClaimExtension(ctx, whole.ID, before, add.src); err != nil {
					return err
				}
				if err := ledger.New(store).StorePlan(ctx, whole); err != nil {
					return err
				}
			}
			if err := a.settled(ctx, tc, whole.ID); err != nil {
				return err
			}
			// Also if nothing is new: an extension may have stopped half-way here.
			if err := tellOrStart(ctx, tc, store, &whole.Header, backend, protocol.UpdateExtend, whole.Size()); err != nil {
				return err
			}
			fmt.Fprintf(a.err, "sweep %s: %d cells more, %d in all\n", whole.ID, added, whole.CellCount)
			return a.handed(ctx, tc, store, &whole.Header, &h)
		},
	}
	h.flags(c.Flags())
	g.flags(c.Flags())
	return c
}

// answerWithin is how long a worker may take to note an update.
const answerWithin = time.Minute

// tellOrStart sends an update to a sweep's workflow, or starts the workflow if
// none runs.
func tellOrStart(ctx context.Context, c client.Client, store storage.Store, p *plan.Header, backend, update string, args ...any) error {
	short, cancel := context.WithTimeout(ctx, answerWithin)
	defer cancel()
	h, err := c.UpdateWorkflow(short, client.UpdateWorkflowOptions{
		WorkflowID: p.ID, UpdateName: update, Args: args, WaitForStage: client.WorkflowUpdateStageCompleted,
	})
	if err == nil {
		err = h.Get(short, nil)
	}
	var gone *serviceerror.NotFound
	switch {
	case errors.As(err, &gone):
		src, err := ledger.New(store).Grid(ctx, p.ID)
		if err != nil {
			return err
		}
		_, err = start(ctx, c, p, gridDetails(p.ID, src), backend, enums.WORKFLOW_ID_REUSE_POLICY_ALLOW_DUPLICATE)
		return err
	case err != nil && ctx.Err() == nil && short.Err() != nil:
		return fmt.Errorf("%s %s: no worker answered within %s: is one running?", update, p.ID, answerWithin)
	case err != nil:
		return fmt.Errorf("%s %s: %w", update, p.ID, err)
	}
	return nil
}
