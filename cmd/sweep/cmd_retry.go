package main

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/spf13/cobra"

	"github.com/topksweep/sweep/sweep/ledger"
	"github.com/topksweep/sweep/sweep/plan"
	"github.com/topksweep/sweep/sweep/protocol"
	"github.com/topksweep/sweep/sweep/report"
)

type retryOptions struct {
	remoteOptions
	selection selectionOptions
	sweep     string // name or ID
}

func newRetryCommand(env *environment) *cobra.Command {
	var o retryOptions
	c := &cobra.Command{
		Use:   "retry SWEEP",
		Short: "Train the failed runs of a sweep again",
		Long: `Train the runs of a sweep again that failed or were canceled, from their newest
checkpoints. Runs with a result stay as they are. A sweep that is still running trains
them at once, before its other runs. One that is not running is started again, for all its
runs without result. Without a server, the next sweep up or sweep run trains them; with
--wait this command trains them here and now, as sweep run does.

With --cell or --where only the chosen cells are trained again. --cell takes IDs as sweep
results shows them, or their beginnings; --where takes conditions as sweep results does.

-o json says what was done. With --wait, -o is the format of the results.`,
		Example: `  sweep retry topk-demo
  sweep retry topk-demo --wait
  sweep retry topk-demo --where 'status=failed,lr<0.01'
  sweep retry topk-demo --cell 036c8426ea,1f0d -o json`,
		Args: args(cobra.ExactArgs(1)),

		ValidArgsFunction: completeSweep(&o.location),
		RunE: func(c *cobra.Command, args []string) error {
			o.sweep = args[0]
			if err := o.selection.check(); err != nil {
				return err
			}
			return runRetry(c.Context(), env, o)
		},
	}
	o.remoteOptions.addFlags(c.Flags())
	o.output.format.allowed = append(slices.Clone(o.output.format.allowed), "text")
	o.selection.addFlags(c.Flags())
	completeFlags(c, &o.location)
	return c
}

// runRetry is the verb retry.
func runRetry(ctx context.Context, env *environment, o retryOptions) error {
	format := o.output.format.name
	if format == "text" { // which is the table of the results
		o.output.format.name = o.output.format.allowed[0]
	}
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
	l, header, err := openSweep(ctx, o.location, o.sweep)
	if err != nil {
		return err
	}
	if !o.selection.given() {
		done, err := isDone(ctx, l, header)
		if err != nil {
			return err
		}
		if done {
			return o.nothingLeft(ctx, env, l, header, format)
		}
	}
	ctx, end := context.WithCancelCause(ctx)
	defer end(nil)
	srv, err := o.open(ctx, env, l, header, end)
	if err != nil {
		return err
	}
	defer srv.close()
	if err := o.retry(ctx, env, srv, l, header, by, format); !errors.As(context.Cause(ctx), new(unfitError)) {
		return err
	}
	return context.Cause(ctx)
}

// isDone reports whether all runs of a sweep have results. Only where they seem to have is each one read, since it may
// be damaged.
func isDone(ctx context.Context, l *ledger.Ledger, header *plan.Header) (bool, error) {
	n, err := countRuns(ctx, l, header)
	if err != nil || n.Completed < header.CellCount {
		return false, err
	}
	left, err := l.Unfinished(ctx, header)
	return left == 0, err
}

// nothingLeft ends the verb for a sweep that has all its results.
func (o *retryOptions) nothingLeft(ctx context.Context, env *environment, l *ledger.Ledger, header *plan.Header,
	format string) error {

	n := header.CellCount
	did := fmt.Sprintf("all %d runs have results", n)
	fmt.Fprintf(env.errOut, "sweep %s: %s\n", header.ID, did)
	switch {
	case o.wait:
		results, err := printResults(ctx, env, l, header, o.output)
		if err == nil {
			tellPlaces(env, o.location, header, results)
		}
		return err
	case format == "json":
		return printSteered(env, format, protocol.Steered{
			Summary: protocol.Summary{Cells: n, Completed: n, Reused: n}, Did: did, State: plan.Completed,
		})
	}
	fmt.Fprintln(env.out, header.ID)
	return nil
}

// retry tells a sweep to train runs again, or starts it again, and ends the verb.
func (o *retryOptions) retry(ctx context.Context, env *environment, srv *server, l *ledger.Ledger, header *plan.Header,
	by submission, format string) error {

	if err := waitIfEnding(ctx, env, srv.client, header.ID); err != nil {
		return err
	}
	results, err := l.Results(ctx, header)
	if err != nil {
		return err
	}
	failed, left := 0, 0
	for _, r := range results {
		if r.Status == plan.Failed {
			failed++
		}
		if r.Status != plan.Completed {
			left++
		}
	}
	if left == 0 && !o.selection.given() { // the last results came meanwhile
		return o.nothingLeft(ctx, env, l, header, format)
	}
	cells, err := o.choose(ctx, env, srv, l, header, results)
	if err != nil {
		return err
	}
	by.header = header
	if err := by.mixRunning(ctx, env, srv); err != nil { // before its cells begin again
		return explain(srv.folders, err)
	}
	did, err := tellOrStart(ctx, env, srv, header.ID, steering{
		update: protocol.UpdateRetry, args: []any{protocol.Selection{Cells: cells}},
		doing: "training cells again; waiting for its answer",
	}, func() (protocol.Steered, bool, error) {
		return startAgain(ctx, env.errOut, srv, l, header, results, cells, by)
	})
	if err != nil {
		return explain(srv.folders, err)
	}
	text := report.OneLine(did.Did)
	switch {
	case text == "" && cells != nil:
		text = "its worker is an older version of sweep: it trains all that failed or were canceled again, after its " +
			"other runs"
	case text == "":
		text = "failed and canceled runs are trained again"
	}
	if cells == nil {
		text = fmt.Sprintf("%d of %d runs have no result, %d of them failed; %s", left, header.CellCount, failed, text)
	}
	fmt.Fprintf(env.errOut, "sweep %s: %s\n", header.ID, text)
	return o.end(ctx, env, srv, l, header, format, did)
}

// choose returns the numbers of the chosen cells without result, ascending, or nil for all.
func (o *retryOptions) choose(ctx context.Context, env *environment, srv *server, l *ledger.Ledger, header *plan.Header,
	results []ledger.Result) ([]int, error) {

	if !o.selection.given() {
		return nil, nil
	}
	if o.selection.asks("auxk_latents") {
		if err := l.CountAuxK(ctx, results); err != nil {
			return nil, err
		}
	}
	if err := o.selection.tellStates(ctx, srv, header, results); err != nil {
		return nil, err
	}
	return o.selection.choose(env, header, results)
}

// end ends the verb: with the results if it is to wait for them, else with what was done or the ID.
func (o *retryOptions) end(ctx context.Context, env *environment, srv *server, l *ledger.Ledger, header *plan.Header,
	format string, did protocol.Steered) error {

	if format == "json" && !o.wait {
		noteNothingTrains(env, srv)
		return printSteered(env, format, did)
	}
	return followOrPrintID(ctx, env, srv, l, header, o.remoteOptions)
}
