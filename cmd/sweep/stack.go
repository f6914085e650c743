package main

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"time"

	"go.temporal.io/sdk/client"
	sdklog "go.temporal.io/sdk/log"
	"go.temporal.io/sdk/worker"

	"github.com/topksweep/sweep/activities"
	"github.com/topksweep/sweep/deploy/local"
	"github.com/topksweep/sweep/storage"
	"github.com/topksweep/sweep/sweep/protocol"
	"github.com/topksweep/sweep/workflows"
)

// stopTimeout is how long a worker that must stop waits for its stages to save
// their state.
const stopTimeout = 6 * time.Minute

// A stack is an embedded server, a client to it and a worker on it.
type stack struct {
	server *local.Server
	client client.Client
	worker *workers
	log    *os.File
}

// startStack starts everything in this process.
func startStack(ctx context.Context, p place, t training, s serverFlags, store storage.Store) (_ *stack, err error) {
	k := &stack{}
	defer func() {
		if err != nil {
			k.stop()
		}
	}()
	if err := os.MkdirAll(p.dir, 0o700); err != nil {
		return nil, fmt.Errorf("state directory: %w", err)
	}
	// The worker's own log stays out of the progress on the terminal.
	k.log, err = os.OpenFile(filepath.Join(p.dir, "worker.log"), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return nil, fmt.Errorf("state directory: %w", err)
	}
	opts := local.Options{Dir: p.dir, GRPCPort: s.grpcPort, UIPort: s.uiPort, SearchAttributes: searchAttributes()}
	if s.noUI {
		opts.UIPort = -1
	}
	if k.server, err = local.Start(ctx, opts); err != nil {
		return nil, err
	}
	// Training keeps every core busy. The server in the same process gets
	// scheduler slots of its own, so that no heartbeat queues behind a step.
	runtime.GOMAXPROCS(runtime.GOMAXPROCS(0) + 2)
	log := slog.New(slog.NewTextHandler(k.log, nil))
	k.client, err = client.DialContext(ctx, client.Options{
		HostPort: k.server.HostPort, Namespace: local.DefaultNamespace, Logger: sdklog.NewStructuredLogger(log),
		ConnectionOptions: patient(client.ConnectionOptions{}),
	})
	if err != nil {
		return nil, fmt.Errorf("connect to the server just started: %w", err)
	}
	k.worker, err = startWorker(k.client, store, t, log)
	return k, err
}

// stop saves what is in training, then ends the worker and the server.
func (k *stack) stop() {
	if k.worker != nil {
		k.worker.stop()
	}
	if k.client != nil {
		k.client.Close()
	}
	if k.server != nil {
		k.server.Stop()
	}
	if k.log != nil {
		k.log.Close()
	}
}

// workers are the two Temporal workers of one process: one for workflows and
// what touches only the store, one with a slot for each run in training.
type workers struct {
	light, training worker.Worker
	activities      *activities.Activities
}

func startWorker(c client.Client, store storage.Store, t training, log *slog.Logger) (*workers, error) {
	a := activities.New(store, t.backend, log)
	common := worker.Options{
		WorkerStopTimeout: stopTimeout,
		// Heartbeats are a person's view of a run: show them as they come.
		MaxHeartbeatThrottleInterval: 2 * time.Second, DefaultHeartbeatThrottleInterval: 2 * time.Second,
	}
	training := common
	training.DisableWorkflowWorker = true
	training.MaxConcurrentActivityExecutionSize = t.slots
	k := &workers{
		light:      worker.New(c, protocol.Queue, common),
		training:   worker.New(c, protocol.TrainQueue(t.backend.Name()), training),
		activities: a,
	}
	workflows.Register(k.light)
	a.RegisterLight(k.light)
	a.RegisterTraining(k.training)
	if err := k.light.Start(); err != nil {
		return nil, fmt.Errorf("start worker: %w", err)
	}
	if err := k.training.Start(); err != nil {
		k.light.Stop()
		return nil, fmt.Errorf("start worker: %w", err)
	}
	return k, nil
}

func (k *workers) stop() {
	k.training.Stop()
	k.light.Stop()
	k.activities.Close()
}
