package main

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"github.com/topksweep/sweep/sweep/ledger"
)

type upOptions struct {
	location location
	device   deviceOptions
	server   serverOptions
	noTrain  bool
}

func newUpCommand(env *environment) *cobra.Command {
	var o upOptions
	c := &cobra.Command{
		Use:   "up",
		Short: "Run server, Web UI and a worker, and keep them running",
		Long: `Run the Temporal server, the Web UI and the worker of sweep run, and keep them
running: submit grids to them from other terminals. It serves a live report of each sweep
on 127.0.0.1, and prints a line when a sweep starts, ends or is paused. Interrupt it
(Ctrl-C) and it saves what is in training and stops; started again, it goes on. If this
machine cannot train, because its device is broken or its data are not there while other
workers have them, it says so and serves on without training. With --no-train it never
trains, and with --listen workers on other machines do.`,
		Example: `  sweep up
  sweep up --dir /scratch/me/sweep --slots 8
  sweep up --no-train --listen 10.0.0.5 --client-keys ~/sweep-keys --store /mnt/shared/sweep`,
		Args: args(cobra.NoArgs),
		RunE: func(c *cobra.Command, _ []string) error {
			if err := o.server.check(); err != nil {
				return err
			}
			for _, f := range []string{"backend", "gpus", "slots", "slots-per-gpu", "stuck-after"} {
				if o.noTrain && c.Flags().Changed(f) {
					return inputError{fmt.Errorf("--%s says how to train, and --no-train not to: leave one out", f)}
				}
			}
			return runUp(c.Context(), env, o)
		},
	}
	o.location.addFlags(c.Flags())
	o.device.addFlags(c.Flags())
	env.cacheFlag.addFlags(c.Flags())
	c.Flags().BoolVar(&o.noTrain, "no-train", false, "train nothing here: other workers do")
	o.server.addFlags(c.Flags())
	o.server.network.addFlags(c.Flags())
	return c
}

// runUp is the verb up. It returns when ctx is canceled.
func runUp(ctx context.Context, env *environment, o upOptions) error {
	store, err := o.location.openStore(ctx, env)
	if err != nil {
		return err
	}
	device := trainingDevice{keep: o.device.keep}
	if o.noTrain {
		device.webhook, err = o.device.webhook.target()
	} else {
		device, err = openDevice(env, o.device)
	}
	if err != nil {
		return err
	}
	var k *stack
	err = whenFree(env, func() (err error) {
		k, err = startStack(ctx, env, o.location, o.server, device, store, workerPatience)
		return err
	})
	if err != nil {
		return err
	}
	trains := fmt.Sprintf("%d slots", device.slots)
	if o.noTrain {
		trains = "no training here"
	}
	fmt.Fprintf(env.errOut, "Temporal server at %s\nstore %s, %s; submit with: %s\n",
		k.addresses(), withoutSecrets(o.location.storeURL()), trains, env.command("submit", "grid.yaml"))
	fmt.Fprintf(env.errOut, "for the temporal command and other programs: export TEMPORAL_CONFIG_FILE=%s\n",
		quoted(k.embedded.Profile))
	if k.embedded.ClientProfile != "" {
		fmt.Fprintf(env.errOut, "on other machines, for sweep worker too: export TEMPORAL_CONFIG_FILE=%s\n",
			quoted(k.embedded.ClientProfile))
	}
	if err := k.workers.train(); err != nil {
		k.stop()
		return err
	}
	go k.retireIfUnfit(ctx, env)
	news := newsroom{env: env, ledger: ledger.New(store), began: time.Now()}
	var told sync.WaitGroup
	told.Go(func() { news.follow(ctx, k.server) })
	say := func(line string) { fmt.Fprintln(env.errOut, line) }
	watchRoom(ctx, newRoomWatch(k.folders, say), func() { k.workers.hung.say(say) })
	told.Wait()
	fmt.Fprintln(env.errOut, "saving what is in training; interrupt again to stop at once")
	k.stop()
	k.noteUnsaved(env)
	return nil
}
