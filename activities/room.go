package activities

import (
	"context"
	"errors"
	"sync"
	"time"

	"go.temporal.io/sdk/activity"

	"github.com/topksweep/sweep/storage"
)

// noRoom says that the store takes no more for now: it is full, or its disk is read-only.
func noRoom(err error) bool {
	return errors.Is(err, storage.ErrNoSpace) || errors.Is(err, storage.ErrReadOnly)
}

// A waitingRoom knows which stages of a worker wait for room in the store. They keep their
// slots. Where all slots wait, nothing frees room any more: the evaluation of a run, which
// removes its checkpoints, finds no slot. Then one stage gives up, the one that loses least.
type waitingRoom struct {
	mu       sync.Mutex
	attempts int                         // stages and evaluations that the worker has in hand
	waiting  map[*training]time.Duration // what training again would take
	gaveUp   time.Time                   // when a stage did last
}

// begin notes that the worker has an attempt in hand, until end is called.
func (w *waitingRoom) begin() (end func()) {
	w.count(1)
	return func() { w.count(-1) }
}

// rest notes that an attempt waits for what others have, until end is called: it frees no room meanwhile.
func (w *waitingRoom) rest() (end func()) {
	w.count(-1)
	return func() { w.count(1) }
}

func (w *waitingRoom) count(by int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.attempts += by
}

// wait notes that a stage waits, until end is called. cost is what training again from the
// last checkpoint would take.
func (w *waitingRoom) wait(t *training, cost time.Duration) (end func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.waiting == nil {
		w.waiting = map[*training]time.Duration{}
	}
	w.waiting[t] = cost
	return func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		delete(w.waiting, t)
	}
}

// giveUp says that a stage that has waited for some time is to give up its slot. No stage
// does before it has waited for as long as it would train again, and at most one does
// within least, so that what finds the slot can free room. Example of two slots, with a
// least of a minute: the last checkpoint of one stage was 10 s before its end, of the other
// 8 h. Both wait since 12:00. The first gives up at 12:01, and an evaluation that is due
// takes its slot. The other waits on: not all attempts wait.
func (w *waitingRoom) giveUp(t *training, waited, least time.Duration, now time.Time) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	cost := w.waiting[t]
	if len(w.waiting) < w.attempts || waited < max(least, cost) || now.Sub(w.gaveUp) < least {
		return false
	}
	for _, other := range w.waiting {
		if other < cost {
			return false
		}
	}
	w.gaveUp = now
	return true
}

// awaitRoom calls save again and again until the store has room for what is trained,
// which exists nowhere else. saved is what save returned before. It returns what save
// returned last. ended is nil, or why the stage could not wait longer: ErrStopping, or
// the cause of ctx. Then it has tried once more, in vain. It also ends, with ended nil, if
// the stage is to give up its slot: another attempt then trains again from the last
// checkpoint.
func (t *training) awaitRoom(ctx context.Context, saved error, save func() error) (last, ended error) {
	if noRoom(saved) { // one line: the log may lie on the same disk
		t.a.logOn(ctx, t.cell.ID).Warn("no room for the last checkpoint of a stage, which waits for it", "error", saved)
		defer t.a.waiting.wait(t, t.saver.unsaved())()
	}
	defer watchOf(ctx).wait()()
	pause, since := t.a.room, time.Now()
	for noRoom(saved) && ended == nil {
		if now := time.Now(); t.a.waiting.giveUp(t, now.Sub(since), t.a.slotFor, now) {
			t.a.logOn(ctx, t.cell.ID).Warn("all slots wait for room in the store: a stage gives up its slot")
			return saved, nil
		}
		t.progress.doing("waiting for room in the store: " + whyNoRoom(saved))
		ended = sleep(ctx, pause)
		began := time.Now()
		saved = save()
		// A try of a large checkpoint fills what is left of the disk for a while. Others
		// need that too: at most a quarter of the time goes to tries.
		pause = max(t.a.room, 3*time.Since(began))
	}
	if saved == nil {
		return nil, nil
	}
	return saved, ended
}

// whyNoRoom says why the store takes no more, in a few words if its error names the disk.
func whyNoRoom(err error) string {
	var of interface{ Disk() string }
	if errors.As(err, &of) {
		return of.Disk()
	}
	return err.Error()
}

// sleep returns after d, or at once with the reason if the activity must end.
func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-activity.GetWorkerStopChannel(ctx):
		return ErrStopping
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
