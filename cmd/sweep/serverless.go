package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/topksweep/sweep/deploy/local"
	"github.com/topksweep/sweep/sweep/payload"
	"github.com/topksweep/sweep/sweep/webhook"
)

// startTimeout is how long the server of another process may take to start, or to stop.
const startTimeout = time.Minute

// whenFree calls start, and while another process starts or stops its server on the state directory, calls it again.
func whenFree(env *environment, start func() error) error {
	began := time.Now()
	for waiting := false; ; waiting = true {
		err := start() // which waits a moment for the other process
		var inUse *local.InUseError
		if !errors.As(err, &inUse) || inUse.Info.HostPort != "" || time.Since(began) >= startTimeout {
			return err
		}
		if !waiting {
			fmt.Fprintf(env.errOut, "waiting for %s, which starts or stops its server\n", inUse.Who())
		}
	}
}

// dialOrStart connects to the server that steers a sweep: the one that is named or runs on the state directory. If
// there is none, and workflows lie in the state directory, it starts one for this command alone. The error wraps
// errNoServer if there is nothing to start.
func (c *connection) dialOrStart(ctx context.Context, env *environment, at location) (srv *server, err error) {
	err = whenFree(env, func() error {
		srv, err = c.dial(ctx, env, at.dir, nil)
		if !errors.Is(err, errNoServer) || !local.HasDatabase(at.dir) || c.namespace != "" {
			return err
		}
		keys, err := c.payloads.keys()
		if err != nil {
			return err
		}
		started, startErr := startForSteering(ctx, at, keys)
		var inUse *local.InUseError
		switch {
		case errors.Is(startErr, local.ErrNoServer):
			return err
		case errors.As(startErr, &inUse) && inUse.Info.HostPort != "": // it has started since
			srv, err = c.dial(ctx, env, at.dir, nil)
			return err
		}
		srv = started
		return startErr
	})
	return srv, err
}

// startForSteering starts the server on a state directory with what workflows need, and nothing else: no Web UI, no
// report, and no worker that trains. Other processes wait until it has stopped.
func startForSteering(ctx context.Context, at location, keys *payload.Keys) (*server, error) {
	store, err := writableStore(ctx, at.storeURL())
	if err != nil {
		return nil, err
	}
	k, log := &stack{}, slog.New(slog.DiscardHandler)
	err = k.startServer(ctx, at, local.Options{GRPCPort: -1, UIPort: -1, Private: true}, metricsOptions{}, keys, log)
	if err == nil {
		k.workers, err = startLightWorker(k.server.client, store, webhook.Target{}, log)
	}
	if err != nil {
		k.stop()
		return nil, err
	}
	srv := *k.server
	srv.forSteering, srv.close = true, k.stop
	return &srv, nil
}

// noteNothingTrains says, after a verb that gave a sweep something to train, what to do if no server runs.
func noteNothingTrains(env *environment, srv *server) {
	if srv.forSteering {
		fmt.Fprintf(env.errOut, "no server runs: %s trains it\n", env.command("up"))
	}
}
