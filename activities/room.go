package activities

import (
	"context"
	"errors"
	"time"

	"go.temporal.io/sdk/activity"

	"github.com/topksweep/sweep/storage"
)

// noRoom says that the store takes no more for now: it is full, or its disk is read-only.
func noRoom(err error) bool {
	return errors.Is(err, storage.ErrNoSpace) || errors.Is(err, storage.ErrReadOnly)
}

// awaitRoom calls save again and again until the store has room for what is trained,
// which exists nowhere else. saved is what save returned before. It returns what save
// returned last. ended is nil, or why the stage could not wait longer: ErrStopping, or
// the cause of ctx. Then it has tried once more, in vain.
func (t *training) awaitRoom(ctx context.Context, saved error, save func() error) (last, ended error) {
	if noRoom(saved) { // one line: the log may lie on the same disk
		t.a.log.Warn("no room for the last checkpoint of a stage, which waits for it", "cell", t.cell.ID, "error", saved)
	}
	pause := t.a.room
	for noRoom(saved) && ended == nil {
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
