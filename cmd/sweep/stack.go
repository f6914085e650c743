package main

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"

	"go.temporal.io/sdk/client"

	"github.com/topksweep/sweep/deploy/local"
	"github.com/topksweep/sweep/storage"
)

// A stack is an embedded server, a connection to it and a worker on it.
type stack struct {
	embedded *local.Server
	server   *server
	workers  *workers
	log      *os.File
}

// startStack starts everything in this process.
func startStack(ctx context.Context, at location, o serverOptions, device trainingDevice,
	store storage.Store) (_ *stack, err error) {

	k := &stack{}
	defer func() {
		if err != nil {
			k.stop()
		}
	}()
	if err := os.MkdirAll(at.dir, 0o700); err != nil {
		return nil, fmt.Errorf("state directory: %w", err)
	}
	// The worker's own log stays out of the progress on the terminal.
	k.log, err = os.OpenFile(filepath.Join(at.dir, "worker.log"), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return nil, fmt.Errorf("state directory: %w", err)
	}
	opts := local.Options{Dir: at.dir, GRPCPort: o.grpcPort, UIPort: o.uiPort, SearchAttributes: searchAttributes()}
	if o.noUI {
		opts.UIPort = -1
	}
	if k.embedded, err = local.Start(ctx, opts); err != nil {
		return nil, err
	}
	// Training keeps every core busy. The server in the same process gets
	// scheduler slots of its own, so that no heartbeat queues behind a step.
	runtime.GOMAXPROCS(runtime.GOMAXPROCS(0) + 2)
	log := slog.New(slog.NewTextHandler(k.log, nil))
	k.server, err = connect(ctx, client.Options{HostPort: k.embedded.HostPort, Namespace: local.DefaultNamespace}, log)
	if err != nil {
		return nil, fmt.Errorf("connect to the server just started: %w", err)
	}
	k.server.uiURL = k.embedded.UIURL
	k.workers, err = startWorkers(k.server.client, store, device, log)
	return k, err
}

// stop saves what is in training, then ends the worker and the server.
func (k *stack) stop() {
	if k.workers != nil {
		k.workers.stop()
	}
	if k.server != nil {
		k.server.close()
	}
	if k.embedded != nil {
		k.embedded.Stop()
	}
	if k.log != nil {
		k.log.Close()
	}
}

// addresses names where a server and its Web UI, if it has one, are.
func addresses(hostPort, uiURL string) string {
	if uiURL == "" {
		return hostPort
	}
	return hostPort + ", Web UI at " + uiURL
}
