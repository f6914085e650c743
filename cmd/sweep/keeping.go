package main

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/topksweep/sweep/storage"
	"github.com/topksweep/sweep/storage/disk"
	"github.com/topksweep/sweep/sweep/ledger"
)

const (
	defaultKeep = 7 * 24 * time.Hour

	keepLooks = 24 * time.Hour   // between two looks for checkpoints that are old
	roomLooks = time.Minute      // between two looks at the disk of the store
	pressWait = 10 * time.Minute // between two looks for checkpoints while that disk is nearly full
)

// A keepFlag is how long the checkpoints of finished runs stay. It is the value of a flag.
type keepFlag struct {
	time  time.Duration
	never bool // none is removed
}

// neverRemoved is the word of the flag.
const neverRemoved = "forever"

func (k *keepFlag) Set(s string) error {
	if s == neverRemoved {
		*k = keepFlag{never: true}
		return nil
	}
	d, err := time.ParseDuration(s)
	if err != nil || d < 0 {
		return fmt.Errorf("want a duration of 0 or more, as in 168h, or %s", neverRemoved)
	}
	*k = keepFlag{time: d}
	return nil
}

func (k *keepFlag) String() string {
	if k.never {
		return neverRemoved
	}
	return k.time.String()
}

func (k *keepFlag) Type() string { return "duration" }

// A keeper removes checkpoints of finished runs from a store: those that are old, and, while
// the disk of the store is nearly full, the oldest ones of any age. Only one goroutine may use it.
type keeper struct {
	ledger *ledger.Ledger
	keep   keepFlag
	low    func() bool // says that the store's disk is nearly full
	log    *slog.Logger

	looked, pressed time.Time // the newest look for old ones, and for room
}

// startKeeper starts a keeper of a store in the background. stop tells it to end, and does not wait for a store that
// hangs.
func startKeeper(store storage.Store, at location, keep keepFlag, log *slog.Logger) (stop func()) {
	if keep.never {
		return func() {}
	}
	k := &keeper{ledger: ledger.New(store), keep: keep, low: lowDisk(at), log: log}
	ctx, cancel := context.WithCancel(context.Background())
	go func() {
		ticks := time.NewTicker(roomLooks)
		defer ticks.Stop()
		k.tick(ctx, time.Now())
		for {
			select {
			case <-ctx.Done():
				return
			case now := <-ticks.C:
				k.tick(ctx, now)
			}
		}
	}()
	return cancel
}

// lowDisk returns what says whether the disk of a store in a folder is nearly full. Of a bucket that is not known.
func lowDisk(at location) func() bool {
	path, err := folderOf(at.storeURL())
	if err != nil || path == "" {
		return func() bool { return false }
	}
	return func() bool { return disk.Of(path).Low() || isFull(disk.Probe(path, roomToRun)) }
}

// tick removes what is due at a time.
func (k *keeper) tick(ctx context.Context, now time.Time) {
	if now.Sub(k.looked) >= keepLooks {
		k.looked = now
		k.remove(ctx, now.Add(-k.keep.time), func() bool { return false })
	}
	if now.Sub(k.pressed) >= pressWait && k.low() {
		k.pressed = now
		k.log.Warn("the disk of the store is nearly full: the oldest checkpoints of finished runs go, if there are any")
		k.remove(ctx, now, func() bool { return !k.low() })
	}
}

func (k *keeper) remove(ctx context.Context, before time.Time, enough func() bool) {
	err := k.ledger.RemoveFinished(ctx, before, enough, func(f ledger.GarbageFolder) {
		k.log.Info("removed the checkpoints of finished runs", "folder", f.Folder, "objects", f.Objects, "bytes", f.Bytes)
	})
	if err != nil && ctx.Err() == nil {
		k.log.Warn("checkpoints of finished runs stay", "error", err)
	}
}
