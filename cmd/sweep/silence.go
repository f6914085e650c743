package main

import (
	"fmt"
	"time"

	"github.com/topksweep/sweep/sweep/observe"
	"github.com/topksweep/sweep/sweep/plan"
	"github.com/topksweep/sweep/sweep/protocol"
)

// silentAfter is how long nothing may be heard of a worker that trains, before that is said. It is heard of every two
// seconds or so.
const silentAfter = 6 * time.Second

// silenceText says that nothing was heard of the worker of a run for some time; "" if that is as usual. Until the time
// is over after which the worker counts as dead, the server takes the run to be in training.
func silenceText(silent time.Duration) string {
	if silent < silentAfter {
		return ""
	}
	return fmt.Sprintf("no sign of life for %d s; another worker takes it over after %d s",
		int(silent.Seconds()), int(protocol.HeartbeatTimeout.Seconds()))
}

// silence returns how long nothing was heard of any of the workers that have runs of a sweep; 0 if none has one. Times
// of workers are the server's. If its clock is ahead of this one, the newest of them is now.
func silence(now time.Time, runs []runState) time.Duration {
	var newest time.Time
	for _, r := range runs {
		if inWork := r.Status == plan.Training || r.Status == plan.Evaluating; inWork && r.Said.After(newest) {
			newest = r.Said
		}
	}
	if newest.IsZero() {
		return 0
	}
	return max(0, now.Sub(newest))
}

// An ear notes when something was last heard of the workers of a sweep, by the clock of this process.
type ear struct {
	said  time.Time // by the server's clock
	heard time.Time
}

// silent returns how long nothing was heard of any of the workers that have these activities; 0 if none has one.
func (e *ear) silent(now time.Time, list []observe.Activity) time.Duration {
	var newest time.Time
	for _, a := range list {
		if a.IsStage() && a.Started && a.Said.After(newest) {
			newest = a.Said
		}
	}
	if newest.IsZero() || !newest.Equal(e.said) {
		e.said, e.heard = newest, now
		return 0
	}
	return now.Sub(e.heard)
}
