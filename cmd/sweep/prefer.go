package main

import (
	"context"
	"log/slog"
	"slices"
	"time"

	"go.temporal.io/api/enums/v1"
	"go.temporal.io/api/taskqueue/v1"
	"go.temporal.io/api/workflowservice/v1"

	"github.com/topksweep/sweep/sweep/protocol"
)

const (
	// preferredWeight is the fairness weight of the sweep that goes first. Others have at most 1. It is the largest
	// that a server takes.
	preferredWeight = 1000

	// preferTimeout is how long the server may take to set or clear it.
	preferTimeout = 10 * time.Second
)

// prefer lets the stages of a sweep go before those of others of the same priority. It holds for stages that are queued
// from now on, and until clearPreferred. A server that refuses it runs the sweep in its turn.
func prefer(ctx context.Context, srv *server, backend, sweep string, log *slog.Logger) {
	ctx, cancel := context.WithTimeout(ctx, preferTimeout)
	defer cancel()
	queue, key := protocol.TrainQueue(backend), protocol.FairnessKey(sweep)
	err := setWeights(ctx, srv, queue, map[string]float32{key: preferredWeight}, nil)
	if err == nil {
		err = awaitPreferred(ctx, srv, queue, key)
	}
	if err != nil {
		log.Debug("the sweep gets no preference", "sweep", sweep, "error", err)
	}
}

// clearPreferred ends what prefer did, also in another process that used the same state directory before. A weight that
// somebody else has set stays.
func clearPreferred(ctx context.Context, srv *server, log *slog.Logger) {
	for _, backend := range backendNames() {
		queue := protocol.TrainQueue(backend)
		keys, err := preferredKeys(ctx, srv, queue)
		if err == nil && len(keys) > 0 {
			err = setWeights(ctx, srv, queue, nil, keys)
		}
		if err != nil {
			log.Debug("an earlier preference of a sweep may stay", "queue", queue, "error", err)
		}
	}
}

// awaitPreferred waits until a queue knows of a preference. Weights are stored with the queue's workflows, and reach
// its activities a moment later. Until then stages are queued without them.
func awaitPreferred(ctx context.Context, srv *server, queue, key string) error {
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		keys, err := preferredKeys(ctx, srv, queue)
		if err != nil || slices.Contains(keys, key) {
			return err
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// preferredKeys returns the fairness keys of a queue that have the weight of prefer, sorted.
func preferredKeys(ctx context.Context, srv *server, queue string) ([]string, error) {
	ctx, cancel := context.WithTimeout(ctx, preferTimeout)
	defer cancel()
	d, err := srv.client.WorkflowService().DescribeTaskQueue(ctx, &workflowservice.DescribeTaskQueueRequest{
		Namespace: srv.namespace, TaskQueue: &taskqueue.TaskQueue{Name: queue},
		TaskQueueType: enums.TASK_QUEUE_TYPE_ACTIVITY, ReportConfig: true,
	})
	var keys []string
	for key, weight := range d.GetConfig().GetFairnessWeightOverrides() {
		if weight == preferredWeight {
			keys = append(keys, key)
		}
	}
	slices.Sort(keys)
	return keys, err
}

// setWeights gives fairness keys of a queue weights of their own, and takes those of others away.
func setWeights(ctx context.Context, srv *server, queue string, weights map[string]float32, clear []string) error {
	ctx, cancel := context.WithTimeout(ctx, preferTimeout)
	defer cancel()
	_, err := srv.client.WorkflowService().UpdateTaskQueueConfig(ctx, &workflowservice.UpdateTaskQueueConfigRequest{
		Namespace: srv.namespace, Identity: "sweep", TaskQueue: queue,
		TaskQueueType: enums.TASK_QUEUE_TYPE_ACTIVITY, SetFairnessWeightOverrides: weights,
		UnsetFairnessWeightOverrides: clear,
	})
	return err
}
