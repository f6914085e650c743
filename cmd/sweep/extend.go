package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"
	"go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/sdk/client"

	"github.com/topksweep/sweep/activities"
	"github.com/topksweep/sweep/storage"
	"github.com/topksweep/sweep/sweep"
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
			add, err := g.plan(ctx, args[1], sweep.Estimates{Bytes: bytes})
			if err != nil {
				return err
			}
			tc, _, err := h.dial(ctx, h.dir, nil)
			if err != nil {
				return err
			}
			defer tc.Close()
			plan, err := activities.LoadPlan(ctx, store, header.ID)
			if err != nil {
				return err
			}
			before := plan.CellCount
			added, err := plan.Extend(add.plan)
			if err != nil {
				return inputError{err}
			}
			if added > 0 {
				if err := claimExtension(ctx, store, sweep.ExtensionKey(plan.ID, before), add.src); err != nil {
					return err
				}
				if err := activities.StorePlan(ctx, store, plan); err != nil {
					return err
				}
			}
			if err := a.settled(ctx, tc, plan.ID); err != nil {
				return err
			}
			// Also if nothing is new: an extension may have stopped half-way here.
			if err := tellOrStart(ctx, tc, store, &plan.PlanHeader, backend, sweep.UpdateExtend, plan.Extent()); err != nil {
				return err
			}
			fmt.Fprintf(a.err, "sweep %s: %d cells more, %d in all\n", plan.ID, added, plan.CellCount)
			return a.handed(ctx, tc, store, &plan.PlanHeader, &h)
		},
	}
	h.flags(c.Flags())
	g.flags(c.Flags())
	return c
}

// extendWithin is how long storing an extension may take: one that was begun and
// is not there after that has died.
const extendWithin = time.Minute

// claimExtension makes sure that one process at a time extends a plan as it is
// now: of several the first counts, and the others are to look at the plan again.
func claimExtension(ctx context.Context, store storage.Store, key string, src []byte) error {
	err := storage.PutNew(ctx, store, key, src)
	if !errors.Is(err, storage.ErrExists) {
		return err
	}
	there, err := storage.ReadAll(ctx, store, key, sweep.MaxBytes)
	if err != nil || bytes.Equal(there, src) { // the same again
		return err
	}
	objects, err := store.List(ctx, key)
	if err != nil {
		return err
	}
	if len(objects) > 0 && time.Since(objects[0].Modified) < extendWithin {
		return errors.New("the sweep is being extended by another grid; try again")
	}
	return storage.PutBytes(ctx, store, key, src)
}

// answerWithin is how long a worker may take to note an update.
const answerWithin = time.Minute

// tellOrStart sends an update to a sweep's workflow, or starts the workflow if
// none runs.
func tellOrStart(ctx context.Context, c client.Client, store storage.Store, p *sweep.PlanHeader, backend, update string, args ...any) error {
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
		src, err := storage.ReadAll(ctx, store, sweep.GridKey(p.ID), sweep.MaxBytes)
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
