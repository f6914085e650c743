package activities

import (
	"context"
	"fmt"
	"slices"
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
	inSlot  bool     // the activity takes a training slot
	metrics *metrics // nil for an activity that has no steps

	mu          sync.Mutex
	beat        protocol.Heartbeat
	cell        string    // the ID of the cell of beat; "" before its plan is read
	began       time.Time // when the attempt began to train the run; zero before that
	windowStart time.Time // of the window over which the speed is measured
	windowSteps int64     // steps done at windowStart

	lastStep  time.Time       // when the last step was done, by the machine's own clock
	durations []time.Duration // of the last steps, in the order of a ring
	nextStep  int             // the oldest of them, once there are medianOf
}

// medianOf is of how many steps a progress knows the duration.
const medianOf = 31

// startProgress sends heartbeats until stop is called. It begins before anything is read: a store that is slow must not
// look like a worker that is gone.
func (a *Activities) startProgress(ctx context.Context, ref protocol.StageRef) (p *progress, stop func()) {
	return a.startProgressEvery(ctx, a.beat, ref)
}

// startProgressEvery is startProgress with a time between two heartbeats.
func (a *Activities) startProgressEvery(
	ctx context.Context, every time.Duration, ref protocol.StageRef,
) (p *progress, stop func()) {
	p = &progress{inSlot: true, metrics: a.metrics, beat: protocol.Heartbeat{
		Cell: ref.Cell, Cells: ref.Cells, Steps: int64(ref.To), Doing: "reading the plan",
	}}
	at := attemptOf(ctx)
	at.shows(p)
	return p, a.heartbeatEvery(ctx, every, func() any { return at.heartbeat() })
}

// of notes the run, once its plan is read.
func (p *progress) of(r *run) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.beat.Run, p.beat.Doing = r.header.Label(r.cell), "reading what is stored"
	p.cell = r.cell.ID
	if p.beat.Steps == 0 { // an evaluation
		p.beat.Steps = int64(r.cell.Config.Steps)
	}
}

// next notes that the activity goes on with another run.
func (p *progress) next(ref protocol.StageRef) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.beat = protocol.Heartbeat{
		Cell: ref.Cell, Cells: ref.Cells, Steps: int64(ref.To), Doing: "reading what is stored", Refusals: p.beat.Refusals,
	}
	p.cell, p.began, p.windowStart, p.lastStep = "", time.Time{}, time.Time{}, time.Time{}
	p.durations, p.nextStep = p.durations[:0], 0
}

// doing is the progress of an activity that has no steps.
func doing(what string) *progress { return &progress{beat: protocol.Heartbeat{Doing: what}} }

// stuck returns the error of an attempt that has stood still for some time.
func (p *progress) stuck(still time.Duration) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	did := p.beat.Doing
	if did == "" {
		did = "training"
	}
	where := ""
	if p.beat.Steps > 0 {
		where = fmt.Sprintf(" at step %d of %d", p.beat.Step, p.beat.Steps)
	}
	if p.beat.Device != "" {
		where += " on " + p.beat.Device
	}
	return fmt.Errorf("%w for %v while %s%s: a disk, a network or a device does not answer; look at them, "+
		"or allow more with --stuck-after", ErrStuck, still.Round(time.Millisecond), did, where)
}

// medianStep returns the median duration of the last steps; 0 before the first.
func (p *progress) medianStep() time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.durations) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(p.durations))
	return sorted[len(sorted)/2]
}

// noteStep notes how long a step took. p.mu is held.
func (p *progress) noteStep(now time.Time) {
	if !p.lastStep.IsZero() {
		if took := now.Sub(p.lastStep); len(p.durations) < medianOf {
			p.durations = append(p.durations, took)
		} else {
			p.durations[p.nextStep] = took
			p.nextStep = (p.nextStep + 1) % medianOf
		}
	}
	p.lastStep = now
}

// heartbeat tells Temporal at regular intervals that the activity is alive, until
// stop is called. It goes on when the activity is canceled, because a run then
// still saves its state. The last one tells how the attempt ended, and the server shows
// it until the next attempt. The SDK does not send it if the activity is completed, nor
// if it was canceled, paused or reset: it sends it on a context that has ended then.
func (a *Activities) heartbeat(ctx context.Context, details func() any) (stop func()) {
	return a.heartbeatEvery(ctx, a.beat, details)
}

// heartbeatEvery is heartbeat with a time between two of them.
func (a *Activities) heartbeatEvery(ctx context.Context, every time.Duration, details func() any) (stop func()) {
	ctx = context.WithoutCancel(ctx)
	// The first one is often on its way when a short attempt ends. It may arrive: the SDK logs each that is cut off.
	sending, cutOff := context.WithCancel(ctx)
	ended := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		tick := time.NewTicker(every)
		defer tick.Stop()
		for {
			activity.RecordHeartbeat(sending, details())
			select {
			case <-ended:
				activity.RecordHeartbeat(ctx, details())
				return
			case <-tick.C:
			}
		}
	})
	return func() {
		close(ended)
		late := time.AfterFunc(beatArrives, cutOff) // the server may be silent
		defer cutOff()
		defer late.Stop()
		wg.Wait()
	}
}

// beatArrives is the time that a heartbeat may take to arrive when its attempt has ended.
const beatArrives = 5 * time.Second

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

// startAt notes the step that training goes on from, and when.
func (p *progress) startAt(step int64, now time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.beat.From, p.beat.Step, p.began = step, step, now
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

// cellAndBegin returns the ID of the cell that get tells of, and when the attempt began to train its run.
func (p *progress) cellAndBegin() (id string, began time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.cell, p.began
}

// step notes that done steps are done, on batches of so many tokens.
func (p *progress) step(now time.Time, done int64, s trainer.Stats, batch int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if n := done - p.beat.Step; p.metrics != nil && n > 0 {
		p.metrics.stepped(n, batch)
	}
	p.beat.Step, p.beat.Loss, p.beat.Dead, p.beat.Doing = done, s.Loss, s.Dead, ""
	p.noteStep(time.Now())
	switch window := now.Sub(p.windowStart); {
	case p.windowStart.IsZero():
		p.windowStart, p.windowSteps = now, done
	case window >= rateWindow:
		p.beat.StepsPerSecond = float64(done-p.windowSteps) / window.Seconds()
		p.beat.TokensPerSecond = p.beat.StepsPerSecond * float64(batch)
		p.windowStart, p.windowSteps = now, done
	}
}
