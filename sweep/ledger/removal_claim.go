package ledger

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/topksweep/sweep/storage"
)

// ErrRemoving says that a sweep is being removed. To readers it is not there.
var ErrRemoving = fmt.Errorf("the sweep is being removed: %w", storage.ErrNotFound)

// errBusy says that somebody else removes sweeps.
var errBusy = errors.New("somebody else removes sweeps")

// RemovalOptions say how a removal, or whoever waits for one, goes about it.
type RemovalOptions struct {
	By      string                      // who removes, for people
	Renew   time.Duration               // between two renewals of the claim; 0: 5 seconds
	Waits   func(by string)             // is called once when it waits for another removal; nil for none
	Stopped func(context.Context) error // of Remove: returns an error unless nobody trains the sweeps; nil for none

	impatient bool // return errBusy where somebody else removes sweeps
}

// As with the claims of workers: a holder that has left out so many renewals is dead, and who waits looks so often.
const (
	renewEvery     = 5 * time.Second
	missingRenewal = 3
	looksPerRenew  = 5
)

func (o *RemovalOptions) renew() time.Duration {
	if o.Renew > 0 {
		return o.Renew
	}
	return renewEvery
}

// awaitRemoval waits until nobody removes sweeps, and returns the number of the newest claim, 0 if there is none. It
// goes by its own looks alone: a holder whose renewals have not changed for three of them is dead, and fenced off.
func (l *Ledger) awaitRemoval(ctx context.Context, o RemovalOptions) (newest int, err error) {
	c, err := storage.NewCheckpoints(l.store, removalFolder, nil)
	if err != nil {
		return 0, err
	}
	look := o.renew() / looksPerRenew
	var before *storage.Attempt
	var quiet time.Duration // for which looks have seen no change
	var at time.Time        // of the last look
	for {
		now, err := c.NewestClaim(ctx)
		if err != nil || now == nil {
			return 0, err
		}
		if now.Ended != nil {
			return now.Number, nil
		}
		switch {
		case before == nil:
			if o.Waits != nil {
				o.Waits(now.Holder.By)
			}
		case before.Number != now.Number, before.Renewals != now.Renewals:
			if quiet = 0; o.impatient {
				return 0, errBusy
			}
		default: // time in which this process stood still does not count
			quiet += min(time.Since(at), 2*look)
		}
		if quiet >= missingRenewal*o.renew() {
			dead, err := c.ClaimAfter(ctx, now.Number, storage.Holder{By: o.By})
			if err == nil {
				err = dead.End(ctx, storage.End{Why: "it fenced off a removal that was dead"})
			}
			if err != nil && !errors.Is(err, storage.ErrExists) {
				return 0, err
			}
			before, quiet = nil, 0
			continue
		}
		before, at = now, time.Now()
		select {
		case <-ctx.Done():
			return 0, context.Cause(ctx)
		case <-time.After(look):
		}
	}
}

// A removalClaim is the right to remove sweeps. It renews itself until its end.
type removalClaim struct {
	ctx   context.Context // ends when somebody has fenced it off
	store storage.Store
	claim *storage.Claim
	every time.Duration
	end   func()

	mu      sync.Mutex
	renewed time.Time
}

// claimRemoval waits until nobody removes sweeps, and takes the right to do so.
func (l *Ledger) claimRemoval(ctx context.Context, o RemovalOptions) (*removalClaim, error) {
	c, err := storage.NewCheckpoints(l.store, removalFolder, nil)
	if err != nil {
		return nil, err
	}
	out := &removalClaim{store: l.store, every: o.renew()}
	var older storage.Folder
	for out.claim == nil {
		newest, err := l.awaitRemoval(ctx, o)
		if err != nil {
			return nil, err
		}
		if older, err = storage.ListFolder(ctx, l.store, removalFolder); err != nil {
			return nil, err
		}
		out.renewed = time.Now()
		out.claim, err = c.ClaimAfter(ctx, newest, storage.Holder{By: o.By})
		if err != nil && !errors.Is(err, storage.ErrExists) {
			return nil, err
		}
	}
	ctx, cancel := context.WithCancelCause(ctx)
	out.ctx = ctx
	var wg sync.WaitGroup
	wg.Go(func() { out.keep(cancel) })
	out.end = func() {
		cancel(nil)
		wg.Wait()
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), out.every)
		defer cancel()
		_ = out.claim.End(ctx, storage.End{}) // else whoever waits finds it dead
	}
	if _, err := storage.Remove(ctx, l.store, older.Objects); err != nil { // claims of before
		out.end()
		return nil, err
	}
	return out, nil
}

// keep renews the claim until its context ends, and ends that if the claim is lost.
func (c *removalClaim) keep(cancel context.CancelCauseFunc) {
	tick := time.NewTicker(c.every)
	defer tick.Stop()
	for {
		select {
		case <-c.ctx.Done():
			return
		case <-tick.C:
		}
		if err := c.renew(c.ctx); errors.Is(err, storage.ErrFenced) || errors.Is(err, storage.ErrNotFound) {
			cancel(lostRemoval(err))
		}
	}
}

func lostRemoval(err error) error {
	return fmt.Errorf("this process stood still for so long that others went on; run the command again: %w", err)
}

func (c *removalClaim) renew(ctx context.Context) error {
	began := time.Now()
	err := c.claim.Renew(ctx)
	if err == nil {
		c.mu.Lock()
		c.renewed = began
		c.mu.Unlock()
	}
	return err
}

// check returns an error unless others can still see that the holder is alive. It is called before each deletion, so
// that a process that stood still deletes nothing that somebody counts on meanwhile.
func (c *removalClaim) check(ctx context.Context) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	c.mu.Lock()
	since := time.Since(c.renewed)
	c.mu.Unlock()
	if since < 2*c.every {
		return nil
	}
	if err := c.renew(ctx); err != nil {
		return lostRemoval(err)
	}
	return nil
}

// remove removes objects that belong together, the last key first.
func (c *removalClaim) remove(ctx context.Context, group []storage.Object) error {
	if err := c.check(ctx); err != nil {
		return err
	}
	_, err := storage.Remove(ctx, c.store, group)
	return err
}
