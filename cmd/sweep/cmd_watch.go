package main

import (
	"github.com/spf13/cobra"

	"github.com/topksweep/sweep/sweep/ledger"
)

func (a *app) watchCmd() *cobra.Command {
	var p place
	var conn connection
	c := &cobra.Command{
		Use:   "watch SWEEP",
		Short: "Follow a running sweep until it ends",
		Long: `Follow a running sweep until it ends: bars on a terminal, plain lines otherwise.
SWEEP is a name or an ID. Leaving does not stop the sweep. A server that does not
answer is waited for, for three minutes.`,
		Example: "  sweep watch topk-demo",
		Args:    args(cobra.ExactArgs(1)),

		ValidArgsFunction: completeSweep(&p),
		RunE: func(c *cobra.Command, args []string) error {
			store, err := readStore(c.Context(), p.storeURL())
			if err != nil {
				return err
			}
			header, err := findSweep(c.Context(), store, args[0])
			if err != nil {
				return err
			}
			tc, _, err := conn.dial(c.Context(), p.dir, nil)
			if err != nil {
				return err
			}
			defer tc.Close()
			_, err = a.watch(c.Context(), tc, ledger.New(store), header, alwaysThere)
			return err
		},
	}
	p.flags(c.Flags())
	conn.flags(c.Flags())
	return c
}
