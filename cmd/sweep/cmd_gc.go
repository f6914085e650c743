package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/topksweep/sweep/sweep/ledger"
)

type gcOptions struct {
	location location
	dryRun   bool
	grace    time.Duration
	output   format
}

func newGCCommand(env *environment) *cobra.Command {
	o := gcOptions{output: newFormat("table", "json")}
	c := &cobra.Command{
		Use:   "gc",
		Short: "Remove from a store what nothing refers to",
		Long: `Remove from a store what nothing refers to:

- the checkpoint folders (checkpoints, claims, forks) of stages whose runs all have
  their results;
- checkpoint folders that no stored plan needs, if nothing was written to them within
  the grace period;
- checkpoints beyond run.checkpoint.keep that are not forks;
- unfinished uploads, temporary files and empty folders older than the grace period.

Plans, results and models always stay, and so do the checkpoints of every run without a
result: a sweep that was canceled or that failed can still be resumed. It may run while
sweeps run. If any plan or checkpoint's manifest is damaged, cannot be read or is of a
newer version of sweep, nothing is removed.`,
		Example: `  sweep gc --dry-run                    what would go
  sweep gc --store s3://sweep/team
  sweep gc -o json`,
		Args: args(cobra.NoArgs),
		RunE: func(c *cobra.Command, _ []string) error {
			if o.grace < 0 {
				return inputError{fmt.Errorf("--grace %v: want 0 or more", o.grace)}
			}
			return runGC(c.Context(), env, o)
		},
	}
	o.location.addFlags(c.Flags())
	c.Flags().BoolVarP(&o.dryRun, "dry-run", "n", false, "remove nothing, say what would go")
	c.Flags().DurationVar(&o.grace, "grace", 24*time.Hour,
		"keep what no plan refers to if it is younger than this: "+
			"a sweep that is just being submitted, or a writer at work, may need it")
	o.output.addFlag(c.Flags())
	return c
}

// runGC is the verb gc. What was removed before an error is printed too.
func runGC(ctx context.Context, env *environment, o gcOptions) error {
	l, err := openLedger(ctx, o.location)
	if err != nil {
		return err
	}
	g, err := l.CollectGarbage(ctx, time.Now().Add(-o.grace), o.dryRun)
	if err != nil && len(g.Folders) == 0 && len(g.Inits) == 0 {
		return err
	}
	var writeErr error
	if o.output.name == "json" {
		writeErr = env.writeJSON(g)
	} else {
		writeErr = env.print(func(w io.Writer) error { return writeGarbage(w, g) })
	}
	return cmp.Or(writeErr, err)
}

func writeGarbage(out io.Writer, g ledger.Garbage) error {
	type sum struct {
		folders, objects int
		bytes            int64
	}
	sums, total := map[string]sum{}, sum{}
	for _, f := range g.Folders {
		s := sums[f.Why]
		sums[f.Why] = sum{s.folders + 1, s.objects + f.Objects, s.bytes + f.Bytes}
		if f.Why != ledger.FolderYoung {
			total = sum{total.folders + 1, total.objects + f.Objects, total.bytes + f.Bytes}
		}
	}
	var inits, youngInits sum
	for _, i := range g.Inits {
		if i.Why == ledger.FolderYoung {
			youngInits = sum{0, youngInits.objects + 1, youngInits.bytes + i.Bytes}
			continue
		}
		inits = sum{0, inits.objects + 1, inits.bytes + i.Bytes}
		total.objects, total.bytes = total.objects+1, total.bytes+i.Bytes
	}
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	row := func(what string, s sum) {
		fmt.Fprintf(w, "%s\t%d\t%d\t%s\n", what, s.folders, s.objects, byteSize(s.bytes))
	}
	freed := "freed"
	if g.DryRun {
		freed = "would be freed"
	}
	fmt.Fprintln(w, "WHAT\tFOLDERS\tOBJECTS\tSIZE")
	row("folders of finished runs", sums[ledger.FolderFinished])
	row("folders of no plan", sums[ledger.FolderUnplanned])
	row("old checkpoints", sums[ledger.FolderPruned])
	if inits.objects > 0 {
		row("models to begin from", inits)
	}
	row(freed, total)
	if err := w.Flush(); err != nil {
		return err
	}
	if g.Leftovers > 0 {
		fmt.Fprintf(out, "and %d unfinished uploads, temporary files and empty folders\n", g.Leftovers)
	}
	if young := sums[ledger.FolderYoung]; young.folders > 0 {
		fmt.Fprintf(out, "kept: %d folders of no plan (%s) that are younger than --grace\n",
			young.folders, byteSize(young.bytes))
	}
	if youngInits.objects > 0 {
		fmt.Fprintf(out, "kept: %d models to begin from of no plan (%s) that are younger than --grace\n",
			youngInits.objects, byteSize(youngInits.bytes))
	}
	return nil
}

// byteSize writes a number of bytes with a binary prefix, as in 1.5 MiB.
func byteSize(n int64) string {
	if n < 1<<10 {
		return fmt.Sprint(n, " B")
	}
	x, unit := float64(n)/(1<<10), "KiB"
	for _, larger := range []string{"MiB", "GiB", "TiB"} {
		if x < 1<<10 {
			break
		}
		x, unit = x/(1<<10), larger
	}
	return fmt.Sprintf("%.1f %s", x, unit)
}
