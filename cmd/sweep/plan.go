package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/topksweep/sweep/storage"
	"github.com/topksweep/sweep/sweep"
)

func (a *app) planCmd() *cobra.Command {
	var p place
	var g gridFlags
	var output string
	var all bool
	c := &cobra.Command{
		Use:   "plan grid.yaml",
		Short: "Show what a grid would train, without starting anything",
		Long: `Show what a grid would train: its cells, steps, tokens and the memory of a run, and
which cells have a result already. Nothing is started or written.

The time is that of the training steps on this machine alone: it times a few steps
of each shape, as sweep bench does, for about two seconds in all. What this machine
cannot train, a precision or a size, is planned without a time, and a note says why.`,
		Example: `  sweep plan grid.yaml
  sweep plan grid.yaml --all            every cell, not the first few
  sweep plan grid.yaml -o json          for a program`,
		Args: args(cobra.ExactArgs(1)),

		ValidArgsFunction: completeGrid,
		RunE: func(c *cobra.Command, args []string) error {
			if output != "text" && output != "json" {
				return inputError{fmt.Errorf("-o %s: want text or json", output)}
			}
			usual := workerFlags{backend: "auto", perGPU: 1} // as a worker on this machine is without flags
			t, _, err := usual.open()
			if err != nil {
				return err
			}
			done, err := p.results(c.Context())
			if err != nil {
				return err
			}
			est := sweep.Estimates{Bytes: t.backend.Bytes, Slots: t.slots, Reused: func(cell string) bool { return done[cell] }}
			whole, _, err := (&workerFlags{backend: t.backend.Name(), perGPU: 1, slots: 1}).open() // a step that has the machine to itself
			if err != nil {
				return err
			}
			e := newEstimator(c.Context(), whole.backend, t.slots)
			est.Seconds = e.seconds
			planned, err := g.plan(c.Context(), args[0], est)
			if err != nil {
				return err
			}
			if err := c.Context().Err(); err != nil { // the time is not whole
				return context.Cause(c.Context())
			}
			for _, n := range e.notes {
				fmt.Fprintln(a.err, "note: the time leaves out cells that cannot be timed on this machine:", n)
			}
			if output == "json" {
				return planned.plan.WriteJSON(a.out)
			}
			return planned.plan.WriteText(a.out, all)
		},
	}
	p.flags(c.Flags())
	g.flags(c.Flags())
	c.Flags().StringVarP(&output, "output", "o", "text", "text or json")
	c.Flags().BoolVar(&all, "all", false, "list every cell")
	return c
}

// results is the set of runs that have a result, without making a store where
// there is none.
func (p *place) results(ctx context.Context) (map[string]bool, error) {
	store, err := readStore(ctx, p.storeURL())
	if errors.Is(err, errNoStore) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return results(ctx, store)
}

// results is the set of runs that have a result.
func results(ctx context.Context, store storage.Store) (map[string]bool, error) {
	objects, err := store.List(ctx, "results/")
	if err != nil {
		return nil, err
	}
	done := make(map[string]bool, len(objects))
	for _, o := range objects {
		done[strings.TrimSuffix(strings.TrimPrefix(o.Key, "results/"), ".json")] = true
	}
	return done, nil
}
