package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/pflag"

	"github.com/topksweep/sweep/sweep/ledger"
	"github.com/topksweep/sweep/sweep/plan"
)

// remoteOptions are what submit, extend and retry have in common: each gives
// work to the workers of a running server.
type remoteOptions struct {
	location
	connection
	output  outputOptions
	wait    bool
	backend string // of the workers: auto, cpu or cuda
	owner   ownerFlag

	mixClasses bool
}

func (o *remoteOptions) addFlags(f *pflag.FlagSet) {
	o.location.addFlags(f)
	o.connection.addFlags(f)
	o.output.addFlags(f)
	f.BoolVar(&o.wait, "wait", false, "follow the sweep and print its results")
	addBackendFlag(f, &o.backend)
	o.owner.addFlag(f)
	addMixFlag(f, &o.mixClasses)
}

// open connects for a verb that gives a sweep of the store something to train. Without a server it starts one: with
// --wait it trains the sweep here, as run does, else the next server that starts does. end is as for startOrJoin.
func (o *remoteOptions) open(ctx context.Context, env *environment, l *ledger.Ledger, header *plan.Header,
	end context.CancelCauseFunc) (*server, error) {

	if !o.wait {
		return o.dialOrStart(ctx, env, o.location)
	}
	srv, err := o.dial(ctx, env, o.dir, nil)
	if !errors.Is(err, errNoServer) || o.namespace != "" {
		return srv, err
	}
	device, err := openDevice(env, deviceOptions{
		backend: o.backend, stuckAfter: defaultStuckAfter, keep: keepFlag{time: defaultKeep},
	})
	if err != nil {
		return nil, err
	}
	store, err := o.openStore(ctx, env)
	if err != nil {
		return nil, err
	}
	h := here{location: o.location, device: device, store: store, ledger: l, header: header}
	h.server.payloads = o.payloads
	return h.startOrJoin(ctx, env, end)
}

// addBackendFlag adds the flag that names the backend of workers elsewhere.
func addBackendFlag(f *pflag.FlagSet, backend *string) {
	f.StringVar(backend, "backend", "auto", "what the workers train on: auto, cpu or cuda; auto is what this machine has")
}

// followOrPrintID ends such a verb: with the sweep's results if it is to wait for
// them, and else with its ID.
func followOrPrintID(ctx context.Context, env *environment, srv *server, l *ledger.Ledger, header *plan.Header,
	o remoteOptions) error {

	if o.wait {
		if err := srv.train(); err != nil {
			return err
		}
		return followToResults(ctx, env, srv, l, header, o.location, o.output)
	}
	if srv.forSteering {
		noteNothingTrains(env, srv)
	} else {
		if url := srv.sweepURL(header.ID); url != "" {
			fmt.Fprintf(env.errOut, "Web UI: %s\n", url)
		}
		fmt.Fprintf(env.errOut, "follow it: %s\n", env.command("watch", header.ID))
	}
	fmt.Fprintln(env.out, header.ID)
	return nil
}

// followToResults shows a sweep's progress to its end, prints its results, and says where they lie.
func followToResults(ctx context.Context, env *environment, srv *server, l *ledger.Ledger, header *plan.Header,
	at location, o outputOptions) error {

	last, err := watch(ctx, env, srv, l, header)
	if ctx.Err() != nil {
		if !srv.ownsWorker() {
			fmt.Fprintf(env.errOut, "sweep %s is not stopped: this follows it again: %s\n", header.ID,
				env.command("watch", header.ID))
		}
		return errInterrupted
	}
	if errors.Is(err, errServerGone) || errors.Is(err, errNoSlots) { // a store that hangs has no results to print
		return err
	}
	p := last.Progress
	allTrained := last.queryErr == nil && p.Reused == 0 && p.Completed == header.CellCount
	if allTrained && p.Steps < header.StepsUnshared {
		fmt.Fprintf(env.errOut, "trained %d steps of the %d that the runs have: what they share was trained once\n",
			p.Steps, header.StepsUnshared)
	}
	results, readErr := printResults(ctx, env, l, header, o)
	if readErr == nil {
		tellPlaces(env, at, header, results)
	}
	if err == nil && readErr == nil && last.queryErr == nil {
		err = lostResults(env, header, p.Completed, results)
	}
	return errors.Join(err, readErr)
}

// lostResults returns an error if fewer runs have their result in the store than the server says, of a sweep that has
// ended well: the store is not the one that the workers wrote, or an earlier state of it. A sweep may have left runs
// out, as that of a retry of some cells.
func lostResults(env *environment, header *plan.Header, completed int, results []ledger.Result) error {
	lost := completed - countResults(results).Completed
	if lost <= 0 {
		return nil
	}
	return fmt.Errorf("sweep %s has ended, but the store does not have the results of %d of its %d runs: it was restored "+
		"to an earlier state, or they were removed; this trains them again: %s", header.ID, lost, len(results),
		env.command("retry", header.ID, "--wait"))
}
