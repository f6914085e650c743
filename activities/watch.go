package activities

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"sync/atomic"
	"time"

	"go.temporal.io/sdk/activity"
)

// ErrStuck says that nothing of an attempt moved for longer than anything takes: a read or a kernel hangs.
var ErrStuck = errors.New("no progress")

const (
	stuckAfter  = 10 * time.Minute // without progress until an attempt is to end
	stuckGrace  = time.Minute      // without progress that an attempt which is to end has for that, or stuckAfter if less
	stuckMedian = 50               // as many median steps of a run may always pass without progress
)

// A watch knows whether an attempt moves. Whatever it does counts: steps, bytes of the data and of the store that are
// read or written, looks whether it is to end. Its methods may be called on nil, and by several goroutines.
//
// The work of an attempt is on a goroutine of its own, because a read from a disk that hangs does not end with its
// context:
//
//	0:00   the last thing that moved
//	10:00  it is stuck: its context ends, with ErrStuck as its cause
//	11:00  it has not returned, and nothing has moved: it is given up. The activity ends without it, so that another
//	       slot or worker takes it. The goroutine may hang for ever. Should it wake up, it writes nothing more.
//
// What the attempt has reserved stays reserved: its goroutine uses it.
type watch struct {
	moves atomic.Int64
	waits atomic.Int64  // > 0: it waits for what others must do, such as room on a disk
	gone  chan struct{} // closed when the attempt is given up
}

func newWatch() *watch { return &watch{gone: make(chan struct{})} }

// move notes that something moved.
func (w *watch) move() {
	if w != nil {
		w.moves.Add(1)
	}
}

// wait notes that the attempt waits for others, for as long as it takes, until end is called.
func (w *watch) wait() (end func()) {
	if w == nil {
		return func() {}
	}
	w.waits.Add(1)
	return func() { w.move(); w.waits.Add(-1) }
}

// goneChannel is closed when the attempt is given up; nil, which never is, for a nil watch.
func (w *watch) goneChannel() <-chan struct{} {
	if w == nil {
		return nil
	}
	return w.gone
}

// givenUp returns an error that wraps ErrStuck if the attempt is given up.
func (w *watch) givenUp() error {
	if w == nil {
		return nil
	}
	select {
	case <-w.gone:
		return fmt.Errorf("%w: the attempt was given up while this hung, and another one has its work", ErrStuck)
	default:
		return nil
	}
}

// watchKey is the key of the watch in the context of an attempt.
type watchKey struct{}

// watchOf returns the watch of the attempt that a context belongs to; nil for none.
func watchOf(ctx context.Context) *watch {
	w, _ := ctx.Value(watchKey{}).(*watch)
	return w
}

// unwatched returns a context of no watch, for what goes on beside the work of an attempt: it would hide that the
// attempt stands still, and it must be able to go on when the attempt is given up.
func unwatched(ctx context.Context) context.Context {
	return context.WithValue(ctx, watchKey{}, (*watch)(nil))
}

// counted returns a context whose Err counts as progress: who looks again and again whether it is to end moves on. It
// does so for ctx itself only, not for contexts that are made of it.
func counted(ctx context.Context) context.Context { return countedContext{ctx, watchOf(ctx)} }

type countedContext struct {
	context.Context
	watch *watch
}

func (c countedContext) Err() error {
	c.watch.move()
	return c.Context.Err()
}

// An outcomeOf is what the work of an attempt came to.
type outcomeOf[T any] struct {
	value T
	err   error
}

// watched does the work of an activity under a watch. The error wraps ErrStuck if it stood still for too long. If it
// does not return then either, watched returns without it. progress says what it did.
//
// An attempt that is told to stop, or canceled, has stuckGrace for each thing that it still does: a worker must be able
// to end.
func watched[T any](
	ctx context.Context, a *Activities, progress *progress, work func(context.Context) (T, error),
) (T, error) {
	w := newWatch()
	ctx, cancel := context.WithCancelCause(context.WithValue(ctx, watchKey{}, w))
	defer cancel(nil)
	done := make(chan outcomeOf[T], 1)
	go func() {
		out := outcomeOf[T]{err: errors.New("the attempt ended without an outcome")} // only a test's goroutine can do that
		defer func() {
			if p := recover(); p != nil {
				out.err = panicError{p, debug.Stack()} // here it would end the process
			}
			done <- out
		}()
		out.value, out.err = work(ctx)
	}()
	s := stillness{watch: w, last: time.Now()}
	tick := time.NewTicker(a.beat)
	defer tick.Stop()
	for {
		select {
		case out := <-done:
			return out.value, out.err
		case now := <-tick.C:
			ending := isTold(ctx)
			limit := a.StuckAfter
			if ending {
				limit = a.grace()
			}
			still := s.look(now, a.beat)
			if limit == 0 || still < max(limit, stuckMedian*progress.medianStep()) {
				continue
			}
			err := progress.stuck(still)
			if !ending {
				a.logOf(ctx).Warn("an attempt is stuck and is to end", "error", err)
				cancel(err)
				s.still = 0
				continue
			}
			close(w.gone)
			if cause := context.Cause(ctx); errors.Is(cause, ErrStuck) {
				err = cause
			}
			err = fmt.Errorf("%w; it did not end when it was told to: what it waits for does not answer", err)
			a.lose(ctx, err, progress.inSlot)
			var none T
			return none, err
		}
	}
}

// grace is how long an attempt that is told to end may do nothing.
func (a *Activities) grace() time.Duration {
	if a.StuckAfter > 0 {
		return min(a.stuckGrace, a.StuckAfter)
	}
	return a.stuckGrace
}

// isTold says that an attempt is told to end: by its worker, its workflow, a person or its watch.
func isTold(ctx context.Context) bool {
	select {
	case <-ctx.Done():
		return true
	case <-activity.GetWorkerStopChannel(ctx):
		return true
	default:
		return false
	}
}

// A stillness is how long nothing of an attempt has moved.
type stillness struct {
	watch *watch
	moves int64
	still time.Duration
	last  time.Time // the newest look
}

// look looks again. A look that comes late counts no more than two intervals: where the process was suspended, nothing
// could move.
func (s *stillness) look(now time.Time, every time.Duration) time.Duration {
	s.still += min(max(0, now.Sub(s.last)), 2*every)
	s.last = now
	if moves := s.watch.moves.Load(); moves != s.moves || s.watch.waits.Load() > 0 {
		s.moves, s.still = moves, 0
	}
	return s.still
}

// lose notes that an attempt is given up.
func (a *Activities) lose(ctx context.Context, err error, inSlot bool) {
	a.logOf(ctx).Error("an attempt hangs and is given up", "error", err)
	a.mu.Lock()
	a.lost++
	a.mu.Unlock()
	if a.OnLost != nil {
		a.OnLost(err, inSlot)
	}
}

// hasLost says that an attempt of this worker hangs.
func (a *Activities) hasLost() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.lost > 0
}

// savingContext returns a context to keep under what is trained. It goes on when ctx ends, and has no deadline: a large
// state takes long on a slow store, and the watch ends what does not move. Once the attempt is told to end, it ends
// after saveWithin, because a worker that stops must end. It also ends when the attempt is given up.
func (a *Activities) savingContext(ctx context.Context) (context.Context, context.CancelFunc) {
	saving, cancel := context.WithCancelCause(context.WithoutCancel(ctx))
	gone := watchOf(ctx).goneChannel()
	stopping := activity.GetWorkerStopChannel(ctx)
	go func() {
		select {
		case <-ctx.Done():
		case <-stopping:
		case <-gone:
		case <-saving.Done():
			return
		}
		timer := time.NewTimer(a.saveWithin)
		defer timer.Stop()
		select {
		case <-timer.C:
			cancel(fmt.Errorf("it was not stored within %v after the attempt was told to end", a.saveWithin))
		case <-gone:
			cancel(ErrStuck)
		case <-saving.Done():
		}
	}()
	return saving, func() { cancel(nil) }
}
