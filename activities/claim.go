package activities

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"time"

	"go.temporal.io/sdk/activity"

	"github.com/topksweep/sweep/storage"
)

// ErrElsewhere is returned where another sweep's attempt, which is alive, has the checkpoint folder: the slot is to
// train something that nobody has.
var ErrElsewhere = errors.New("trained for another sweep")

const (
	renewEvery     = 5 * time.Second  // between two renewals of a claim
	missingRenewal = 3                // a holder that has left out so many is dead
	looksPerRenew  = 5                // of whoever waits
	endWithin      = 10 * time.Second // for the end of a claim. The slot waits for it
)

// A claiming is how one attempt comes to the claim of a checkpoint folder, and what becomes of the claim:
//
//	look   waits until nobody else alive has the folder; before data is opened and memory taken
//	take   claims the folder, and renews the claim beside training
//	end    says in the store how the attempt ended
//
// Attempts of one activity take over from each other at once: the server gives an activity to one attempt at a time.
// Others must show that they are alive, by renewals that change: a clock that machines share is not needed.
type claiming struct {
	a           *Activities
	checkpoints *storage.Checkpoints
	folder      string
	holder      storage.Holder
	doing       func(string) // tells people what the attempt does

	looked bool
	newest int // number of the claim that look has found free, 0 for none

	claim  *storage.Claim // nil before take
	taken  time.Time      // when that was
	stop   func()         // ends the renewals; nil if none are made
	fenced chan error     // gets the fence that a renewal has found

	suspected bool         // attempts before died: it trains alone until its first new checkpoint
	step      func() int64 // that it has come to; nil before it trains
}

// claiming returns how an attempt is to claim a folder.
func (a *Activities) claiming(
	ctx context.Context, c *storage.Checkpoints, folder string, doing func(string),
) *claiming {
	return &claiming{
		a: a, checkpoints: c, folder: folder, holder: a.holder(ctx), doing: doing, fenced: make(chan error, 1),
	}
}

// holder says who the attempt is.
func (a *Activities) holder(ctx context.Context) storage.Holder {
	return storage.Holder{By: a.Worker, Activity: a.activityOf(ctx), Alone: a.Slots == 1}
}

// activityOf names an activity: all its attempts have the name, and nothing else has it.
func activityOf(ctx context.Context) string {
	info := activity.GetInfo(ctx)
	return fmt.Sprintf("%s/%s/%s", info.WorkflowExecution.ID, info.WorkflowExecution.RunID, info.ActivityID)
}

// look waits until it is known whether the folder may be claimed. The error wraps ErrElsewhere if another activity's
// attempt, which is alive, has it. That takes up to three renewals, and less if this worker has looked before.
func (k *claiming) look(ctx context.Context) error {
	for {
		rival, err := k.checkpoints.NewestClaim(ctx)
		if err != nil {
			return fmt.Errorf("look who has %s: %w", k.folder, err)
		}
		if k.isFree(rival) {
			k.looked, k.newest = true, 0
			if rival != nil {
				k.newest = rival.Number
			}
			return nil
		}
		switch k.a.sights.see(k.folder, rival, k.a.renew) {
		case alive:
			return elsewhere(rival)
		case dead:
			k.a.logOf(ctx).Info("who has claimed a folder is gone",
				"folder", k.folder, "by", rival.Holder.By, "claim", rival.Number)
			k.looked, k.newest = true, rival.Number
			return nil
		}
		k.doing("looking whether " + rival.Holder.By + " still trains this")
		if err := k.pause(ctx); err != nil {
			return err
		}
	}
}

// pause returns when it is time for another look.
func (k *claiming) pause(ctx context.Context) error {
	defer watchOf(ctx).wait()()
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-time.After(k.a.renew / looksPerRenew):
		return nil
	}
}

func elsewhere(rival *storage.Attempt) error {
	return fmt.Errorf("waiting for %s, which trains this for another sweep (claim %d): %w",
		rival.Holder.By, rival.Number, ErrElsewhere)
}

// isFree says that a folder may be claimed without waiting. Claims of earlier versions of sweep are never renewed, so
// that waiting would show nothing.
func (k *claiming) isFree(rival *storage.Attempt) bool {
	return rival == nil || rival.Ended != nil || rival.Holder.By == "" || rival.Holder.Activity == k.holder.Activity
}

// take claims the folder and begins to renew the claim. The error wraps ErrElsewhere if somebody else has claimed it
// since look.
func (k *claiming) take(ctx context.Context) (*storage.Claim, error) {
	if !k.looked {
		if err := k.look(ctx); err != nil {
			return nil, err
		}
	}
	for {
		claim, err := k.checkpoints.ClaimAfter(ctx, k.newest, k.holder)
		if err == nil {
			k.claim, k.taken = claim, time.Now()
			k.a.sights.hold(k.folder, claim.Attempt())
			k.renewals(ctx)
			return claim, nil
		}
		if !errors.Is(err, storage.ErrExists) {
			return nil, err
		}
		rival, err := k.checkpoints.NewestClaim(ctx)
		switch {
		case err != nil:
			return nil, fmt.Errorf("look who has %s: %w", k.folder, err)
		case !k.isFree(rival):
			return nil, elsewhere(rival) // it has just begun, so it is alive
		case rival == nil: // the folder was removed meanwhile
			k.newest = 0
		default:
			k.newest = rival.Number
		}
	}
}

// renewals renews the claim at regular intervals until halt is called, also while the attempt saves its state because
// it is canceled. For an attempt that hangs and is given up they end the claim.
func (k *claiming) renewals(ctx context.Context) {
	gone := watchOf(ctx).goneChannel()
	ctx, cancel := context.WithCancel(unwatched(context.WithoutCancel(ctx)))
	done := make(chan struct{})
	k.stop = func() { cancel(); <-done }
	go func() {
		defer close(done)
		tick := time.NewTicker(k.a.renew)
		defer tick.Stop()
		failed := false
		for {
			select {
			case <-ctx.Done():
				return
			case <-gone:
				k.noteEnd(ctx, storage.End{Why: ErrStuck.Error() + ", it hung"})
				return
			case <-tick.C:
			}
			err := k.renewOnce(ctx)
			switch {
			case err == nil:
				failed = false
			case errors.Is(err, storage.ErrFenced):
				k.fenced <- err
				return
			case !failed && ctx.Err() == nil: // training goes on: the next one may succeed
				failed = true
				k.a.logOf(ctx).Warn("a claim is not renewed, another sweep may take the run over", "folder", k.folder, "error", err)
			}
		}
	}()
}

func (k *claiming) renewOnce(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, missingRenewal*k.a.renew)
	defer cancel()
	return k.claim.Renew(ctx)
}

// lost returns an error that wraps storage.ErrFenced if a renewal has found a newer claim.
func (k *claiming) lost() error {
	select {
	case err := <-k.fenced:
		k.fenced <- err // for the next call
		return err
	default:
		return nil
	}
}

// halt ends the renewals: the folder is about to be removed, or the attempt ends.
func (k *claiming) halt() {
	if k.stop != nil {
		k.stop()
		k.stop = nil
	}
}

// end ends the renewals and says in the store how the attempt ended: with err, or with a panic, p, that recover has
// returned. It returns the error of the attempt. Of an attempt that has no claim it says nothing; k may be nil.
func (k *claiming) end(ctx context.Context, err error, p any) error {
	if p != nil {
		err = panicError{p, debug.Stack()}
	}
	if k == nil || k.claim == nil {
		return err
	}
	k.halt()
	k.noteEnd(unwatched(context.WithoutCancel(ctx)), endOf(ctx, err, k.step))
	return err
}

// noteEnd says in the store how the attempt ended. If the store does not take that in time, this goes on beside other
// work: a claim without an end looks like a death. The first end counts.
func (k *claiming) noteEnd(ctx context.Context, end storage.End) {
	k.a.sights.release(k.folder, k.claim.Attempt(), end)
	err := k.endOnce(ctx, end)
	if err == nil {
		return
	}
	k.a.logOf(ctx).Warn("the end of a claim is not stored yet",
		"folder", k.folder, "claim", k.claim.Attempt(), "error", err)
	go func() {
		for k.a.ctx.Err() == nil {
			select {
			case <-k.a.ctx.Done():
			case <-time.After(k.a.renew):
				if k.endOnce(k.a.ctx, end) == nil {
					return
				}
			}
		}
	}()
}

func (k *claiming) endOnce(ctx context.Context, e storage.End) error {
	ctx, cancel := context.WithTimeout(ctx, endWithin)
	defer cancel()
	err := k.claim.End(ctx, e)
	if err == nil {
		k.a.sights.forget(k.folder, k.claim.Attempt())
	}
	return err
}
