package main

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/spf13/cobra"

	"github.com/topksweep/sweep/sweep/ledger"
	"github.com/topksweep/sweep/sweep/plan"
	"github.com/topksweep/sweep/sweep/report"
)

type watchOptions struct {
	location   location
	connection connection
	sweep      string // name or ID
}

func newWatchCommand(env *environment) *cobra.Command {
	var o watchOptions
	c := &cobra.Command{
		Use:   "watch SWEEP",
		Short: "Follow a running sweep until it ends",
		Long: `Follow a running sweep until it ends: bars on a terminal, plain lines otherwise.
SWEEP is a name or an ID. Leaving does not stop the sweep. A server that does not
answer is waited for, for three minutes; while its disk, on this machine, is full, for as
long as that takes.`,
		Example: "  sweep watch topk-demo",
		Args:    args(cobra.ExactArgs(1)),

		ValidArgsFunction: completeSweep(&o.location),
		RunE: func(c *cobra.Command, args []string) error {
			o.sweep = args[0]
			return runWatch(c.Context(), env, o)
		},
	}
	o.location.addFlags(c.Flags())
	o.connection.addFlags(c.Flags())
	return c
}

// runWatch is the verb watch.
func runWatch(ctx context.Context, env *environment, o watchOptions) error {
	l, header, err := openSweep(ctx, o.location, o.sweep)
	if err != nil {
		return err
	}
	srv, err := o.connection.dial(ctx, o.location.dir, nil)
	if err != nil {
		return err
	}
	defer srv.close()
	last, err := watch(ctx, env, srv, l, header)
	if err != nil && last.ended() && last.Progress.Failed > 0 {
		return errors.Join(writeFailures(ctx, env, l, header), err)
	}
	return err
}

// shownFailures is how many failures watch lists.
const shownFailures = 20

// writeFailures prints why runs of a sweep failed, one line each.
func writeFailures(ctx context.Context, env *environment, l *ledger.Ledger, header *plan.Header) error {
	results, err := l.Results(ctx, header)
	if err != nil {
		return err
	}
	failed := slices.DeleteFunc(results, func(r ledger.Result) bool { return r.Status != plan.Failed })
	for _, r := range failed[:min(len(failed), shownFailures)] {
		fmt.Fprintf(env.errOut, "%s  %s\n", r.Cell, report.OneLine(r.Error))
	}
	if more := len(failed) - shownFailures; more > 0 {
		fmt.Fprintf(env.errOut, "… and %d more; sweep status %s lists them\n", more, header.ID)
	}
	return nil
}
