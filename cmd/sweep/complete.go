package main

import (
	"github.com/spf13/cobra"
	"github.com/topksweep/sweep/sweep/ledger"
)

// completeSweep completes the names of the sweeps in a store, for the shell.
func completeSweep(p *place) cobra.CompletionFunc {
	return func(c *cobra.Command, args []string, _ string) ([]cobra.Completion, cobra.ShellCompDirective) {
		if len(args) > 0 {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		store, err := readStore(c.Context(), p.storeURL())
		if err != nil {
			return nil, cobra.ShellCompDirectiveError
		}
		ids, err := ledger.New(store).SweepIDs(c.Context())
		if err != nil {
			return nil, cobra.ShellCompDirectiveError
		}
		return ids, cobra.ShellCompDirectiveNoFileComp
	}
}

// completeGrid completes YAML files.
func completeGrid(_ *cobra.Command, args []string, _ string) ([]cobra.Completion, cobra.ShellCompDirective) {
	if len(args) > 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	return []cobra.Completion{"yaml", "yml"}, cobra.ShellCompDirectiveFilterFileExt
}
