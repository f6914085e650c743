package main

import "github.com/spf13/cobra"

// completeSweep completes the IDs of the sweeps in a store, for the shell.
func completeSweep(at *location) cobra.CompletionFunc {
	return func(c *cobra.Command, args []string, _ string) ([]cobra.Completion, cobra.ShellCompDirective) {
		if len(args) > 0 {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		l, err := openLedger(c.Context(), *at)
		if err != nil {
			return nil, cobra.ShellCompDirectiveError
		}
		ids, err := l.SweepIDs(c.Context())
		if err != nil {
			return nil, cobra.ShellCompDirectiveError
		}
		return ids, cobra.ShellCompDirectiveNoFileComp
	}
}

// completeSweeps completes the IDs of several sweeps, or the names of files.
func completeSweeps(at *location) cobra.CompletionFunc {
	return func(c *cobra.Command, _ []string, toComplete string) ([]cobra.Completion, cobra.ShellCompDirective) {
		ids, _ := completeSweep(at)(c, nil, toComplete)
		return ids, cobra.ShellCompDirectiveDefault
	}
}

// completeGrid completes the names of YAML files.
func completeGrid(_ *cobra.Command, args []string, _ string) ([]cobra.Completion, cobra.ShellCompDirective) {
	if len(args) > 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	return []cobra.Completion{"yaml", "yml"}, cobra.ShellCompDirectiveFilterFileExt
}

// completeSweepAndGrid completes a sweep, then a YAML file.
func completeSweepAndGrid(at *location) cobra.CompletionFunc {
	return func(c *cobra.Command, args []string, toComplete string) ([]cobra.Completion, cobra.ShellCompDirective) {
		if len(args) == 1 {
			return completeGrid(c, nil, toComplete)
		}
		return completeSweep(at)(c, args, toComplete)
	}
}
