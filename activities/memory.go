package activities

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"go.temporal.io/sdk/activity"

	"github.com/topksweep/sweep/activities/hostmem"
	"github.com/topksweep/sweep/trainer"
)

// memoryPlaces is how many stages of a worker may be between the decision to begin and their model: they open data,
// read checkpoints, and wait for memory with the state in the host's memory. The others wait before that.
const memoryPlaces = 4

// A memoryPatience says for how long attempts of a worker wait for memory.
type memoryPatience struct {
	look    time.Duration // between two tries, since other programs give memory back without a word
	passed  time.Duration // after which no newer attempt may take memory before one that waits
	atDoor  time.Duration // without a place, until another worker that lives should have the stage
	holding time.Duration // with a place, until another worker that lives should have the stage
	foreign time.Duration // for memory that others than the worker's own runs have
	humble  time.Duration // after that was in vain, for which nobody goes first
}

func defaultMemoryPatience() memoryPatience {
	return memoryPatience{
		look: 5 * time.Second, passed: 5 * time.Minute, atDoor: time.Minute, holding: 10 * time.Minute,
		foreign: 30 * time.Second, humble: 30 * time.Minute,
	}
}

// A memoryLine has the attempts of a worker that wait for memory, of a device or of the host. They keep their slots and
// go on when a model of the worker is closed.
//
// Example of a GPU that holds one large model or many small ones, and a worker with 16 slots. A large stage trains, and
// two more wait with their states read. 13 small stages fit beside the first one: they train. When the first large one
// ends, the next begins, if the small ones leave room for it. If they do not, small ones go first for some minutes.
// Then nothing newer begins before the large stage has its memory.
//
// If another program has what it lacks, that does not help: the large stage finds no memory although the worker has no
// model. Then it gives up its slot, is tried again later, and for some time nobody goes first.
type memoryLine struct {
	places chan struct{} // holds one of each stage that prepares its model

	mu      sync.Mutex
	models  int             // open models of the worker
	had     int             // models that it has opened
	foreign time.Time       // when an attempt gave up for memory that others have
	freed   chan struct{}   // closed when memory is given back; nil if nobody waits for that
	waiting []*memoryWaiter // the oldest first
}

// A memoryWaiter is an attempt in the line.
type memoryWaiter struct {
	since time.Time
	host  bool // it waits for memory of the host, and not of a device
}

func newMemoryLine() *memoryLine { return &memoryLine{places: make(chan struct{}, memoryPlaces)} }

// next returns a channel that is closed when memory is given back from now on.
func (l *memoryLine) next() <-chan struct{} {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.freed == nil {
		l.freed = make(chan struct{})
	}
	return l.freed
}

// free lets those that wait try again.
func (l *memoryLine) free() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.freed != nil {
		close(l.freed)
		l.freed = nil
	}
}

// opened notes a model, until closed is called.
func (l *memoryLine) opened() (closed func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.models++
	l.had++
	return sync.OnceFunc(func() {
		l.mu.Lock()
		l.models--
		l.mu.Unlock()
		l.free()
	})
}

// mayTry says that an attempt may take memory: none has waited for the same for so long that it goes first. Where the
// worker has no model, others have the memory that the oldest one waits for, and nothing is gained if all wait with it.
func (l *memoryLine) mayTry(w *memoryWaiter, now time.Time, by memoryPatience) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	i := slices.IndexFunc(l.waiting, func(o *memoryWaiter) bool { return o.host == w.host })
	if i < 0 || l.waiting[i] == w || l.models == 0 || now.Sub(l.foreign) < by.humble {
		return true
	}
	return now.Sub(l.waiting[i].since) < by.passed
}

// now returns how many models the worker has, and how many it has opened so far.
func (l *memoryLine) now() (models, had int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.models, l.had
}

// gaveUp notes that others than the worker have the memory that an attempt waited for.
func (l *memoryLine) gaveUp(now time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.foreign = now
}

// wait notes that an attempt has found no memory, until end is called.
func (l *memoryLine) wait(w *memoryWaiter) (end func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.waiting = append(l.waiting, w)
	return func() {
		l.mu.Lock()
		l.waiting = slices.DeleteFunc(l.waiting, func(o *memoryWaiter) bool { return o == w })
		l.mu.Unlock()
		l.free() // another one is the oldest now
	}
}

// errOthersFirst says that an attempt may not take memory yet: see mayTry.
var errOthersFirst = fmt.Errorf("others have waited longer: %w", trainer.ErrBusy)

// memoryTaken says that an attempt lacks memory that others have now.
func memoryTaken(err error) bool {
	return errors.Is(err, trainer.ErrBusy) || errors.Is(err, hostmem.ErrBusy)
}

// awaitMemory calls take, and again while the memory that it needs is taken: when some is given back, and now and then.
// It returns what take returned last, or the cause of ctx. It also ends, with memory still taken, once another worker
// that lives should have the activity, and where not this worker's runs have the memory. host says that it is memory of
// the host.
func (a *Activities) awaitMemory(ctx context.Context, progress *progress, host bool, take func() error) error {
	w := &memoryWaiter{time.Now(), host}
	var others foreignMemory
	waits := false
	for {
		freed := a.line.next() // before the try, so that nothing is missed
		err := errOthersFirst
		if a.line.mayTry(w, time.Now(), a.memoryWait) {
			err = take()
		}
		if !memoryTaken(err) {
			return err
		}
		if !waits {
			waits = true
			a.logOf(ctx).Info("waiting for memory", "error", err)
			defer a.line.wait(w)()
		}
		progress.doing("waiting for memory " + memoryOf(host))
		now := time.Now()
		if others.since(now, a, host) >= a.memoryWait.foreign {
			a.line.gaveUp(now)
			return err
		}
		if now.Sub(w.since) >= a.memoryWait.holding && a.othersLive(ctx) {
			return err
		}
		if ended := a.pause(ctx, freed); ended != nil {
			return ended
		}
	}
}

// foreignMemory knows since when an attempt lacks memory that none of the worker's own runs has.
type foreignMemory struct {
	first time.Time // zero: its own runs have some
	had   int       // models that the worker had opened then
}

// since returns for how long that is so; -1 if it is not. A model that was opened meanwhile had the memory.
func (f *foreignMemory) since(now time.Time, a *Activities, host bool) time.Duration {
	models, had := a.line.now()
	switch {
	case models > 0, host && a.memory.Reserved() > 0:
		f.first = time.Time{}
		return -1
	case f.first.IsZero() || had != f.had:
		f.first, f.had = now, had
	}
	return now.Sub(f.first)
}

// memoryOf says whose memory is taken.
func memoryOf(host bool) string {
	if host {
		return "of this machine"
	}
	return "on a GPU"
}

// pause returns when memory is given back, or when it is time for another try. The error is the cause of ctx.
func (a *Activities) pause(ctx context.Context, freed <-chan struct{}) error {
	defer a.waiting.rest()()
	defer watchOf(ctx).wait()()
	timer := time.NewTimer(a.memoryWait.look)
	defer timer.Stop()
	select {
	case <-freed:
	case <-timer.C:
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	return nil
}

// place waits for one of the places of those that prepare their model, until leave is called. The error wraps
// trainer.ErrBusy if another worker that lives should have the stage.
func (a *Activities) place(ctx context.Context, progress *progress) (leave func(), err error) {
	leave = sync.OnceFunc(func() { <-a.line.places })
	select {
	case a.line.places <- struct{}{}:
		return leave, nil
	default:
	}
	progress.doing("waiting for its turn, behind others that wait for memory")
	defer a.waiting.rest()()
	defer watchOf(ctx).wait()()
	tick := time.NewTicker(a.memoryWait.atDoor)
	defer tick.Stop()
	for {
		select {
		case a.line.places <- struct{}{}:
			return leave, nil
		case <-tick.C:
			if a.othersLive(ctx) {
				return nil, errOthersFirst
			}
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
}

// othersLive says that another worker lives that may take the activity.
func (a *Activities) othersLive(ctx context.Context) bool {
	live, _ := a.liveWorkers(ctx, activity.GetInfo(ctx).TaskQueue)
	return slices.ContainsFunc(live, func(other string) bool { return other != a.Worker })
}

// reserve takes so many bytes of the host's memory, until release is called. It drops states that are kept for others,
// and waits where that is not enough.
func (a *Activities) reserve(ctx context.Context, progress *progress, need int64) (release func(), err error) {
	var taken func()
	err = a.awaitMemory(ctx, progress, true, func() (err error) {
		for {
			taken, err = a.memory.Reserve(need)
			if !errors.Is(err, hostmem.ErrBusy) || !a.kept.dropOldest() {
				return err
			}
		}
	})
	if err != nil {
		return nil, err
	}
	return sync.OnceFunc(func() { taken(); a.line.free() }), nil
}
