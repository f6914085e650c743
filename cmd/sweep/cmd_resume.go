package main

import (
	"github.com/spf13/cobra"

	"github.com/topksweep/sweep/sweep/protocol"
)

func newResumeCommand(env *environment) *cobra.Command {
	o := newSteerOptions()
	c := &cobra.Command{
		Use:   "resume SWEEP",
		Short: "Go on with a paused sweep",
		Long: `Go on with a sweep that sweep pause has paused. What was in training goes on at the
checkpoint that the pause has saved.`,
		Example: "  sweep resume topk-demo",
		Args:    args(cobra.ExactArgs(1)),

		ValidArgsFunction: completeSweep(&o.location),
		RunE: func(c *cobra.Command, args []string) error {
			o.sweep = args[0]
			return runSteering(c.Context(), env, o, steering{
				update: protocol.UpdateResume, doing: "resuming; waiting for its answer",
			})
		},
	}
	o.addFlags(c.Flags())
	return c
}
