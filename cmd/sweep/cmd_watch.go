package main

import (
	"context"

	"github.com/spf13/cobra"
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
the sweep. A server that does not answer is waited for, for three minutes; while its disk,
on this machine, is full, for as long as that takes.`,
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
	if err != nil {
		return err
	}
	defer srv.close()
	return followToResults(ctx, env, srv, l, header, o.location, o.output)
}
