package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/topksweep/sweep/deploy/local"
	"github.com/topksweep/sweep/storage"
	"github.com/topksweep/sweep/sweep/ledger"
	"github.com/topksweep/sweep/sweep/plan"
)

// here says how this process trains a sweep by itself.
type here struct {
	location location
	server   serverOptions
	device   trainingDevice
	store    storage.Store
	ledger   *ledger.Ledger
	header   *plan.Header // of the sweep
}

// startOrJoin starts everything in this process, or joins the server that another process runs on the state
// directory. While that starts or stops, it waits. In a server of this process it pauses all other sweeps; training
// begins with the server's method train. It resumes the sweep if that is paused. end is called if this process was to
// train, cannot, and no other worker does.
func (h here) startOrJoin(ctx context.Context, env *environment, end context.CancelCauseFunc) (srv *server, err error) {
	err = whenFree(env, func() error {
		k, err := startStack(ctx, env, h.location, h.server, h.device, h.store, runPatience)
		var inUse *local.InUseError
		switch {
		case err == nil:
			fmt.Fprintf(env.errOut, "Temporal server at %s\n", k.addresses())
			go k.endIfUnfit(ctx, env, h.device.backend.Name(), end)
			own := *k.server
			own.prefer, own.train, own.hung = k.prefer, k.workers.train, k.workers.hung
			own.close = func() { stopStack(ctx, env, k) }
			srv = &own
		case errors.As(err, &inUse) && inUse.Info.HostPort != "":
			if !h.device.webhook.IsZero() {
				fmt.Fprintf(env.errOut, "note: nothing is posted to %s from here: the sweep is handed to process %d, and its "+
					"--webhook counts\n", h.device.webhook, inUse.Info.PID)
			}
			if h.server.metrics.address != "" {
				fmt.Fprintln(env.errOut, "note: --metrics-addr is for a process that trains: give it to the one of the server")
			}
			srv, err = join(ctx, env, h.location.dir, inUse.Info, h.server.payloads)
			return err
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	if srv.ownsWorker() {
		h.pauseOthers(ctx, env, srv)
	}
	if err = resumePaused(ctx, env, srv, h.header.ID); err != nil {
		srv.close()
		return nil, err
	}
	return srv, nil
}

// ownsWorker reports whether the worker that trains is in this process.
func (s *server) ownsWorker() bool { return s.hung != nil }

// join connects to the server that another process runs on the state directory.
func join(ctx context.Context, env *environment, dir string, to local.Info, by payloadFlag) (*server, error) {
	keys, err := by.keys()
	if err != nil {
		return nil, err
	}
	srv, err := dialEmbedded(ctx, dir, to, "", keys, nil, nil)
	if err != nil {
		return nil, err
	}
	fmt.Fprintf(env.errOut, "joining the server of process %d at %s\n", to.PID,
		addresses(to.HostPort, to.UIURL, to.ReportURL))
	srv.alive = func() bool {
		now, ok, err := local.Running(dir)
		return err != nil || ok && now.PID == to.PID
	}
	return srv, nil
}

// stopStack saves what is in training and ends the server of this process.
func stopStack(ctx context.Context, env *environment, k *stack) {
	if ctx.Err() != nil {
		fmt.Fprintln(env.errOut, "saving what is in training; interrupt again to stop at once")
	}
	k.stop()
	if ctx.Err() != nil {
		k.noteUnsaved(env)
		fmt.Fprintln(env.errOut, "stopped; the same command goes on from here")
	}
}
