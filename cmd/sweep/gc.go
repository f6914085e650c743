package main

import (
	"fmt"
	"io"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"
	"github.com/topksweep/sweep/sweep/ledger"
	"github.com/vbauerster/mpb/v8/decor"
)

func (a *app) gcCmd() *cobra.Command {
	var p place
	var dry bool
	var grace time.Duration
	var output string
	c := &cobra.Command{
		Use:   "gc",
		Short: "Remove from a store what nothing refers to",
		Long: `Remove from a store what nothing refers to: stages (checkpoints, claims, forks) whose
runs all have their results; stages that belong to no stored plan and were not written
to for the grace period; checkpoints beyond run.checkpoint.keep, but for forks; and
unfinished uploads, temporary files and empty folders older than the grace period.

Plans, results and models always stay, and so do the checkpoints of every run without a
result: a sweep that was canceled or that failed can still be resumed. It may run while
sweeps run. If any plan or checkpoint's manifest is damaged or of a newer version of
sweep, nothing is removed.`,
		Example: `  sweep gc --dry-run                    what would go
  sweep gc --store s3://sweep/team
  sweep gc -o json`,
		Args: args(cobra.NoArgs),
		RunE: func(c *cobra.Command, _ []string) error {
			if output != "table" && output != "json" {
				return inputError{fmt.Errorf("-o %s: want table or json", output)}
			}
			if grace < 0 {
				return inputError{fmt.Errorf("--grace %v: want 0 or more", grace)}
			}
			store, err := readStore(c.Context(), p.storeURL())
			if err != nil {
				return err
			}
			g, err := ledger.New(store).CollectGarbage(c.Context(), time.Now().Add(-grace), dry)
			if err != nil && len(g.Folders) == 0 {
				return err
			}
			// Also what went before an error.
			write := writeGarbage
			if output == "json" {
				write = func(w io.Writer, g ledger.Garbage) error { return writeJSON(w, g) }
			}
			if err := write(a.out, g); err != nil {
				return err
			}
			return err
		},
	}
	p.flags(c.Flags())
	c.Flags().BoolVarP(&dry, "dry-run", "n", false, "remove nothing, say what would go")
	c.Flags().DurationVar(&grace, "grace", 24*time.Hour, "how old must be what may belong to a sweep that is just being submitted, or to a writer at work")
	c.Flags().StringVarP(&output, "output", "o", "table", "table or json")
	return c
}

func writeGarbage(out io.Writer, g ledger.Garbage) error {
	type sum struct {
		stages, objects int
		bytes           int64
	}
	sums, total := map[string]sum{}, sum{}
	for _, s := range g.Folders {
		t := sums[s.Why]
		sums[s.Why] = sum{t.stages + 1, t.objects + s.Objects, t.bytes + s.Bytes}
		if s.Why != ledger.FolderYoung {
			total = sum{total.stages + 1, total.objects + s.Objects, total.bytes + s.Bytes}
		}
	}
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	row := func(what string, s sum) {
		fmt.Fprintf(w, "%s\t%d\t%d\t%s\n", what, s.stages, s.objects, size(s.bytes))
	}
	freed := "freed"
	if g.DryRun {
		freed = "would be freed"
	}
	fmt.Fprintln(w, "WHAT\tSTAGES\tOBJECTS\tSIZE")
	row("stages whose runs have results", sums[ledger.FolderFinished])
	row("stages of no plan", sums[ledger.FolderUnplanned])
	row("old checkpoints of runs to go on", sums[ledger.FolderPruned])
	row(freed, total)
	if err := w.Flush(); err != nil {
		return err
	}
	if g.Leftovers > 0 {
		fmt.Fprintf(out, "and %d unfinished uploads, temporary files and empty folders\n", g.Leftovers)
	}
	if young := sums[ledger.FolderYoung]; young.stages > 0 {
		fmt.Fprintf(out, "kept: %d stages of no plan (%s) that are younger than --grace\n", young.stages, size(young.bytes))
	}
	return nil
}

// size prints a number of bytes.
func size(n int64) string {
	if n < 1024 {
		return fmt.Sprint(n, " B")
	}
	return fmt.Sprintf("% .1f", decor.SizeB1024(n))
}
