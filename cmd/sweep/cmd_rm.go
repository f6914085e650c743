package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/topksweep/sweep/sweep/ledger"
)

type rmOptions struct {
	location   location
	connection connection
	sweeps     []string // names or IDs
	dryRun     bool
	yes        bool
	output     format
}

func newRmCommand(env *environment) *cobra.Command {
	o := rmOptions{output: newFormat("text", "json")}
	c := &cobra.Command{
		Use:   "rm SWEEP…",
		Short: "Remove sweeps and what no other sweep needs",
		Long: `Remove sweeps from the store: plan, grid, extensions, notes on failures and collected
results, and of their runs the results, models, curves and checkpoints that no other
sweep of the store refers to. What others refer to stays, and is named.

A sweep that runs is refused: cancel it first. No server is needed. A sweep that a server
on this state directory would go on with when it is started again is ended there.

It may run beside everything else. Whoever submits a grid meanwhile waits for its end. If
it is killed, the sweep is not shown any more; the same command, or sweep gc, removes the
rest.`,
		Example: `  sweep rm topk-demo --dry-run          what would go, and what stays because of others
  sweep rm topk-demo
  sweep rm topk-demo-1a2b first-try --yes
  sweep rm topk-demo --yes -o json`,
		Args: args(cobra.MinimumNArgs(1)),

		ValidArgsFunction: completeRemovable(&o.location),
		RunE: func(c *cobra.Command, args []string) error {
			o.sweeps = args
			return runRm(c.Context(), env, o)
		},
	}
	o.location.addFlags(c.Flags())
	o.connection.addFlags(c.Flags())
	c.Flags().BoolVarP(&o.dryRun, "dry-run", "n", false, "remove nothing, say what would go")
	c.Flags().BoolVarP(&o.yes, "yes", "y", false, "do not ask")
	o.output.addFlag(c.Flags())
	return c
}

// runRm is the verb rm.
func runRm(ctx context.Context, env *environment, o rmOptions) error {
	if !o.yes && !o.dryRun && !asks(env) {
		return inputError{errors.New("sweep rm asks before it removes anything, and this is no terminal: " +
			"give --yes, or --dry-run to see what would go")}
	}
	store, err := writableStore(ctx, o.location.storeURL())
	if err != nil {
		return err
	}
	l := ledger.New(store)
	ids, err := removable(ctx, l, o.sweeps)
	if err != nil {
		return err
	}
	would, err := l.Removal(ctx, ids)
	if err != nil {
		return fmt.Errorf("rm: %w", err)
	}
	if o.dryRun {
		return printRemoval(env, o.output.name, would)
	}
	ending := sweepEnding{env: env, at: o.location, connection: o.connection}
	if err := ending.refuseRunning(ctx, ids); err != nil {
		return fmt.Errorf("rm: %w", err)
	}
	if !o.yes {
		if agreed, err := confirm(env, would); !agreed || err != nil {
			return err
		}
	}
	by := removalOptions(env.errOut)
	by.Renew = env.renew
	by.Stopped = func(ctx context.Context) error { return ending.end(ctx, ids) }
	removed, err := l.Remove(ctx, ids, by)
	if err != nil {
		return fmt.Errorf("rm: %w", err)
	}
	return printRemoval(env, o.output.name, removed)
}

// removable finds the sweeps that are to be removed. A name that stands for several is refused.
func removable(ctx context.Context, l *ledger.Ledger, names []string) (ids []string, err error) {
	for _, name := range names {
		found, err := l.MatchRemovable(ctx, name)
		if errors.As(err, new(*ledger.UnknownSweepError)) {
			return nil, inputError{err}
		}
		if err != nil {
			return nil, err
		}
		if len(found) > 1 {
			return nil, severalSweeps(ctx, l, name, found)
		}
		if !slices.Contains(ids, found[0]) {
			ids = append(ids, found[0])
		}
	}
	return ids, nil
}

// asks says that there is a person who can be asked.
func asks(env *environment) bool { return env.tty && term.IsTerminal(int(os.Stdin.Fd())) }

// confirm asks a person whether to remove what would go. It returns an error only if it cannot ask.
func confirm(env *environment, r ledger.Removal) (bool, error) {
	_, err := fmt.Fprintf(env.errOut, "remove %s with %d results and %d models, %s? [y/N] ",
		strings.Join(r.Sweeps, " and "), r.Part(ledger.RemovedResults).Count, r.Part(ledger.RemovedModels).Count,
		byteSize(r.Bytes()))
	if err != nil {
		return false, err
	}
	line, err := bufio.NewReader(io.LimitReader(os.Stdin, 1<<10)).ReadString('\n')
	if err != nil && err != io.EOF {
		return false, err
	}
	switch strings.ToLower(strings.TrimSpace(line)) {
	case "y", "yes":
		return true, nil
	}
	fmt.Fprintln(env.errOut, "nothing was removed")
	return false, nil
}

// printRemoval prints of which sweeps what goes, and what stays.
func printRemoval(env *environment, format string, r ledger.Removal) error {
	if format == "json" {
		return env.writeJSON(r)
	}
	done := "removed"
	if r.DryRun {
		done = "would be removed"
	}
	return env.print(func(out io.Writer) error {
		for _, id := range r.Sweeps {
			fmt.Fprintln(out, id)
		}
		w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
		fmt.Fprintln(w, "WHAT\tCOUNT\tOBJECTS\tSIZE")
		var objects int
		for _, p := range r.Parts {
			fmt.Fprintf(w, "%s\t%d\t%d\t%s\n", p.Kind, p.Count, p.Objects, byteSize(p.Bytes))
			objects += p.Objects
		}
		fmt.Fprintf(w, "%s\t\t%d\t%s\n", done, objects, byteSize(r.Bytes()))
		err := w.Flush()
		for _, k := range r.Kept {
			fmt.Fprintf(out, "kept: %d of the %s (%s), which sweep %s needs\n", k.Count, k.Kind, byteSize(k.Bytes), k.Sweep)
		}
		return err
	})
}
