package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"
	"go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/client"

	"github.com/topksweep/sweep/storage"
	"github.com/topksweep/sweep/sweep/ledger"
	"github.com/topksweep/sweep/sweep/plan"
)

// sweepState is where a sweep stands, from the store, and from the server if
// there is one.
type sweepState struct {
	ID        string     `json:"id"`
	Name      string     `json:"name"`
	Cells     int        `json:"cells"`
	Completed int        `json:"completed"`
	Failed    int        `json:"failed"`
	State     string     `json:"state"` // running, completed, failed, canceled, stopped, unknown
	Planned   time.Time  `json:"planned"`
	Runs      []runState `json:"runs,omitempty"` // status only
	noted     int        // notes of runs that failed or were canceled
	header    *plan.Header
}

func (a *app) listCmd() *cobra.Command {
	var p place
	var conn connection
	var output string
	c := &cobra.Command{
		Use:     "list",
		Short:   "List the sweeps of a store, newest first",
		Long:    "List the sweeps of a store, newest first. Without a server, a sweep that is not done is\nstopped; if the server does not answer, its state is unknown.",
		Example: "  sweep list\n  sweep list -o json",
		Args:    args(cobra.NoArgs),
		RunE: func(c *cobra.Command, _ []string) error {
			ctx := c.Context()
			if output != "table" && output != "json" {
				return inputError{fmt.Errorf("-o %s: want table or json", output)}
			}
			list, err := a.listSweeps(ctx, p, conn)
			if err != nil {
				return err
			}
			if output == "json" {
				return writeJSON(a.out, list)
			}
			if len(list) == 0 {
				fmt.Fprintln(a.err, "no sweeps in", p.storeURL())
				return nil
			}
			w := tabwriter.NewWriter(a.out, 0, 0, 2, ' ', 0)
			fmt.Fprintln(w, "SWEEP\tSTATE\tDONE\tFAILED\tPLANNED")
			for _, s := range list {
				fmt.Fprintf(w, "%s\t%s\t%d/%d\t%d\t%s\n", s.ID, s.State, s.Completed, s.Cells, s.Failed, s.Planned.Local().Format(time.DateTime))
			}
			return w.Flush()
		},
	}
	p.flags(c.Flags())
	conn.flags(c.Flags())
	c.Flags().StringVarP(&output, "output", "o", "table", "table or json")
	return c
}

// listSweeps tells where the sweeps of a store stand, newest first.
func (a *app) listSweeps(ctx context.Context, p place, conn connection) ([]sweepState, error) {
	list := []sweepState{}
	store, err := readStore(ctx, p.storeURL())
	if errors.Is(err, errNoStore) {
		return list, nil
	}
	if err != nil {
		return nil, err
	}
	ids, err := ledger.New(store).SweepIDs(ctx)
	if err != nil {
		return nil, err
	}
	done, err := ledger.New(store).CompletedRuns(ctx)
	if err != nil {
		return nil, err
	}
	tc, _, idle := a.reach(ctx, &conn, p.dir)
	if tc != nil {
		defer tc.Close()
	}
	for _, id := range ids {
		s, err := stateOf(ctx, store, tc, id, done)
		if err != nil {
			return nil, err
		}
		if s.State == "stopped" {
			s.State = idle
		}
		list = append(list, s)
	}
	return list, nil
}

// stateOf counts a sweep's results and asks the server, if there is one, what
// it is doing.
func stateOf(ctx context.Context, store storage.Store, tc client.Client, id string, done map[string]bool) (sweepState, error) {
	l := ledger.New(store)
	h, err := l.Header(ctx, id)
	if err != nil {
		return sweepState{}, err
	}
	n, err := l.Count(ctx, h, done)
	s := sweepState{
		ID: h.ID, Name: h.Name, Cells: h.CellCount, header: h,
		Completed: n.Completed, Failed: n.Failed, Planned: n.Planned, noted: n.Notes,
	}
	if err != nil {
		return s, err
	}
	s.State = "stopped"
	if s.Completed == s.Cells {
		s.State = "completed"
	}
	if tc == nil {
		return s, nil
	}
	d, err := tc.DescribeWorkflowExecution(ctx, id, "")
	if err != nil {
		return s, nil // another server's sweep, or one past the server's retention
	}
	switch d.WorkflowExecutionInfo.Status {
	case enums.WORKFLOW_EXECUTION_STATUS_RUNNING:
		s.State = "running"
	case enums.WORKFLOW_EXECUTION_STATUS_CANCELED:
		s.State = "canceled"
	case enums.WORKFLOW_EXECUTION_STATUS_FAILED, enums.WORKFLOW_EXECUTION_STATUS_TERMINATED, enums.WORKFLOW_EXECUTION_STATUS_TIMED_OUT:
		s.State = "failed"
	}
	return s, nil
}

func writeJSON(w io.Writer, v any) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	return e.Encode(v)
}
