package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"
)

type listOptions struct {
	location   location
	connection connection
	output     format
}

func newListCommand(env *environment) *cobra.Command {
	o := listOptions{output: newFormat("table", "json")}
	c := &cobra.Command{
		Use:   "list",
		Short: "List the sweeps of a store, newest first",
		Long: `List the sweeps of a store in the order in which they were created, the newest first: an
extension does not move a sweep. Without a server, a sweep that has runs to train is idle;
if the server does not answer, its state is unknown.`,
		Example: "  sweep list\n  sweep list -o json",
		Args:    args(cobra.NoArgs),
		RunE:    func(c *cobra.Command, _ []string) error { return runList(c.Context(), env, o) },
	}
	o.location.addFlags(c.Flags())
	o.connection.addFlags(c.Flags())
	o.output.addFlag(c.Flags())
	return c
}

// runList is the verb list. It prints the sweeps that it can read before it returns
// the errors of others.
func runList(ctx context.Context, env *environment, o listOptions) error {
	list, unread := listSweeps(ctx, env, o.location, o.connection)
	switch {
	case list == nil:
		return unread
	case o.output.name == "json":
		return errors.Join(env.writeJSON(list), unread)
	case len(list) == 0 && unread == nil:
		fmt.Fprintln(env.errOut, "no sweeps in", withoutSecrets(o.location.storeURL()))
		return nil
	}
	return errors.Join(env.print(func(out io.Writer) error {
		w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
		fmt.Fprintln(w, "SWEEP\tSTATE\tDONE\tFAILED\tCREATED")
		for _, s := range list {
			created := s.Created.Local().Format(time.DateTime)
			state := string(s.State)
			if silent := shortSilence(s.silent); silent != "" {
				state += " (" + silent + ")"
			}
			fmt.Fprintf(w, "%s\t%s\t%d/%d\t%d\t%s\n", s.ID, state, s.Completed, s.Cells, s.Failed, created)
		}
		return w.Flush()
	}), unread)
}

// listSweeps tells where the sweeps of a store stand, newest first. A store that is
// not there has none. The error joins those of sweeps that cannot be read; the list
// has all others.
func listSweeps(ctx context.Context, env *environment, at location, conn connection) ([]sweepState, error) {
	list := []sweepState{} // which is [] in JSON, not null
	l, err := openLedger(ctx, at)
	if errors.Is(err, errNoStore) {
		return list, nil
	}
	if err != nil {
		return nil, err
	}
	ids, err := l.SweepIDs(ctx)
	if err != nil {
		return nil, err
	}
	completed, err := l.CompletedRuns(ctx)
	if err != nil {
		return nil, err
	}
	srv, unfinished := conn.dialIfAny(ctx, env, at.dir)
	if srv != nil {
		defer srv.close()
	}
	// A workflow whose search attributes do not tell its state is asked for it. All of these together get as long as one
	// question, since perhaps no worker is there to answer.
	ask, cancel := context.WithTimeout(ctx, pollTimeout)
	defer cancel()
	states, faults := make([]sweepState, len(ids)), make([]error, len(ids))
	var group errgroup.Group
	group.SetLimit(readsAtATime)
	for i, id := range ids {
		group.Go(func() error {
			states[i], faults[i] = stateOf(ctx, ask, l, srv, id, unfinished, completed)
			return nil
		})
	}
	_ = group.Wait()
	var unreadable []error
	for i, id := range ids {
		s, err := states[i], faults[i]
		if ctx.Err() != nil && err != nil {
			return nil, err
		}
		if err != nil {
			unreadable = append(unreadable, fmt.Errorf("sweep %s is left out: %w", id, err))
			continue
		}
		if s.unreadable != nil {
			fmt.Fprintf(env.errOut, "note: what sweep %s does is unknown: %v\n", id, s.unreadable)
		}
		list = append(list, s)
	}
	return list, errors.Join(unreadable...)
}
