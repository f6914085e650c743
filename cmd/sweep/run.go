package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"
	"go.temporal.io/sdk/client"

	"github.com/topksweep/sweep/deploy/local"
	"github.com/topksweep/sweep/storage"
	"github.com/topksweep/sweep/sweep/ledger"
	"github.com/topksweep/sweep/sweep/plan"
)

func (a *app) runCmd() *cobra.Command {
	var p place
	var w workerFlags
	var s serverFlags
	var g gridFlags
	var out outputFlags
	c := &cobra.Command{
		Use:   "run grid.yaml",
		Short: "Train a grid here and now, and print its results",
		Long: `Train a grid with everything in one process: a real Temporal server on a file in the
state directory, its Web UI, a worker, live progress and the table of results.

Interrupt it (Ctrl-C) and it saves what is in training and stops; run it again, also
after a crash or kill -9, and it goes on where it stopped. A grid that has run is not
trained again: its results are shown. If sweep up runs on the same state directory,
the grid is handed to it.

A first grid:

  name: hello
  data: {synthetic: {activation_dim: 32, directions: 64, tokens: 100000, active: 4}}
  parameters: {k: [2, 4], dict_size: [64, 128]}
  train: {steps: 500, batch_size: 256, lr: 0.003}`,
		Example: `  sweep run grid.yaml
  sweep run grid.yaml -o csv > results.csv
  sweep run grid.yaml --dir /scratch/me/sweep --slots 8 --no-ui`,
		Args: args(cobra.ExactArgs(1)),

		ValidArgsFunction: completeGrid,
		RunE: func(c *cobra.Command, args []string) error {
			ctx := c.Context()
			if err := errors.Join(s.check(), out.check()); err != nil {
				return err
			}
			t, err := a.training(w)
			if err != nil {
				return err
			}
			planned, err := g.plan(ctx, args[0], plan.Estimates{Bytes: t.backend.Bytes})
			if err != nil {
				return err
			}
			store, err := openStore(ctx, p.storeURL())
			if err != nil {
				return err
			}
			// Before a worker goes on with it: the data may have moved.
			header, err := a.save(ctx, store, planned)
			if err != nil {
				return err
			}
			run := func() error {
				srv, err := a.server(ctx, p, t, s, store)
				if err != nil {
					return err
				}
				defer srv.stop()
				if err := a.begin(ctx, srv.client, store, header, planned.src, t.backend.Name()); err != nil {
					return err
				}
				return a.finish(ctx, srv.client, store, header, out, srv.alive)
			}
			err = run()
			for errors.Is(err, errServerGone) { // that of another process
				fmt.Fprintln(a.err, "the server that this sweep was handed to is gone; going on here")
				err = run()
			}
			return err
		},
	}
	p.flags(c.Flags())
	w.flags(c.Flags())
	s.flags(c.Flags())
	g.flags(c.Flags())
	out.flags(c.Flags())
	return c
}

// startWithin is how long a server may take to start, or to stop, before who wants
// to join it gives up.
const startWithin = time.Minute

// A server is one that a sweep can be handed to.
type server struct {
	client client.Client
	stop   func()      // or leave it, if it is another process's
	alive  func() bool // its process is there
}

// server starts everything in this process, or joins the server that runs on
// the state directory already, also one that has yet to say where.
func (a *app) server(ctx context.Context, p place, t training, s serverFlags, store storage.Store) (server, error) {
	began := time.Now()
	for said := false; ; said = true {
		k, err := startStack(ctx, p, t, s, store)
		var inUse *local.InUseError
		switch {
		case err == nil:
			fmt.Fprintf(a.err, "Temporal server at %s%s\n", k.server.HostPort, uiNote(k.server.UIURL))
			return server{k.client, func() { a.stop(ctx, k) }, alwaysThere}, nil
		case errors.As(err, &inUse) && inUse.Info.HostPort != "":
			return a.join(ctx, p, inUse.Info)
		case inUse == nil || time.Since(began) >= startWithin:
			return server{}, err
		case !said:
			fmt.Fprintf(a.err, "waiting for %s, which starts or stops its server\n", inUse.Who())
		}
	}
}

func (a *app) join(ctx context.Context, p place, to local.Info) (server, error) {
	tc, _, err := (&connection{address: to.HostPort, namespace: to.Namespace}).dial(ctx, p.dir, nil)
	if err != nil {
		return server{}, err
	}
	fmt.Fprintf(a.err, "joining the server of process %d at %s%s\n", to.PID, to.HostPort, uiNote(to.UIURL))
	alive := func() bool {
		now, ok, err := local.Running(p.dir)
		return err != nil || ok && now.PID == to.PID
	}
	return server{tc, tc.Close, alive}, nil
}

// alwaysThere is whether a server's process is there that is this one, or one
// that may be started again where it was.
func alwaysThere() bool { return true }

// stop ends what server started.
func (a *app) stop(ctx context.Context, k *stack) {
	if ctx.Err() != nil {
		fmt.Fprintln(a.err, "saving what is in training; interrupt again to stop at once")
	}
	k.stop()
	if ctx.Err() != nil {
		fmt.Fprintln(a.err, "stopped; the same command goes on from here")
	}
}

func uiNote(url string) string {
	if url == "" {
		return ""
	}
	return ", Web UI at " + url
}

// finish follows a sweep to its end and prints its results.
func (a *app) finish(ctx context.Context, c client.Client, store storage.Store, header *plan.Header, out outputFlags, alive func() bool) error {
	last, err := a.watch(ctx, c, ledger.New(store), header, alive)
	if ctx.Err() != nil {
		return errInterrupted
	}
	if errors.Is(err, errServerGone) {
		return err
	}
	if p := last.Progress; last.queryErr == nil && p.Reused == 0 && p.Completed == header.CellCount && p.Steps < header.StepsUnshared {
		fmt.Fprintf(a.err, "trained %d steps of the %d that the runs have: what they share was trained once\n", p.Steps, header.StepsUnshared)
	}
	rows, loaded := loadRows(ctx, store, header)
	if loaded != nil {
		return errors.Join(err, loaded)
	}
	return errors.Join(a.print(rows, out), err)
}
