package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/spf13/cobra"
)

type workerOptions struct {
	location   location
	device     deviceOptions
	connection connection
	metrics    metricsOptions
	heartbeat  time.Duration // between two heartbeats; 0: as the server is
	idle       time.Duration // without work until the worker ends; 0: never
}

func newWorkerCommand(env *environment) *cobra.Command {
	var o workerOptions
	c := &cobra.Command{
		Use:   "worker",
		Short: "Train runs for a Temporal server",
		Long: `Take runs from a Temporal server and train them, until told to stop (Ctrl-C, SIGTERM):
then what is in training is saved and handed back. Any number of workers may share a
server; all must see the same store and the same data paths. A worker that refuses three
stages in a row, because its data, its store or its device are not what they should be,
saves what it trains and ends with status 1, unless no worker could train them. So does
one in which a run hangs for ever. With --idle-timeout it ends with status 0 when it had
nothing to train for so long.`,
		Example: `  sweep worker --address temporal:7233 --store /mnt/shared/sweep --slots 4
  sweep worker --backend cuda --gpus 0,1 --slots-per-gpu 2
  sweep worker --idle-timeout 15m     on a cluster, where an idle GPU costs
  sweep worker --address temporal:7233 --store s3://sweep --metrics-addr 0.0.0.0:9464
  TEMPORAL_ADDRESS=us-east-1.aws.api.temporal.io:7233 TEMPORAL_NAMESPACE=sae.a1b2c \
    TEMPORAL_API_KEY="$(cat ~/temporal.key)" sweep worker --store s3://sweep`,
		Args: args(cobra.NoArgs),
		RunE: func(c *cobra.Command, _ []string) error { return runWorker(c.Context(), env, o) },
	}
	o.location.addFlags(c.Flags())
	o.device.addFlags(c.Flags())
	env.cacheFlag.addFlags(c.Flags())
	o.connection.addFlags(c.Flags())
	o.metrics.addFlags(c.Flags())
	c.Flags().DurationVar(&o.heartbeat, "heartbeat-every", 0, fmt.Sprintf("how often the server hears of each run, a "+
		"duration of at most %v (default %v; %v on Temporal Cloud, which bills each time)", maxHeartbeat,
		usualPace().heartbeat, cloudPace().heartbeat))
	c.Flags().DurationVar(&o.idle, "idle-timeout", 0, "how long the worker may have nothing to train before it ends by "+
		"itself; 0 is for ever")
	return c
}

// runWorker is the verb worker. It returns when ctx is canceled, or when the worker is of no use.
func runWorker(ctx context.Context, env *environment, o workerOptions) error {
	if err := checkHeartbeat(o.heartbeat); err != nil {
		return err
	}
	if o.idle < 0 {
		return inputError{fmt.Errorf("--idle-timeout %v: want a duration of 0 or more", o.idle)}
	}
	store, err := o.location.openStore(ctx, env)
	if err != nil {
		return err
	}
	device, err := openDevice(env, o.device)
	if err != nil {
		return err
	}
	log := slog.New(slog.NewTextHandler(env.errOut, nil))
	monitor, err := o.metrics.start(ctx, log)
	if err != nil {
		return err
	}
	defer monitor.Close()
	o.connection.metrics = monitor.SDK()
	srv, err := o.connection.dial(ctx, env, o.location.dir, log)
	if err != nil {
		return err
	}
	defer srv.close()
	if err := checkReadable(ctx, srv); err != nil {
		return err
	}
	device.heartbeat = cmp.Or(o.heartbeat, srv.pace().heartbeat)
	device.idle = newIdleClock(o.idle)
	workers, err := startWorkers(srv.client, store, device, workerPatience, !onLoopback, log)
	if err != nil {
		return err
	}
	workers.activities.LimitMemory(0)
	workers.watch(monitor, store, device)
	if err := workers.train(); err != nil {
		workers.stop()
		return err
	}
	defer startKeeper(store, o.location, device.keep, log)()
	fmt.Fprintf(env.errOut, "worker with %d slots on %s, store %s\n",
		device.slots, device.backend.Name(), withoutSecrets(o.location.storeURL()))
	noteWebhook(env, device.webhook)
	if monitor != nil {
		fmt.Fprintf(env.errOut, "metrics at %s\n", monitor.URL())
	}
	select {
	case <-ctx.Done():
	case <-device.idle.ends():
		fmt.Fprintf(env.errOut, "nothing to train for %v: this worker ends\n", o.idle)
		workers.stop()
		return nil
	case <-workers.activities.Unfit():
		fmt.Fprintln(env.errOut, "saving what is in training")
		workers.stop()
		return workers.activities.WhyUnfit()
	case err := <-srv.unreadable:
		fmt.Fprintln(env.errOut, "saving what is in training")
		workers.stop()
		return fmt.Errorf("this worker got a task that it cannot read: %w", err)
	case err := <-workers.hung.first:
		fmt.Fprintf(env.errOut, "%v\nthis worker cannot be used any more; saving what else is in training\n", err)
		workers.stop()
		return fmt.Errorf("a run hangs here: %w; its run goes to another worker: see why, then start this one again", err)
	}
	workers.stop()
	if errors.Is(context.Cause(ctx), errInterrupted) {
		return nil
	}
	return context.Cause(ctx)
}
