package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"
	"go.temporal.io/sdk/client"

	"github.com/topksweep/sweep/cmd/sweep/progress"
	"github.com/topksweep/sweep/storage"
	"github.com/topksweep/sweep/sweep/ledger"
	"github.com/topksweep/sweep/sweep/plan"
	"github.com/topksweep/sweep/sweep/protocol"
)

// runState is where one run of a sweep stands.
type runState struct {
	Cell   string              `json:"cell"`
	Label  string              `json:"label"`
	Status plan.Status         `json:"status"`
	Error  string              `json:"error,omitempty"`
	Beat   *protocol.Heartbeat `json:"progress,omitempty"` // of a run in training
}

func (a *app) statusCmd() *cobra.Command {
	var p place
	var conn connection
	var output string
	var all bool
	c := &cobra.Command{
		Use:   "status SWEEP",
		Short: "Show where a sweep and its runs stand",
		Long: `Show where a sweep stands: counts, the runs in training, and those that failed with the
reason. SWEEP is a name or an ID.`,
		Example: "  sweep status topk-demo\n  sweep status topk-demo --all\n  sweep status topk-demo -o json",
		Args:    args(cobra.ExactArgs(1)),

		ValidArgsFunction: completeSweep(&p),
		RunE: func(c *cobra.Command, args []string) error {
			ctx := c.Context()
			if output != "text" && output != "json" {
				return inputError{fmt.Errorf("-o %s: want text or json", output)}
			}
			store, err := readStore(ctx, p.storeURL())
			if err != nil {
				return err
			}
			header, err := findSweep(ctx, store, args[0])
			if err != nil {
				return err
			}
			tc, ui, idle := a.reach(ctx, &conn, p.dir)
			if tc != nil {
				defer tc.Close()
			}
			s, trouble, err := statusOf(ctx, store, tc, header)
			if err != nil {
				return err
			}
			if s.State == "stopped" {
				s.State = idle
			}
			if output == "json" {
				return writeJSON(a.out, s)
			}
			l := newLabels(ctx, ledger.New(store), header)
			var troubles []string
			for _, t := range trouble {
				troubles = append(troubles, l.Retry(t))
			}
			a.writeStatus(s, troubles, ui, all)
			return nil
		},
	}
	p.flags(c.Flags())
	conn.flags(c.Flags())
	c.Flags().StringVarP(&output, "output", "o", "text", "text or json")
	c.Flags().BoolVar(&all, "all", false, "list every run, not only those in training or failed")
	return c
}

func statusOf(ctx context.Context, store storage.Store, tc client.Client, header *plan.Header) (sweepState, []progress.Retry, error) {
	done, err := ledger.New(store).CompletedRuns(ctx)
	if err != nil {
		return sweepState{}, nil, err
	}
	s, err := stateOf(ctx, store, tc, header.ID, done)
	if err != nil {
		return s, nil, err
	}
	var live observation
	if tc != nil && s.State == "running" {
		live, err = observe(ctx, tc, header.ID)
		if err = cmp.Or(err, live.queryErr); err != nil {
			return s, nil, fmt.Errorf("status %s: %w", header.ID, err)
		}
	}
	running, beats := map[int]bool{}, map[int]*protocol.Heartbeat{}
	for _, b := range live.Training {
		beats[b.Cell] = &b
	}
	for i, c := range live.Progress.Running {
		running[c] = true
		if leads := live.Progress.FirstCells; i < len(leads) && beats[c] == nil { // it shares the stage of another
			beats[c] = beats[leads[i]]
		}
	}
	for i := range header.Chunks() {
		cells, err := ledger.New(store).Cells(ctx, header, i)
		if err != nil {
			return s, nil, err
		}
		for j, c := range cells {
			n := i*plan.ChunkSize + j
			r := runState{Cell: c.ID, Label: header.Label(c), Status: plan.Pending, Beat: beats[n]}
			switch {
			case done[header.RunID(c.ID)]:
				r.Status = plan.Completed
			case running[n]:
				r.Status = plan.Running
			case s.noted > 0:
				note, err := ledger.New(store).Failure(ctx, header.ID, c.ID)
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

func (a *app) writeStatus(s sweepState, troubles []string, ui string, all bool) {
	fmt.Fprintf(a.out, "%s  %s  %d of %d runs done", s.ID, s.State, s.Completed, s.Cells)
	if s.Failed > 0 {
		fmt.Fprintf(a.out, ", %d failed", s.Failed)
	}
	fmt.Fprintf(a.out, "  planned %s\n", s.Planned.Local().Format(time.DateTime))
	if ui != "" {
		fmt.Fprintf(a.out, "%s/namespaces/default/workflows/%s\n", ui, s.ID)
	}
	w := tabwriter.NewWriter(a.out, 0, 0, 2, ' ', 0)
	for _, r := range s.Runs {
		if !all && (r.Status == plan.Completed || r.Status == plan.Pending) {
			continue
		}
		note := r.Error
		if b := r.Beat; b != nil {
			note = fmt.Sprintf("%d/%d steps  %s", b.Step, b.Steps, progress.Describe(*b))
		} else if r.Status == plan.Running {
			note = "waiting for a worker"
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", r.Cell, r.Status, r.Label, note)
	}
	w.Flush()
	for _, t := range troubles {
		fmt.Fprintln(a.out, "retrying:", t)
	}
}
