package main

import (
	"github.com/spf13/cobra"

	"github.com/topksweep/sweep/sweep/protocol"
)

func newPauseCommand(env *environment) *cobra.Command {
	o := newSteerOptions()
	c := &cobra.Command{
		Use:   "pause SWEEP",
		Short: "Pause a running sweep, saving what trains",
		Long: `Pause a running sweep: what trains is saved and stops, and its slots are free for other
sweeps. Nothing more starts until sweep resume. A sweep stays paused when its server or
its workers are started again. The command returns when all is saved.`,
		Example: "  sweep pause topk-demo\n  sweep pause topk-demo -o json",
		Args:    args(cobra.ExactArgs(1)),

		ValidArgsFunction: completeSweep(&o.location),
		RunE: func(c *cobra.Command, args []string) error {
			o.sweep = args[0]
			return runSteering(c.Context(), env, o, steering{
				update: protocol.UpdatePause, doing: "pausing; waiting until what trains is saved",
			})
		},
	}
	o.addFlags(c.Flags())
	return c
}
