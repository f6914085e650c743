package main

import (
	"context"
	"fmt"
	"time"

	"github.com/topksweep/sweep/sweep/protocol"
)

// othersInterval is the time between two looks whether other workers train for the server of this process, when it
// trains nothing any more.
const othersInterval = 10 * time.Second

// An unfitError ends a command because its process cannot train, and no other worker does.
type unfitError struct{ error }

func (e unfitError) Unwrap() error { return e.error }

// retireIfUnfit waits until the worker of this process takes no more work. Then it says so, saves what trains, and
// serves on without training. It reports whether that came before ctx ended.
func (k *stack) retireIfUnfit(ctx context.Context, env *environment) bool {
	select {
	case <-ctx.Done():
		return false
	case <-k.workers.activities.Unfit():
	}
	fmt.Fprintf(env.errOut, "%v\n", k.workers.activities.WhyUnfit())
	if err := k.workers.retire(); err != nil {
		fmt.Fprintf(env.errOut, "no workflow goes on here: %v\n", err)
	}
	if ctx.Err() == nil {
		fmt.Fprintln(env.errOut, "the server goes on for other workers")
	}
	return true
}

// endIfUnfit is retireIfUnfit for a command that trains a sweep: when the process cannot train any more, and no other
// worker lives, it ends the command with the reason.
func (k *stack) endIfUnfit(ctx context.Context, env *environment, backend string, end context.CancelCauseFunc) {
	if !k.retireIfUnfit(ctx, env) {
		return
	}
	tick := time.NewTicker(othersInterval)
	defer tick.Stop()
	for k.workers.othersLive(ctx, protocol.TrainQueue(backend)) {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
	end(unfitError{k.workers.activities.WhyUnfit()})
}
