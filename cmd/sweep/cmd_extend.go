package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/topksweep/sweep/sweep/ledger"
	"github.com/topksweep/sweep/sweep/plan"
	"github.com/topksweep/sweep/sweep/protocol"
)

type extendOptions struct {
	remoteOptions
	sweep string // name or ID
	grid  gridOptions
}

func newExtendCommand(env *environment) *cobra.Command {
	var o extendOptions
	c := &cobra.Command{
		Use:   "extend SWEEP grid.yaml",
		Short: "Add cells to a sweep, running or done",
		Long: `Add the cells of a grid to a sweep, running or done: more values of an axis, another
axis, more steps. Cells that the sweep has already stay as they are. Steps that a new
cell shares with an old one are not trained again, if the checkpoint at which the two
part is still in the store. The grid must be on the same data; its name and its section
run do not matter. A sweep that is not running is started again, for all its cells that
have no result.`,
		Example: `  sweep extend topk-demo wider.yaml
  sweep extend topk-demo-1a2b3c4d wider.yaml --wait`,
		Args: args(cobra.ExactArgs(2)),

		ValidArgsFunction: completeSweepAndGrid(&o.location),
		RunE: func(c *cobra.Command, args []string) error {
			o.sweep, o.grid.path = args[0], args[1]
			return runExtend(c.Context(), env, o)
		},
	}
	o.remoteOptions.addFlags(c.Flags())
	o.grid.addFlags(c.Flags())
	env.cacheFlag.addFlags(c.Flags())
	completeFlags(c, &o.location)
	return c
}

// runExtend is the verb extend.
func runExtend(ctx context.Context, env *environment, o extendOptions) error {
	if err := o.output.format.checkTerminal(env); err != nil {
		return err
	}
	backend, err := backendFor(o.backend)
	if err != nil {
		return err
	}
	by, err := o.submission(backend.name, "")
	if err != nil {
		return err
	}
	store, err := writableStore(ctx, o.storeURL())
	if err != nil {
		return err
	}
	l := ledger.New(store)
	header, err := findSweep(ctx, l, o.sweep)
	if err != nil {
		return err
	}
	add, err := planGrid(ctx, env, o.grid, plan.Estimates{
		Bytes: backend.bytes, Unsupported: refusal(ctx, o.location, backend),
	})
	if err != nil {
		return err
	}
	ctx, end := context.WithCancelCause(ctx)
	defer end(nil)
	srv, err := o.open(ctx, env, l, header, end)
	if err != nil {
		return err
	}
	defer srv.close()
	if err := o.extend(ctx, env, srv, l, header, add, by); !errors.As(context.Cause(ctx), new(unfitError)) {
		return err
	}
	return context.Cause(ctx)
}

// extend adds the cells of a grid to a sweep, tells it so or starts it again, and ends the verb.
func (o *extendOptions) extend(ctx context.Context, env *environment, srv *server, l *ledger.Ledger,
	header *plan.Header, add *plannedGrid, by submission) error {

	if len(add.plan.Inits) > 0 { // nothing is stored for a grid that is refused
		whole, err := l.Plan(ctx, header.ID)
		if err != nil {
			return err
		}
		if _, err := whole.Extend(add.plan); err != nil {
			return inputError{err}
		}
	}
	// The models are stored even if no cell is new: one may be lost or damaged, and this mends it.
	if err := add.inits.store(ctx, l, add.plan.Inits); err != nil {
		return err
	}
	var done ledger.Extended
	err := l.BesideRemovals(ctx, header.ID, removalOptions(env.errOut), func() (err error) {
		done, err = l.Extend(ctx, header.ID, add.plan, add.src)
		return err
	})
	if errors.As(err, new(*ledger.ExtendError)) {
		return inputError{err}
	}
	if err != nil {
		return err
	}
	whole, added := done.Plan, done.Added
	if added > 0 {
		if err := add.inits.keep(ctx, l, add.plan.Inits); err != nil {
			return err
		}
	}
	// The workflow is told even if no cell is new: an earlier extend may have died
	// between storing its cells and this.
	to := protocol.Extension{Size: whole.Size()}
	if added > 0 {
		to.Grid = shortGrid(add.src, done.Key)
	}
	_, err = tellOrStart(ctx, env, srv, whole.ID, steering{
		update: protocol.UpdateExtend, args: []any{to}, doing: "extending; waiting for its answer",
	}, func() (did protocol.Steered, started bool, err error) {
		started, err = restart(ctx, env.errOut, srv, l, &whole.Header, by)
		return did, started, err
	})
	if err == nil {
		by.header = &whole.Header
		err = by.mixRunning(ctx, env, srv)
	}
	if err != nil {
		return explain(srv.folders, err)
	}
	fmt.Fprintf(env.errOut, "sweep %s: %d cells more, %d in all\n", whole.ID, added, whole.CellCount)
	return followOrPrintID(ctx, env, srv, l, &whole.Header, o.remoteOptions)
}
