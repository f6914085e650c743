package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"go.temporal.io/sdk/client"
	sdklog "go.temporal.io/sdk/log"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"

	"github.com/topksweep/sweep/deploy/local"
	"github.com/topksweep/sweep/sweep/ledger"
	"github.com/topksweep/sweep/sweep/plan"
	"github.com/topksweep/sweep/sweep/protocol"
)

// A steered is a workflow that takes every update and remembers it, under the name of SweepWorkflow. A sweep whose
// name begins with old is of a program that knows no update. One whose name begins with slow answers when it gets the
// signal saved.
type steered struct {
	mu     sync.Mutex
	inputs []protocol.SweepInput
	got    []string // updates with their arguments
}

func (s *steered) add(ctx workflow.Context, update string, arg any) {
	if workflow.IsReplaying(ctx) {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	text := update
	if arg != nil {
		b, _ := json.Marshal(arg)
		text += " " + string(b)
	}
	s.got = append(s.got, text)
}

func (s *steered) updates() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.got)
}

func (s *steered) run(ctx workflow.Context, in protocol.SweepInput) (protocol.Summary, error) {
	if !workflow.IsReplaying(ctx) {
		s.mu.Lock()
		s.inputs = append(s.inputs, in)
		s.mu.Unlock()
	}
	state := plan.Training
	err := workflow.SetQueryHandler(ctx, protocol.QueryProgress, func() (protocol.Progress, error) {
		return protocol.Progress{State: state, Running: []int{0, 5, 900}}, nil
	})
	if !strings.HasPrefix(in.Sweep, "old") {
		err = errors.Join(err, s.handle(ctx, in, &state))
	}
	if err != nil {
		return protocol.Summary{}, err
	}
	return protocol.Summary{}, workflow.Await(ctx, func() bool { return state == plan.Completed })
}

func (s *steered) handle(ctx workflow.Context, in protocol.SweepInput, state *plan.Status) error {
	answer := func(ctx workflow.Context, update string, arg any) (protocol.Steered, error) {
		s.add(ctx, update, arg)
		if strings.HasPrefix(in.Sweep, "slow") {
			workflow.GetSignalChannel(ctx, "saved").Receive(ctx, nil)
		}
		return protocol.Steered{Did: "Did\n" + update + ".", State: *state}, nil
	}
	bare := func(update string, to plan.Status) error {
		return workflow.SetUpdateHandler(ctx, update, func(ctx workflow.Context) (protocol.Steered, error) {
			*state = to
			return answer(ctx, update, nil)
		})
	}
	selected := func(update string) error {
		return workflow.SetUpdateHandler(ctx, update,
			func(ctx workflow.Context, to protocol.Selection) (protocol.Steered, error) {
				return answer(ctx, update, to)
			})
	}
	return errors.Join(
		bare(protocol.UpdatePause, plan.Paused), bare(protocol.UpdateResume, plan.Training),
		selected(protocol.UpdateCancel), selected(protocol.UpdateRetry),
		workflow.SetUpdateHandler(ctx, protocol.UpdateExtend,
			func(ctx workflow.Context, to protocol.Extension) (protocol.Steered, error) {
				return answer(ctx, protocol.UpdateExtend, to)
			}),
		workflow.SetUpdateHandler(ctx, protocol.UpdatePriority,
			func(ctx workflow.Context, to protocol.Priority) (protocol.Steered, error) {
				return answer(ctx, protocol.UpdatePriority, to)
			}),
		workflow.SetUpdateHandlerWithOptions(ctx, protocol.UpdateSet,
			func(ctx workflow.Context, to protocol.Settings) (protocol.Steered, error) {
				return answer(ctx, protocol.UpdateSet, to)
			}, workflow.UpdateHandlerOptions{Validator: func(_ workflow.Context, to protocol.Settings) error {
				if to.MaxConcurrent == 99 {
					return errors.New("99 is refused")
				}
				return nil
			}}),
	)
}

// startSteered starts a real server on dir, with a worker that runs sweeps as a steered.
func startSteered(t *testing.T, dir string) (*steered, client.Client) {
	t.Helper()
	withoutTemporalVariables(t)
	for name, value := range map[string]string{"SWEEP_STORE": "", "SWEEP_OWNER": "ada"} {
		t.Setenv(name, value)
	}
	server, err := local.Start(t.Context(), local.Options{Dir: dir, GRPCPort: -1, UIPort: -1})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := server.Stop(); err != nil {
			t.Error(err)
		}
	})
	quiet := sdklog.NewStructuredLogger(slog.New(slog.DiscardHandler))
	c, err := client.DialContext(t.Context(), client.Options{
		HostPort: server.HostPort, Logger: quiet, ConnectionOptions: client.ConnectionOptions{TLS: server.TLS},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	s := &steered{}
	w := worker.New(c, protocol.Queue, worker.Options{})
	w.RegisterWorkflowWithOptions(s.run, workflow.RegisterOptions{Name: protocol.WorkflowSweep})
	if err := w.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.Stop)
	return s, c
}

// sweepVerb runs a verb on dir in this process.
func sweepVerb(ctx context.Context, dir string, args ...string) (status int, out, messages string) {
	var o, e bytes.Buffer
	status = execute(ctx, &environment{out: &o, errOut: &e}, append(args, "--dir", dir))
	return status, o.String(), e.String()
}

// storeGrid stores the plan of a grid in dir. The first n cells have results, and the next one has failed.
func storeGrid(t *testing.T, dir, src string, n int) (*ledger.Ledger, *plan.Plan) {
	t.Helper()
	store, p := storePlan(t, filepath.Join(dir, "store"), src)
	l := ledger.New(store)
	for i, c := range p.Cells[:n] {
		r := ledger.NewResult(&p.Header, c, plan.Completed)
		nmse := 0.5 - float64(i)/100
		r.Metrics.NMSE = &nmse
		if err := l.StoreResult(t.Context(), p.RunID(c.ID), r); err != nil {
			t.Fatal(err)
		}
	}
	if n > 0 {
		note := ledger.NewResult(&p.Header, p.Cells[n], plan.Failed)
		note.Error = "the loss is NaN"
		if err := l.StoreFailure(t.Context(), p.ID, note); err != nil {
			t.Fatal(err)
		}
	}
	return l, p
}

// eightCells is a grid of 8 cells, k varying slowest.
func eightCells(name string) string {
	return gridWith("name: "+name, "parameters: {k: [2, 4], dict_size: [32, 64], seed: [0, 1]}",
		"train: {steps: 100, batch_size: 64}")
}

// startFake starts the workflow of a stored plan.
func startFake(t *testing.T, dir string, p *plan.Plan) {
	t.Helper()
	srv, err := (&connection{}).dial(t.Context(), &environment{}, dir, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer srv.close()
	l, err := openLedger(t.Context(), location{dir: dir})
	if err == nil {
		_, err = restart(t.Context(), io.Discard, srv, l, &p.Header, submission{backend: "cpu", owner: "ada", store: "/s"})
	}
	if err != nil {
		t.Fatal(err)
	}
}
