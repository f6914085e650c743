package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"

	"github.com/spf13/cobra"
)

func (a *app) upCmd() *cobra.Command {
	var p place
	var w workerFlags
	var s serverFlags
	c := &cobra.Command{
		Use:   "up",
		Short: "Run server, Web UI and a worker, and keep them running",
		Long: `Run what sweep run runs, and keep it running: submit grids to it from other terminals.
Interrupt it (Ctrl-C) and it saves what is in training and stops; started again, it
goes on.`,
		Example: `  sweep up
  sweep up --dir /scratch/me/sweep --slots 8`,
		Args: args(cobra.NoArgs),
		RunE: func(c *cobra.Command, _ []string) error {
			ctx := c.Context()
			if err := s.check(); err != nil {
				return err
			}
			store, err := openStore(ctx, p.storeURL())
			if err != nil {
				return err
			}
			t, err := a.training(w)
			if err != nil {
				return err
			}
			k, err := startStack(ctx, p, t, s, store)
			if err != nil {
				return err
			}
			fmt.Fprintf(a.err, "Temporal server at %s%s\nstore %s, %d slots; submit with: sweep submit grid.yaml\n",
				k.server.HostPort, uiNote(k.server.UIURL), p.storeURL(), t.slots)
			<-ctx.Done()
			fmt.Fprintln(a.err, "saving what is in training; interrupt again to stop at once")
			k.stop()
			return nil
		},
	}
	p.flags(c.Flags())
	w.flags(c.Flags())
	s.flags(c.Flags())
	return c
}

func (a *app) workerCmd() *cobra.Command {
	var p place
	var w workerFlags
	var conn connection
	c := &cobra.Command{
		Use:   "worker",
		Short: "Train runs for a Temporal server",
		Long: `Take runs from a Temporal server and train them, until told to stop (Ctrl-C, SIGTERM):
then what is in training is saved and handed back. Any number of workers may share a
server; all must see the same store and the same data paths.`,
		Example: `  sweep worker --address temporal:7233 --store /mnt/shared/sweep --slots 4
  sweep worker --backend cuda --gpus 0,1 --slots-per-gpu 2`,
		Args: args(cobra.NoArgs),
		RunE: func(c *cobra.Command, _ []string) error {
			ctx := c.Context()
			store, err := openStore(ctx, p.storeURL())
			if err != nil {
				return err
			}
			t, err := a.training(w)
			if err != nil {
				return err
			}
			log := slog.New(slog.NewTextHandler(os.Stderr, nil))
			tc, _, err := conn.dial(ctx, p.dir, log)
			if err != nil {
				return err
			}
			defer tc.Close()
			k, err := startWorker(tc, store, t, log)
			if err != nil {
				return err
			}
			fmt.Fprintf(a.err, "worker with %d slots on %s, store %s\n", t.slots, t.backend.Name(), p.storeURL())
			<-ctx.Done()
			k.stop()
			if errors.Is(context.Cause(ctx), errInterrupted) {
				return nil
			}
			return ctx.Err()
		},
	}
	p.flags(c.Flags())
	w.flags(c.Flags())
	conn.flags(c.Flags())
	return c
}

// training opens what the flags want to train on, and says so.
func (a *app) training(w workerFlags) (training, error) {
	t, note, err := w.open()
	if err == nil && note != "" {
		fmt.Fprintln(a.err, note)
	}
	return t, err
}
