package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/topksweep/sweep/sweep/ledger"
	"github.com/topksweep/sweep/sweep/plan"
)

type watchOptions struct {
	location   location
	connection connection
	output     outputOptions
	sweep      string // name or ID
}

func newWatchCommand(env *environment) *cobra.Command {
	var o watchOptions
	c := &cobra.Command{
		Use:   "watch SWEEP",
		Short: "Follow a running sweep until it ends",
		Long: `Follow a running sweep until it ends: bars on a terminal, plain lines otherwise. Then print
its results, as sweep run does. SWEEP is a name or an ID. Ctrl-C ends this command and not
the sweep. From 200 runs on it shows counts and rates in place of each run, and the best
runs at the end. A server that does not answer is waited for, for three minutes; while its
disk, on this machine, is full, for as long as that takes.`,
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
	o.output.addFlags(c.Flags())
	completeFlags(c, &o.location)
	return c
}

// runWatch is the verb watch.
func runWatch(ctx context.Context, env *environment, o watchOptions) error {
	if err := o.output.format.checkTerminal(env); err != nil {
		return err
	}
	l, header, err := openSweep(ctx, o.location, o.sweep)
	if err != nil {
		return err
	}
	srv, err := o.connection.dial(ctx, env, o.location.dir, nil)
	if errors.Is(err, errNoServer) {
		return o.withoutServer(ctx, env, l, header, err)
	}
	if err != nil {
		return err
	}
	defer srv.close()
	return followToResults(ctx, env, srv, l, header, o.location, o.output)
}

// withoutServer is the verb where no server runs: a sweep that has all its results is shown, of another one the error
// says where it stands.
func (o *watchOptions) withoutServer(ctx context.Context, env *environment, l *ledger.Ledger, header *plan.Header,
	noServer error) error {

	n, err := countRuns(ctx, l, header)
	if err != nil {
		return errors.Join(noServer, err)
	}
	if n.Completed < header.CellCount {
		return fmt.Errorf("watch %s: %d of %d runs have results, and %w; it goes on here with: %s", header.ID, n.Completed,
			header.CellCount, noServer, env.command("retry", header.ID, "--wait"))
	}
	results, err := printResults(ctx, env, l, header, o.output)
	if err == nil {
		tellPlaces(env, o.location, header, results)
	}
	return err
}
