package main

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"os"
	"runtime/debug"
	"slices"
	"sync"
	"time"

	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/worker"

	"github.com/topksweep/sweep/activities"
	"github.com/topksweep/sweep/storage"
	look "github.com/topksweep/sweep/sweep/observe"
	"github.com/topksweep/sweep/sweep/protocol"
	"github.com/topksweep/sweep/sweep/webhook"
	"github.com/topksweep/sweep/trainer"
	"github.com/topksweep/sweep/workflows"
)

// workerStopTimeout is how long a worker that must stop waits for its stages to
// save their state, and its evaluations end: activities give themselves a minute less for that. It holds for
// nothing else: what comes to its end while the worker is not told to stop has no deadline.
const workerStopTimeout = 6 * time.Minute

// workerPatience is how long every worker of a server must have refused a stage before its runs fail: time to start one
// that can train it, or to mount what is not there yet. The server of run and up is on the loopback interface, where no
// other device is to be expected (onLoopback). run itself has read the data just before, and a person waits for it.
const (
	workerPatience = 10 * time.Minute
	runPatience    = 0
)

// workers are the two Temporal workers of one process: one for workflows and for
// activities that only use the store, one with a slot for each run in training.
type workers struct {
	client     client.Client
	activities *activities.Activities
	heartbeat  time.Duration // between two heartbeats that the server gets of a stage
	stopOnce   sync.Once     // stops training

	training worker.Worker // nil for workers that train nothing
	mu       sync.Mutex
	trains   bool          // training has been started
	ending   bool          // what is in training is being saved
	light    worker.Worker // nil when it is stopped
	stopped  bool          // for good
	hung     *hung
	waits    sync.WaitGroup // of the goroutine that waits until this process takes no more work
}

// onLoopback says that the workers of a server are all on this machine.
const onLoopback = true

// newWorkers returns workers that train on a backend, or nil, under the name by which the server knows them.
func newWorkers(c client.Client, store storage.Store, backend trainer.Backend, name string, log *slog.Logger) *workers {
	a := activities.New(store, backend, log)
	info, _ := debug.ReadBuildInfo()
	a.Build = versionOf(info).build()
	a.Observer = look.Looker{Client: c}
	a.Worker = name
	return &workers{client: c, activities: a, heartbeat: usualPace().heartbeat}
}

// startLightWorker starts what workflows need, and trains nothing.
func startLightWorker(c client.Client, store storage.Store, tell webhook.Target, log *slog.Logger) (*workers, error) {
	w := newWorkers(c, store, nil, identity(noBackend, 1), log)
	w.activities.Webhook = webhook.New(tell, log)
	return w, w.startLight(w.activities.Worker)
}

// startWorkers starts what workflows need. Training starts with the method train.
func startWorkers(c client.Client, store storage.Store, device trainingDevice, patience time.Duration, oneMachine bool,
	log *slog.Logger) (*workers, error) {

	w := newWorkers(c, store, device.backend, identity(device.backend.Name(), device.slots), log)
	w.heartbeat = cmp.Or(device.heartbeat, w.heartbeat)
	a := w.activities
	a.Data = device.data
	a.Patience, a.OneMachine = patience, oneMachine
	a.Slots = device.slots
	if device.renew > 0 {
		a.RenewEvery(device.renew)
	}
	a.Webhook = webhook.New(device.webhook, log)
	w.waits.Go(func() { w.awaitUnfit(device.lost) })
	training := w.options(a.Worker)
	training.DisableWorkflowWorker = true
	slots := newSlots(device.slots)
	slots.idle = device.idle
	var err error
	if training.Tuner, err = slots.tuner(); err != nil {
		return nil, fmt.Errorf("start worker: %w", err)
	}
	w.hung = newHung(slots)
	a.StuckAfter, a.OnLost = device.stuckAfter, func(why error, inSlot bool) {
		w.tell(webhook.RunHangs, why)
		w.hung.lost(why, inSlot)
	}
	w.training = worker.New(c, protocol.TrainQueue(device.backend.Name()), training)
	a.RegisterTraining(w.training)
	if err := w.startLight(a.Worker); err != nil {
		return nil, err
	}
	return w, nil
}

// awaitUnfit waits until this process takes no more work, or ends, and tells people of the first. lost gets an error
// when nothing of the device works any more.
func (w *workers) awaitUnfit(lost <-chan error) {
	a := w.activities
	select {
	case err := <-lost:
		a.TakeNoMore(fmt.Errorf("%w; start it again when that is mended", err))
	case <-a.Unfit():
	case <-a.Closed():
	}
	select {
	case <-a.Unfit(): // it may have ended for that
		w.tell(webhook.WorkerUnfit, a.WhyUnfit())
	default:
	}
}

// train lets this process take stages, unless it trains nothing.
func (w *workers) train() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.stopped || w.trains || w.training == nil {
		return nil
	}
	if err := w.training.Start(); err != nil {
		return fmt.Errorf("start worker: %w", err)
	}
	w.trains = true
	return nil
}

// stopTraining saves what is in training.
func (w *workers) stopTraining() {
	w.mu.Lock()
	trains := w.trains
	w.ending = true
	w.mu.Unlock()
	if trains {
		w.stopOnce.Do(w.training.Stop)
	}
}

// identity is how this process names itself to the server.
func identity(backend string, slots int) string {
	host, _ := os.Hostname() // Identity says so where it is not known
	return look.Identity(os.Getpid(), host, backend, slots)
}

func (w *workers) options(identity string) worker.Options {
	return worker.Options{
		Identity:                         identity,
		WorkerStopTimeout:                workerStopTimeout,
		MaxHeartbeatThrottleInterval:     w.heartbeat,
		DefaultHeartbeatThrottleInterval: w.heartbeat,
	}
}

func (w *workers) startLight(identity string) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.stopped {
		return nil
	}
	light := worker.New(w.client, protocol.Queue, w.options(identity))
	workflows.Register(light)
	w.activities.RegisterLight(light)
	if err := light.Start(); err != nil {
		return fmt.Errorf("start worker: %w", err)
	}
	w.light = light
	return nil
}

func (w *workers) stopLight(forGood bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.stopped = w.stopped || forGood
	if w.light != nil {
		w.light.Stop()
		w.light = nil
	}
}

// noBackend stands for the backend in the name of a process that trains nothing any more.
const noBackend = "none"

// retire ends the training of this process, which saves it, and serves workflows on. The process has another name from
// then on, by which nobody waits for it to take a stage.
func (w *workers) retire() error {
	w.stopTraining()
	w.stopLight(false)
	return w.startLight(identity(noBackend, 1))
}

// stop saves what is in training and ends the workers.
func (w *workers) stop() {
	w.stopTraining()
	w.stopLight(true)
	w.activities.Close()
	w.waits.Wait()
	w.activities.Webhook.Close(webhookWithin)
}

// othersLive reports whether another worker takes stages of this backend, as far as the server says; true if it says
// nothing.
func (w *workers) othersLive(ctx context.Context, queue string) bool {
	live, err := w.activities.Observer.Workers(ctx, queue)
	return err != nil || slices.ContainsFunc(live, func(other string) bool { return other != w.activities.Worker })
}
