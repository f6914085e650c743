package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"

	"github.com/spf13/pflag"
	"go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/client"

	"github.com/topksweep/sweep/storage"
	"github.com/topksweep/sweep/sweep/ledger"
	"github.com/topksweep/sweep/sweep/page"
	"github.com/topksweep/sweep/trainer"
)

// reportPort is where the reports are served if that port is free: behind that of the Web UI.
const reportPort = 8234

// servingOptions say how a process serves the reports of its sweeps.
type servingOptions struct {
	port int // 0: reportPort, or any free one
	off  bool
}

func (o *servingOptions) addFlags(f *pflag.FlagSet) {
	f.Var(port(&o.port), "report-port", fmt.Sprintf("`port` of the live report on 127.0.0.1 (default %d, or any free one)",
		reportPort))
	f.BoolVar(&o.off, "no-report", false, "do not serve the live report")
}

// check refuses a port that the server or its Web UI is to have.
func (o *servingOptions) check(server serverOptions) error {
	if o.off || o.port == 0 {
		return nil
	}
	if o.port == server.grpcPort {
		return inputError{fmt.Errorf("--report-port %d: want another port than --grpc-port", o.port)}
	}
	if o.port == server.uiPort && !server.noUI {
		return inputError{fmt.Errorf("--report-port %d: want another port than --ui-port", o.port)}
	}
	return nil
}

// listen opens the port of the reports.
func (o *servingOptions) listen(ctx context.Context) (net.Listener, error) {
	at := func(port int) (net.Listener, error) {
		return new(net.ListenConfig).Listen(ctx, "tcp", fmt.Sprintf("127.0.0.1:%d", port))
	}
	if o.port != 0 {
		l, err := at(o.port)
		if err != nil {
			return nil, fmt.Errorf("live report (--report-port): %w", err)
		}
		return l, nil
	}
	l, err := at(reportPort)
	if err != nil {
		l, err = at(0)
	}
	return l, err
}

// serveReports serves the reports of a store's sweeps, with what the server says of those that run.
func serveReports(ctx context.Context, o servingOptions, store storage.Store, c client.Client) (*page.Server, error) {
	l, err := o.listen(ctx)
	if err != nil {
		return nil, err
	}
	return page.Serve(l, &liveSource{
		l: ledger.New(store), client: c, sweeps: map[string]*ledger.Follower{}, points: map[string][]trainer.Point{},
	})
}

// A liveSource reads sweeps for the pages that show them. It keeps what it has read, so that it reads only what is new.
type liveSource struct {
	l      *ledger.Ledger
	client client.Client
	sweeps map[string]*ledger.Follower
	points map[string][]trainer.Point // of completed runs, by run; thinned out
}

// List implements page.Source.
func (s *liveSource) List(ctx context.Context) ([]page.Entry, error) {
	ids, err := s.l.SweepIDs(ctx)
	var out []page.Entry
	for _, id := range ids {
		e := page.Entry{ID: id}
		if len(out) < shownStates {
			e.State = s.state(ctx, id)
		}
		out = append(out, e)
	}
	return out, err
}

// shownStates is the number of sweeps whose state the list of sweeps shows: the newest ones.
const shownStates = 20

// mostFollowed is the number of sweeps of which is kept what was read.
const mostFollowed = 8

// state asks the server what a sweep does. It is "" where the server does not know it.
func (s *liveSource) state(ctx context.Context, id string) string {
	ctx, cancel := context.WithTimeout(ctx, pollTimeout)
	defer cancel()
	d, err := s.client.DescribeWorkflowExecution(ctx, id, "")
	if err != nil {
		return ""
	}
	return stateOfStatus(d.WorkflowExecutionInfo.Status)
}

// stateOfStatus names what a workflow does as the verbs list and status do; "" is a status of none of theirs.
func stateOfStatus(status enums.WorkflowExecutionStatus) string {
	switch status {
	case enums.WORKFLOW_EXECUTION_STATUS_RUNNING, enums.WORKFLOW_EXECUTION_STATUS_CONTINUED_AS_NEW:
		return stateRunning
	case enums.WORKFLOW_EXECUTION_STATUS_COMPLETED:
		return stateCompleted
	case enums.WORKFLOW_EXECUTION_STATUS_CANCELED:
		return stateCanceled
	case enums.WORKFLOW_EXECUTION_STATUS_FAILED, enums.WORKFLOW_EXECUTION_STATUS_TERMINATED,
		enums.WORKFLOW_EXECUTION_STATUS_TIMED_OUT:
		return stateFailed
	}
	return ""
}

// Read implements page.Source.
func (s *liveSource) Read(ctx context.Context, sweep string) (page.Input, error) {
	f, known := s.sweeps[sweep]
	if !known {
		// An ID is asked for in a listing first: a text from a URL need not be a part of a key.
		ids, err := s.l.SweepIDs(ctx)
		if err != nil {
			return page.Input{}, err
		}
		if !slices.Contains(ids, sweep) {
			return page.Input{}, fmt.Errorf("%w: %q", page.ErrUnknown, sweep)
		}
		if len(s.sweeps) >= mostFollowed {
			clear(s.sweeps)
			clear(s.points)
		}
		f = s.l.Follow(sweep)
		s.sweeps[sweep] = f
	}
	p, results, err := f.Read(ctx)
	if errors.Is(err, storage.ErrNotFound) {
		return page.Input{}, fmt.Errorf("%w: %w", page.ErrUnknown, err)
	}
	if err != nil {
		return page.Input{}, err
	}
	out := newPageSweep(p, results, func(r ledger.Result) ([]trainer.Point, error) {
		key := p.RunID(r.Cell)
		if points, ok := s.points[key]; ok {
			return points, nil
		}
		points, err := s.l.Curve(ctx, key)
		if err == nil {
			points = page.Thin(points, int64(r.Config.Steps), p.CellCount)
			s.points[key] = points
		}
		return points, err
	})
	out.Live = s.live(ctx, sweep)
	return page.Input{Sweeps: []page.Sweep{out}}, nil
}

// live asks the server what a sweep does now. Where it does not answer the state is unknown.
func (s *liveSource) live(ctx context.Context, sweep string) *page.Live {
	out := &page.Live{State: stateUnknown, Running: []page.Running{}}
	o, err := observe(ctx, s.client, sweep)
	if err != nil {
		if state := s.state(ctx, sweep); state != "" {
			out.State = state
		}
		return out
	}
	if state := stateOfStatus(o.status); state != "" {
		out.State = state
	}
	switch {
	case o.ended():
		return out
	case o.queryErr != nil: // a worker that is busy may not tell which cells run: its heartbeats name one of each stage
		for _, beat := range o.Training {
			out.Running = append(out.Running, page.Running{
				Cell: beat.Cell, Step: beat.Step, Steps: beat.Steps, Doing: beat.Doing,
			})
		}
		return out
	}
	for i, cell := range o.Progress.Running {
		r := page.Running{Cell: cell}
		for _, beat := range o.Training {
			if i < len(o.Progress.FirstCells) && beat.Cell == o.Progress.FirstCells[i] {
				r.Step, r.Steps, r.Doing = beat.Step, beat.Steps, beat.Doing
			}
		}
		out.Running = append(out.Running, r)
	}
	return out
}
