package main

import (
	"slices"

	"github.com/spf13/cobra"
)

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

// completeRemovable completes the IDs of several sweeps, also of those whose removal was killed.
func completeRemovable(at *location) cobra.CompletionFunc {
	return func(c *cobra.Command, args []string, _ string) ([]cobra.Completion, cobra.ShellCompDirective) {
		l, err := openLedger(c.Context(), *at)
		if err != nil {
			return nil, cobra.ShellCompDirectiveError
		}
		ids, err := l.RemovableIDs(c.Context())
		if err != nil {
			return nil, cobra.ShellCompDirectiveError
		}
		ids = slices.DeleteFunc(ids, func(id string) bool { return slices.Contains(args, id) })
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

// completeSettings completes a sweep, then settings.
func completeSettings(at *location) cobra.CompletionFunc {
	return func(c *cobra.Command, args []string, toComplete string) ([]cobra.Completion, cobra.ShellCompDirective) {
		if len(args) == 0 {
			return completeSweep(at)(c, args, toComplete)
		}
		var keys []cobra.Completion
		for _, s := range settings() {
			keys = append(keys, s.key+"=")
		}
		return keys, cobra.ShellCompDirectiveNoSpace | cobra.ShellCompDirectiveNoFileComp
	}
}

// completePriority completes a sweep, then a priority.
func completePriority(at *location) cobra.CompletionFunc {
	return func(c *cobra.Command, args []string, toComplete string) ([]cobra.Completion, cobra.ShellCompDirective) {
		if len(args) == 1 {
			return priorities(), cobra.ShellCompDirectiveNoFileComp
		}
		return completeSweep(at)(c, args, toComplete)
	}
}

// completeFlags completes the values of the flags --priority, --cell and --columns, where a verb has them. For another
// verb cobra returns an error, which says nothing.
func completeFlags(c *cobra.Command, at *location) {
	_ = c.RegisterFlagCompletionFunc("cell", completeCells(at))
	if f := c.Flag("columns"); f != nil {
		_ = c.RegisterFlagCompletionFunc("columns", completeColumns(f.Value.(*columnsFlag).known))
	}
	_ = c.RegisterFlagCompletionFunc("priority",
		func(*cobra.Command, []string, string) ([]cobra.Completion, cobra.ShellCompDirective) {
			return priorities(), cobra.ShellCompDirectiveNoFileComp
		})
}

// completeCells completes the IDs of the cells of the sweep that is named before.
func completeCells(at *location) cobra.CompletionFunc {
	return func(c *cobra.Command, args []string, _ string) ([]cobra.Completion, cobra.ShellCompDirective) {
		const none = cobra.ShellCompDirectiveNoFileComp
		if len(args) == 0 {
			return nil, none
		}
		l, header, err := openSweep(c.Context(), *at, args[0])
		if err != nil {
			return nil, cobra.ShellCompDirectiveError
		}
		p, err := l.Plan(c.Context(), header.ID)
		if err != nil {
			return nil, cobra.ShellCompDirectiveError
		}
		var ids []cobra.Completion
		for _, cell := range p.Cells {
			ids = append(ids, cobra.CompletionWithDesc(cell.ID, header.Label(cell)))
		}
		return ids, none
	}
}
