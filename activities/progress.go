package activities

import (
	"context"
	"sync"
	"time"

	"go.temporal.io/sdk/activity"

	"github.com/topksweep/sweep/sweep/protocol"
	"github.com/topksweep/sweep/trainer"
)

// rateWindow is the time over which a run's speed is measured.
const rateWindow = time.Second

// progress is how far a run is, told to Temporal again and again whatever the
// run is doing: one step of a large dictionary may take longer than the
// heartbeat timeout.
type progress struct {
	mu   sync.Mutex
	now  protocol.Heartbeat
	from time.Time // of the rate's window
	done int64     // steps at from
}

func (a *Activities) startProgress(ctx context.Context, ref protocol.StageRef, r *run) (p *progress, stop func()) {
	p = &progress{now: protocol.Heartbeat{Cell: ref.Cell, Run: r.header.Label(r.cell), Cells: ref.Cells, Steps: int64(ref.To)}}
	return p, a.heartbeat(ctx, func() any { return p.get() })
}

// heartbeat tells Temporal again and again that the activity is alive, until
// stop: also once it is canceled, because a run then takes its time to save its
// state.
func (a *Activities) heartbeat(ctx context.Context, details func() any) (stop func()) {
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	var wg sync.WaitGroup
	wg.Go(func() {
		tick := time.NewTicker(a.beat)
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

func (p *progress) get() protocol.Heartbeat {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.now
}

// trained notes that all steps are done.
func (p *progress) trained() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.now.Step = p.now.Steps
}

func (p *progress) doing(what string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.now.Doing = what
}

// begin notes the step that training goes on from.
func (p *progress) begin(step int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.now.From, p.now.Step = step, step
}

// step notes that done steps are done, on batches of so many tokens.
func (p *progress) step(now time.Time, done int64, s trainer.Stats, batch int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.now.Step, p.now.Loss, p.now.Dead, p.now.Doing = done, s.Loss, s.Dead, ""
	switch window := now.Sub(p.from); {
	case p.from.IsZero():
		p.from, p.done = now, done
	case window >= rateWindow:
		p.now.StepsPerSecond = float64(done-p.done) / window.Seconds()
		p.now.TokensPerSecond = p.now.StepsPerSecond * float64(batch)
		p.from, p.done = now, done
	}
}
