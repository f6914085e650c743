package activities

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"sync"
	"time"

	"go.temporal.io/sdk/activity"

	"github.com/topksweep/sweep/sweep/protocol"
)

// An attempt is what is kept of one attempt at an activity, besides what the activity itself knows. Its context
// holds it (attemptOf).
type attempt struct {
	is Live // what the attempt is; its cell and its progress change

	mu       sync.Mutex
	before   protocol.Heartbeat // details of the attempt before; zero for none
	progress *progress          // nil until the activity has one
	claimed  bool               // see claim
	accepted func()             // called by claim
}

type attemptKey struct{}

// attemptOf returns the attempt of a context. It is never nil.
func attemptOf(ctx context.Context) *attempt {
	if at, ok := ctx.Value(attemptKey{}).(*attempt); ok {
		return at
	}
	return &attempt{accepted: func() {}}
}

// claim notes that the attempt has what it needs to begin: its plan, its data, and the claim of its folder. What goes
// wrong from here on, and is not known, may be the fault of the cell.
func (at *attempt) claim() {
	at.mu.Lock()
	at.claimed = true
	at.mu.Unlock()
	at.accepted()
}

func (at *attempt) isClaimed() bool {
	at.mu.Lock()
	defer at.mu.Unlock()
	return at.claimed
}

// heartbeat is what the attempt tells people now. Its refusals are those of the attempts before.
func (at *attempt) heartbeat() protocol.Heartbeat {
	at.mu.Lock()
	defer at.mu.Unlock()
	if at.progress == nil {
		return at.before
	}
	beat := at.progress.get()
	beat.Refusals = at.before.Refusals
	return beat
}

// cell is the ID of the cell that the attempt trains or evaluates, "" while that is not known, and when it began to
// train it.
func (at *attempt) cell() (id string, began time.Time) {
	at.mu.Lock()
	defer at.mu.Unlock()
	if at.progress == nil {
		return "", time.Time{}
	}
	return at.progress.cellAndBegin()
}

// details are the details of the heartbeats of an activity that has no progress: nil if there is nothing to pass on.
func (at *attempt) details() any {
	if beat := at.heartbeat(); len(beat.Refusals) > 0 {
		return beat
	}
	return nil
}

// shows makes a progress the one of the attempt.
func (at *attempt) shows(p *progress) {
	at.mu.Lock()
	defer at.mu.Unlock()
	at.progress = p
}

// A panicError is a panic in an activity.
type panicError struct {
	value any
	stack []byte
}

func (e panicError) Error() string { return fmt.Sprintf("panic: %v", e.value) }

// try makes one attempt at an activity, and returns what Temporal is to know of it. What do returns as an error, or a
// panic of do, becomes the error that Temporal acts on (settle).
func try[T any](ctx context.Context, a *Activities, do func(context.Context) (T, error)) (out T, err error) {
	at := &attempt{}
	if activity.HasHeartbeatDetails(ctx) {
		// Details of another form are those of another version: they hold no refusals.
		if activity.GetHeartbeatDetails(ctx, &at.before) != nil {
			at.before = protocol.Heartbeat{}
		}
	}
	queue := activity.GetInfo(ctx).TaskQueue
	at.accepted = func() { a.refused.reset(queue) }
	ctx = context.WithValue(ctx, attemptKey{}, at)
	a.metrics.attempts.Inc()
	defer a.live.begin(ctx, at)()
	defer func() {
		if p := recover(); p != nil {
			err = panicError{p, debug.Stack()}
		}
		if p := (panicError{}); errors.As(err, &p) {
			a.logOf(ctx).Error("panic in an activity", "panic", p.value, "stack", string(p.stack))
		}
		if err != nil {
			var none T
			out, err = none, a.settle(ctx, at, err)
		}
	}()
	return do(ctx)
}
