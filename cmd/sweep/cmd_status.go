package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/topksweep/sweep/cmd/sweep/progress"
	"github.com/topksweep/sweep/storage"
	"github.com/topksweep/sweep/sweep/grid"
	"github.com/topksweep/sweep/sweep/ledger"
	"github.com/topksweep/sweep/sweep/plan"
	"github.com/topksweep/sweep/sweep/protocol"
	"github.com/topksweep/sweep/sweep/report"
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
		Long: `Show where a sweep stands: counts, the runs in training, and those that failed with the
reason. SWEEP is a name or an ID.`,
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
	c.Flags().BoolVar(&o.all, "all", false, "list every run, not only those in training or failed")
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
	s, retries, err := statusOf(ctx, l, srv, header, unfinished)
	if err != nil {
		return err
	}
	if o.output.name == "json" {
		return env.writeJSON(s)
	}
	writeStatus(env, srv, s, o.all)
	labels := newLabels(ctx, l, header)
	for _, r := range retries {
		fmt.Fprintln(env.out, "retrying:", labels.Retry(r))
	}
	return nil
}

// newLabels returns the labels of a stored plan's cells.
func newLabels(ctx context.Context, l *ledger.Ledger, header *plan.Header) *progress.Labels {
	return progress.NewLabels(header, func(chunk int) ([]grid.Cell, error) { return l.Chunk(ctx, header.ID, chunk) })
}

// statusOf tells where a sweep and its runs stand, and what is tried again.
func statusOf(ctx context.Context, l *ledger.Ledger, srv *server, header *plan.Header, unfinished string) (
	sweepState, []progress.Retry, error) {

	completed, err := l.CompletedRuns(ctx)
	if err != nil {
		return sweepState{}, nil, err
	}
	s, err := stateOf(ctx, l, srv, header.ID, unfinished, completed)
	if err != nil {
		return s, nil, err
	}
	var live observation
	if srv != nil && s.State == stateRunning {
		live, err = observe(ctx, srv.client, header.ID)
		if err = cmp.Or(err, live.queryErr); err != nil {
			return s, nil, fmt.Errorf("status %s: %w", header.ID, err)
		}
	}
	running, beats := runsOf(live)
	for i := range header.Chunks() {
		cells, err := l.Cells(ctx, header, i)
		if err != nil {
			return s, nil, err
		}
		for j, c := range cells {
			number := i*plan.ChunkSize + j
			r := runState{Cell: c.ID, Label: header.Label(c), Status: plan.Pending, Beat: beats[number]}
			switch {
			case completed[header.RunID(c.ID)]:
				r.Status = plan.Completed
			case running[number]:
				r.Status = plan.Training
			case s.notes > 0:
				note, err := l.Failure(ctx, header.ID, c.ID)
				if err == nil {
					r.Status, r.Error = note.Status, note.Error
				} else if !errors.Is(err, storage.ErrNotFound) {
					return s, nil, err
				}
			}
			s.Runs = append(s.Runs, r)
		}
	}
	return s, live.Retries, nil
}

// runsOf returns which cells are running, by number, and the heartbeats of those in
// training. A cell that shares the stage of another has the heartbeat of that one.
func runsOf(live observation) (running map[int]bool, beats map[int]*protocol.Heartbeat) {
	running, beats = map[int]bool{}, map[int]*protocol.Heartbeat{}
	for _, b := range live.Training {
		beats[b.Cell] = &b
	}
	first := live.Progress.FirstCells
	for i, c := range live.Progress.Running {
		running[c] = true
		if i < len(first) && beats[c] == nil {
			beats[c] = beats[first[i]]
		}
	}
	return running, beats
}

// writeStatus prints where a sweep stands and its runs: all of them, or those that
// are running, failed or canceled. Errors that the list shortens stand whole below it.
func writeStatus(env *environment, srv *server, s sweepState, all bool) {
	fmt.Fprintf(env.out, "%s  %s  %d of %d runs done", s.ID, s.State, s.Completed, s.Cells)
	if s.Failed > 0 {
		fmt.Fprintf(env.out, ", %d failed", s.Failed)
	}
	fmt.Fprintf(env.out, "  planned %s\n", s.Planned.Local().Format(time.DateTime))
	if srv != nil && srv.uiURL != "" {
		fmt.Fprintf(env.out, "%s/namespaces/%s/workflows/%s\n", srv.uiURL, srv.namespace, s.ID)
	}
	w := tabwriter.NewWriter(env.out, 0, 0, 2, ' ', 0)
	for _, r := range s.Runs {
		if !all && (r.Status == plan.Completed || r.Status == plan.Pending) {
			continue
		}
		note := report.Cause(r.Error)
		if b := r.Beat; b != nil {
			note = fmt.Sprintf("%d/%d steps  %s", b.Step, b.Steps, progress.Describe(*b))
		} else if r.Status == plan.Training {
			note = "waiting for a worker"
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", r.Cell, r.Status, r.Label, note)
	}
	w.Flush()
	first := true
	for _, r := range s.Runs {
		if whole := report.OneLine(r.Error); whole != report.Cause(r.Error) {
			if first {
				fmt.Fprintln(env.out)
			}
			first = false
			fmt.Fprintf(env.out, "%s  %s\n", r.Cell, whole)
		}
	}
}
