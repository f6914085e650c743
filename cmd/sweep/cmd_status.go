package main

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/spf13/cobra"

	"github.com/topksweep/sweep/cmd/sweep/progress"
	"github.com/topksweep/sweep/sweep/grid"
	"github.com/topksweep/sweep/sweep/ledger"
	"github.com/topksweep/sweep/sweep/plan"
	"github.com/topksweep/sweep/sweep/table"
)

type statusOptions struct {
	location   location
	connection connection
	sweep      string // name or ID
	output     format
	all        bool
}

func newStatusCommand(env *environment) *cobra.Command {
	o := statusOptions{output: newFormat("text", "json")}
	c := &cobra.Command{
		Use:   "status SWEEP",
		Short: "Show where a sweep and its runs stand",
		Long: `Show where a sweep stands: counts, the runs in work, and those that failed with the reason.
Of a run in training it says how far it is, which worker has it on which host and device
since when, and when its newest checkpoint was. --all lists every run, completed ones
with their metrics. SWEEP is a name or an ID.

A sweep is training, paused, completed, failed, canceled, idle (it has runs to train, and
no server runs it), or unknown (the server does not answer). A run is pending, waiting
for a worker, training, evaluating, completed, failed, canceled, or paused, where
somebody paused its activity in the Web UI.`,
		Example: "  sweep status topk-demo\n  sweep status topk-demo --all\n  sweep status topk-demo -o json",
		Args:    args(cobra.ExactArgs(1)),

		ValidArgsFunction: completeSweep(&o.location),
		RunE: func(c *cobra.Command, args []string) error {
			o.sweep = args[0]
			return runStatus(c.Context(), env, o)
		},
	}
	o.location.addFlags(c.Flags())
	o.connection.addFlags(c.Flags())
	o.output.addFlag(c.Flags())
	c.Flags().BoolVar(&o.all, "all", false, "list every run, completed ones with metrics")
	return c
}

// runStatus is the verb status.
func runStatus(ctx context.Context, env *environment, o statusOptions) error {
	l, header, err := openSweep(ctx, o.location, o.sweep)
	if err != nil {
		return err
	}
	srv, unfinished := o.connection.dialIfAny(ctx, env, o.location.dir)
	if srv != nil {
		defer srv.close()
	}
	inJSON := o.output.name == "json"
	s, retries, err := statusOf(ctx, env, l, srv, header, unfinished, o.all || inJSON)
	if err != nil {
		return err
	}
	if inJSON {
		return env.writeJSON(s)
	}
	newStatusText(env, srv, s.ID, o.all).write(env.out, s)
	labels := newLabels(ctx, l, header)
	for _, r := range retries {
		fmt.Fprint(env.out, table.Fold("retrying: "+labels.Retry(r)+"\n", env.width))
	}
	return nil
}

// newLabels returns the labels of a stored plan's cells, also of those by which it was extended since header was read.
func newLabels(ctx context.Context, l *ledger.Ledger, header *plan.Header) *progress.Labels {
	return progress.NewLabels(header, func(chunk int) ([]grid.Cell, error) {
		now, err := l.Header(ctx, header.ID)
		if err != nil {
			return nil, err
		}
		cells, err := l.Cells(ctx, now, chunk)
		return header.Restate(cells, now.Axes), err
	})
}

// statusOf tells where a sweep and its runs stand, with the metrics of those that are completed if they are asked for,
// and what is tried again. Of a workflow that does not answer, it tells what the server knows.
func statusOf(ctx context.Context, env *environment, l *ledger.Ledger, srv *server, header *plan.Header,
	unfinished plan.Status, metrics bool) (s sweepState, retries []progress.Retry, err error) {

	completed, err := l.CompletedRuns(ctx)
	if err != nil {
		return s, nil, err
	}
	if s, err = stateOf(ctx, nil, l, srv, header.ID, unfinished, completed); err != nil {
		return s, nil, err
	}
	if s.unreadable != nil {
		return s, nil, fmt.Errorf("status %s: %w", header.ID, s.unreadable)
	}
	var live observation
	if srv != nil && (s.State == plan.Training || s.State == plan.Paused) {
		if live, err = observeSweep(ctx, srv.client, header.ID); err != nil {
			return s, nil, fmt.Errorf("status %s: %w", header.ID, err)
		}
		if live.queryErr != nil {
			fmt.Fprintf(env.errOut, "note: no worker answers for the sweep; what follows is what the server "+
				"and the store know: %v\n", live.queryErr)
		}
		s.State = decide(unfinished, s.Completed == s.Cells, live.state, nil)
		if live.queryErr == nil {
			ends := forecaster{ledger: l, id: header.ID}
			s.ends = ends.look(ctx, live)
		}
	}
	work := workOf(live)
	noted := map[string]bool{}
	if s.notes > 0 {
		if noted, err = l.NotedCells(ctx, header.ID); err != nil {
			return s, nil, err
		}
	}
	reads := newReads(ctx, l, header)
	for i := range header.Chunks() {
		cells, err := l.Cells(ctx, header, i)
		if err != nil {
			return s, nil, errors.Join(err, reads.wait(nil))
		}
		missing := func(c grid.Cell) bool { return !completed[header.RunID(c.ID)] }
		whole := metrics && !slices.ContainsFunc(cells, missing)
		if whole {
			reads.chunk(len(s.Runs), i)
		}
		for j, c := range cells {
			r := runState{Cell: c.ID, Label: header.Label(c), Status: plan.Pending}
			number := len(s.Runs)
			w, inWork := work[i*plan.ChunkSize+j]
			switch {
			case completed[header.RunID(c.ID)]:
				r.Status = plan.Completed
				if metrics && !whole {
					reads.result(number, c)
				}
			case inWork:
				w.tell(&r)
			case noted[c.ID]:
				reads.note(number, c)
			}
			s.Runs = append(s.Runs, r)
		}
	}
	if err := reads.wait(s.Runs); err != nil {
		return s, nil, err
	}
	for i, r := range s.Runs { // a cell that is named by its number until here
		if n, inWork := work[i]; inWork && n.sharedWith >= 0 && n.sharedWith < len(s.Runs) && r.Status != plan.Completed {
			s.Runs[i].sharedWith = s.Runs[n.sharedWith].Cell
		}
	}
	return s, live.Retries, nil
}
