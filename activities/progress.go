package activities

import (
	"context"
	"sync"
	"time"

	"go.temporal.io/sdk/activity"

	"github.com/topksweep/sweep/sweep"
	"github.com/topksweep/sweep/trainer"
)

// beatEvery is how often a worker says that it is alive and how far it is.
const beatEvery = time.Second

// progress is how far a run is, told to Temporal every second whatever the run
// is doing: one step of a large dictionary may take longer than the heartbeat
// timeout.
type progress struct {
	mu   sync.Mutex
	now  sweep.Heartbeat
	from time.Time // of the rate's window
	done int64     // steps at from
}

func startProgress(ctx context.Context, cell int, c trainer.Config) (p *progress, stop func()) {
	p = &progress{now: sweep.Heartbeat{Cell: cell, Steps: int64(c.Steps)}}
	return p, beat(ctx, func() any { return p.get() })
}

// beat tells Temporal every second that the activity is alive, until stop.
func beat(ctx context.Context, details func() any) (stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	var wg sync.WaitGroup
	wg.Go(func() {
		tick := time.NewTicker(beatEvery)
		defer tick.Stop()
		for {
			activity.RecordHeartbeat(ctx, details())
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
			}
		}
	})
	return func() { cancel(); wg.Wait() }
}

func (p *progress) get() sweep.Heartbeat {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.now
}

func (p *progress) doing(what string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.now.Doing = what
}

// step notes that done steps are done, on batches of so many tokens.
func (p *progress) step(now time.Time, done int64, s trainer.Stats, batch int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.now.Step, p.now.Loss, p.now.Dead, p.now.Doing = done, s.Loss, s.Dead, ""
	switch window := now.Sub(p.from); {
	case p.from.IsZero():
		p.from, p.done = now, done
	case window >= beatEvery:
		p.now.StepsPerSecond = float64(done-p.done) / window.Seconds()
		p.now.TokensPerSecond = p.now.StepsPerSecond * float64(batch)
		p.from, p.done = now, done
	}
}
