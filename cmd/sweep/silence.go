package main

import (
	"fmt"
	"slices"
	"time"

	"github.com/topksweep/sweep/sweep/observe"
	"github.com/topksweep/sweep/sweep/plan"
	"github.com/topksweep/sweep/sweep/protocol"
)

// silentAfter is how long nothing may be heard of a worker that trains, before that is said. It is longer than the
// longest time between two heartbeats.
const silentAfter = protocol.HeartbeatTimeout / 2

// silenceText says that nothing was heard of the worker of a run for some time; "" if that is as usual. Until the time
// is over after which the worker counts as dead, the server takes the run to be in training.
func silenceText(silent time.Duration) string {
	if silent < silentAfter {
		return ""
	}
	return fmt.Sprintf("%s; another worker takes it over after %d s", shortSilence(silent),
		int(protocol.HeartbeatTimeout.Seconds()))
}

// shortSilence is silenceText where there is no room for what comes next.
func shortSilence(silent time.Duration) string {
	if silent < silentAfter {
		return ""
	}
	return fmt.Sprintf("no sign of life for %d s", int(silent.Seconds()))
}

// silence returns how long nothing was heard of any of several workers, of which something was last heard at these
// times; 0 if there is none. Times are the server's. If its clock is ahead of this one, the newest of them is now.
func silence(now time.Time, said ...time.Time) time.Duration {
	if len(said) == 0 {
		return 0
	}
	return max(0, now.Sub(slices.MaxFunc(said, time.Time.Compare)))
}

// saidOf lists when something was last heard of the workers that have these activities, by the server's clock.
func saidOf(list []observe.Activity) (said []time.Time) {
	for _, a := range list {
		if a.IsStage() && a.Started {
			said = append(said, a.Said)
		}
	}
	return said
}

// saidOfRuns is saidOf for runs.
func saidOfRuns(runs []runState) (said []time.Time) {
	for _, r := range runs {
		if (r.Status == plan.Training || r.Status == plan.Evaluating) && !r.Said.IsZero() {
			said = append(said, r.Said)
		}
	}
	return said
}

// An ear notes when something was last heard of the workers of a sweep, by the clock of this process.
type ear struct {
	said  time.Time // by the server's clock
	heard time.Time
}

// silent returns how long nothing was heard of any of the workers that have these activities; 0 if none has one.
func (e *ear) silent(now time.Time, list []observe.Activity) time.Duration {
	said := saidOf(list)
	if len(said) == 0 {
		e.said = time.Time{}
		return 0
	}
	if newest := slices.MaxFunc(said, time.Time.Compare); !newest.Equal(e.said) {
		e.said, e.heard = newest, now
	}
	return now.Sub(e.heard)
}
