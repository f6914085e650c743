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

// A progress says how far a run is. It is sent to Temporal at regular intervals and
// not after steps, because one step with a large dictionary may take longer than the
// heartbeat timeout.
type progress struct {
	mu          sync.Mutex
	beat        protocol.Heartbeat
	windowStart time.Time // of the window over which the speed is measured
	windowSteps int64     // steps done at windowStart
}

// startProgress sends heartbeats until stop is called.
func (a *Activities) startProgress(ctx context.Context, ref protocol.StageRef, r *run) (p *progress, stop func()) {
	p = &progress{beat: protocol.Heartbeat{
		Cell: ref.Cell, Run: r.header.Label(r.cell), Cells: ref.Cells, Steps: int64(ref.To),
	}}
	at := attemptOf(ctx)
	at.shows(p)
	return p, a.heartbeat(ctx, func() any { return at.heartbeat() })
}

// heartbeat tells Temporal at regular intervals that the activity is alive, until
// stop is called. It goes on when the activity is canceled, because a run then
// still saves its state. The last one tells how the attempt ended, and the server shows
// it until the next attempt. The SDK does not send it if the activity is completed, nor
// if it was canceled, paused or reset: it sends it on a context that has ended then.
func (a *Activities) heartbeat(ctx context.Context, details func() any) (stop func()) {
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	last := context.WithoutCancel(ctx)
	var wg sync.WaitGroup
	wg.Go(func() {
		tick := time.NewTicker(a.beat)
		defer tick.Stop()
		for {
			if ctx.Err() == nil { // else the SDK logs that it cannot send it
				activity.RecordHeartbeat(ctx, details())
			}
			select {
			case <-ctx.Done():
				activity.RecordHeartbeat(last, details())
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
	return p.beat
}

// trained notes that all steps are done.
func (p *progress) trained() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.beat.Step = p.beat.Steps
}

// doing notes what the run does while it does not train.
func (p *progress) doing(what string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.beat.Doing = what
}

// startAt notes the step that training goes on from.
func (p *progress) startAt(step int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.beat.From, p.beat.Step = step, step
}

// on notes the device and its class, as results name them; "" if they have no name.
func (p *progress) on(h trainer.Hardware) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.beat.Device, p.beat.Class = h.Device, h.Class
}

// saved notes the newest checkpoint: its step, and when it was stored, which is zero if that is not known. It is called
// while the run trains on.
func (p *progress) saved(step int64, at time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.beat.At, p.beat.Saved = step, at.UTC()
}

// step notes that done steps are done, on batches of so many tokens.
func (p *progress) step(now time.Time, done int64, s trainer.Stats, batch int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.beat.Step, p.beat.Loss, p.beat.Dead, p.beat.Doing = done, s.Loss, s.Dead, ""
	switch window := now.Sub(p.windowStart); {
	case p.windowStart.IsZero():
		p.windowStart, p.windowSteps = now, done
	case window >= rateWindow:
		p.beat.StepsPerSecond = float64(done-p.windowSteps) / window.Seconds()
		p.beat.TokensPerSecond = p.beat.StepsPerSecond * float64(batch)
		p.windowStart, p.windowSteps = now, done
	}
}
