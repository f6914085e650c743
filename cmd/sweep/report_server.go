package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"slices"

	"github.com/spf13/pflag"
	"go.temporal.io/sdk/client"

	"github.com/topksweep/sweep/storage"
	"github.com/topksweep/sweep/sweep/ledger"
	"github.com/topksweep/sweep/sweep/observe"
	"github.com/topksweep/sweep/sweep/page"
	"github.com/topksweep/sweep/sweep/plan"
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
	ask, cancel := context.WithTimeout(ctx, pollTimeout) // for all of them, since perhaps no worker is there to answer
	defer cancel()
	var out []page.Entry
	for _, id := range ids {
		e := page.Entry{ID: id}
		if len(out) < shownStates {
			e.State = s.state(ctx, ask, id)
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
func (s *liveSource) state(ctx, ask context.Context, id string) string {
	ctx, cancel := context.WithTimeout(ctx, pollTimeout)
	defer cancel()
	o, err := observe.State(ctx, ask, s.client, id)
	if err != nil {
		return ""
	}
	return string(o.State)
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
	live := s.live(ctx, sweep, results)
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
	out.Live = live
	return page.Input{Sweeps: []page.Sweep{out}}, nil
}

// live asks the server what a sweep does now, and gives the runs that have not ended their states.
func (s *liveSource) live(ctx context.Context, sweep string, results []ledger.Result) *page.Live {
	o, err := observeSweep(ctx, s.client, sweep)
	n := countResults(results)
	state := decide(plan.Idle, n.Completed == len(results), o.state, err)
	if state == plan.Idle {
		state = cmp.Or(n.Ended(), plan.Idle)
	}
	out := &page.Live{State: string(state), Running: []page.Running{}}
	if err != nil || o.ended() {
		return out
	}
	// A worker that is busy may not tell which cells run: its heartbeats name one of each stage.
	work := workOf(o)
	setStates(results, work)
	for _, cell := range slices.Sorted(maps.Keys(work)) {
		w := work[cell]
		r := page.Running{Cell: cell, State: string(w.status)}
		if a := w.stage; a != nil {
			r.Step, r.Steps, r.Doing, r.Host, r.Device = a.Step, a.Steps, a.Doing, a.Host, a.Device
		}
		out.Running = append(out.Running, r)
	}
	return out
}

// countResults counts what the runs of a sweep have come to.
func countResults(results []ledger.Result) (n ledger.Counts) {
	for _, r := range results {
		switch r.Status {
		case plan.Completed:
			n.Completed++
		case plan.Canceled:
			n.Canceled++
		case plan.Failed:
			n.Failed++
		default:
			n.Pending++
		}
	}
	return n
}
