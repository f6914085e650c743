package main

import (
	"fmt"
	"log/slog"
	"os"
	"runtime/debug"
	"time"

	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/worker"

	"github.com/topksweep/sweep/activities"
	"github.com/topksweep/sweep/storage"
	look "github.com/topksweep/sweep/sweep/observe"
	"github.com/topksweep/sweep/sweep/protocol"
	"github.com/topksweep/sweep/workflows"
)

const (
	// workerStopTimeout is how long a worker that must stop waits for its stages to
	// save their state, and its evaluations end: activities give themselves a minute less for that. It holds for
	// nothing else: what comes to its end while the worker is not told to stop has no deadline.
	workerStopTimeout = 6 * time.Minute

	// heartbeatInterval is how often the server gets the heartbeats of a stage. It is
	// short because they show a person the progress of a run.
	heartbeatInterval = 2 * time.Second
)

// workers are the two Temporal workers of one process: one for workflows and for
// activities that only use the store, one with a slot for each run in training.
type workers struct {
	light, training worker.Worker
	hung            *hung
	activities      *activities.Activities
}

func startWorkers(c client.Client, store storage.Store, device trainingDevice, log *slog.Logger) (*workers, error) {
	a := activities.New(store, device.backend, log)
	a.DataCache = device.cache
	info, _ := debug.ReadBuildInfo()
	a.Build = versionOf(info).build()
	a.Observer = look.Looker{Client: c}
	host, _ := os.Hostname() // Identity says so where it is not known
	light := worker.Options{
		Identity:                         look.Identity(os.Getpid(), host, device.backend.Name(), device.slots),
		WorkerStopTimeout:                workerStopTimeout,
		MaxHeartbeatThrottleInterval:     heartbeatInterval,
		DefaultHeartbeatThrottleInterval: heartbeatInterval,
	}
	training := light
	training.DisableWorkflowWorker = true
	slots := newSlots(device.slots)
	var err error
	if training.Tuner, err = slots.tuner(); err != nil {
		return nil, fmt.Errorf("start worker: %w", err)
	}
	hung := newHung(slots)
	a.StuckAfter, a.OnLost = device.stuckAfter, hung.lost
	w := &workers{
		light:      worker.New(c, protocol.Queue, light),
		training:   worker.New(c, protocol.TrainQueue(device.backend.Name()), training),
		activities: a,
		hung:       hung,
	}
	workflows.Register(w.light)
	a.RegisterLight(w.light)
	a.RegisterTraining(w.training)
	if err := w.light.Start(); err != nil {
		return nil, fmt.Errorf("start worker: %w", err)
	}
	if err := w.training.Start(); err != nil {
		w.light.Stop()
		return nil, fmt.Errorf("start worker: %w", err)
	}
	return w, nil
}

// stop saves what is in training and ends the workers.
func (w *workers) stop() {
	w.training.Stop()
	w.light.Stop()
	w.activities.Close()
}
