package main

import (
	"github.com/spf13/cobra"

	"github.com/topksweep/sweep/sweep/protocol"
)

func newPriorityCommand(env *environment) *cobra.Command {
	o := newSteerOptions()
	c := &cobra.Command{
		Use:   "priority SWEEP high|normal|low",
		Short: "Let a running sweep train before others, or after them",
		Long: `Change the priority of a running sweep. Stages of a higher priority start before all of a
lower one; sweeps of one priority share the slots. What trains already is not stopped.
submit and run have --priority for a sweep that starts.`,
		Example: "  sweep priority topk-demo high\n  sweep priority topk-demo normal",
		Args:    args(cobra.ExactArgs(2)),

		ValidArgsFunction: completePriority(&o.location),
		RunE: func(c *cobra.Command, args []string) error {
			o.sweep = args[0]
			to, err := parsePriority(args[1])
			if err != nil {
				return inputError{err}
			}
			return runSteering(c.Context(), env, o, steering{
				update: protocol.UpdatePriority, args: []any{to}, doing: "changing its priority; waiting for its answer",
			})
		},
	}
	o.addFlags(c.Flags())
	return c
}
