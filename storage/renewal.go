package storage

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// A Holder says who has a claim. Claims of earlier versions of sweep have none.
type Holder struct {
	By       string `json:"by,omitempty"`       // for people: how the worker names itself
	Activity string `json:"activity,omitempty"` // that the attempt belongs to: its attempts take over from each other
	Alone    bool   `json:"alone,omitempty"`    // nothing else trains in the holder's process
}

// An End says how an attempt ended, if it could say so.
type End struct {
	Fault string `json:"fault,omitempty"` // "" if the end is explained; "unknown" if it counts as a death
	Why   string `json:"why,omitempty"`   // for people
}

// An Attempt is what a store knows of one attempt at a folder: its claim and its renewals.
type Attempt struct {
	Number   int // of the claim
	Holder   Holder
	Renewals int64 // how often it has renewed its claim. A number that changes is a sign of life
	Ended    *End  // nil if it trains, or died, or could not say how it ended
}

// A claimBody is the object of a claim. Earlier versions of sweep look at its key only.
type claimBody struct {
	Version int    `json:"version"`
	Folder  string `json:"stage"`
	Attempt int    `json:"attempt"`
	Holder
}

// A renewal is the object under renewals/: it is replaced by every renewal, and at last by the end.
type renewal struct {
	Version  int    `json:"version"`
	Folder   string `json:"stage"`
	Attempt  int    `json:"attempt"`
	Renewals int64  `json:"renewals"`
	Ended    *End   `json:"ended,omitempty"`
}

const (
	maxClaim     = 64 << 10 // bytes that are read of a claim or a renewal
	maxText      = 4 << 10  // bytes of a text in one
	disownWithin = 5 * time.Second
)

// bound cuts a text that is longer than a claim or a renewal may hold.
func bound(text string) string { return strings.ToValidUTF8(text[:min(len(text), maxText)], "") }

func (h Holder) bounded() Holder { return Holder{bound(h.By), bound(h.Activity), h.Alone} }

// Renew writes that the attempt is alive. It does so only while the claim is the newest:
// the error wraps ErrFenced if there is a newer one, and it is another one if the claim
// is no longer there because the folder was removed. After End it does nothing.
//
// An error that is no fence says nothing about the claim: the attempt may go on.
func (l *Claim) Renew(ctx context.Context) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.ended {
		return nil
	}
	switch newest, err := l.c.newestClaim(ctx); {
	case err != nil:
		return err
	case newest > l.attempt:
		return l.fenced(newest)
	case newest < l.attempt:
		return Wrap("renew", claimKey(l.c.folder, l.attempt), fmt.Errorf("the claim: %w", ErrNotFound))
	}
	l.renewals++ // also if the write fails: it may have had its effect
	return l.write(ctx, nil)
}

// End writes how the attempt ended, also if there is a newer claim. It writes nothing where
// nobody would ask: if the folder was removed with its claims, or if there is a newer claim
// and a checkpoint that is not older than this one. The first end counts.
func (l *Claim) End(ctx context.Context, e End) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.ended {
		return nil
	}
	numbers, err := l.c.claims(ctx)
	if err != nil {
		return err
	}
	asked := slices.Contains(numbers, l.attempt)
	if asked && numbers[len(numbers)-1] > l.attempt {
		saved, err := l.c.newestSaver(ctx)
		if err != nil {
			return err
		}
		asked = saved < l.attempt
	}
	if asked {
		e.Fault, e.Why = bound(e.Fault), bound(e.Why)
		if err := l.write(ctx, &e); err != nil {
			return err
		}
	}
	l.ended = true
	return nil
}

// Remove removes the claim, and returns true, if it was never renewed: where nothing else is in the folder, and nobody
// has claimed it since, the folder is gone with it. A claim that was renewed stays, and has renewals beside it. After
// it is removed, Renew and End do nothing.
func (l *Claim) Remove(ctx context.Context) (removed bool, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.renewals > 0 || l.ended {
		return false, nil
	}
	if err := l.c.store.Delete(ctx, claimKey(l.c.folder, l.attempt)); err != nil {
		return false, err
	}
	l.ended = true
	return true, nil
}

func (l *Claim) write(ctx context.Context, e *End) error {
	return PutJSON(ctx, l.c.store, renewalKey(l.c.folder, l.attempt), renewal{1, l.c.folder, l.attempt, l.renewals, e})
}

// NewestClaim returns what is known of the attempt with the newest claim, which is nil if
// there is none. Whether it is alive shows if its Renewals have changed at a later look.
// A claim or a renewal that is damaged reads as one without a holder, and as none.
func (c *Checkpoints) NewestClaim(ctx context.Context) (*Attempt, error) {
	for {
		newest, err := c.newestClaim(ctx)
		if err != nil || newest == 0 {
			return nil, err
		}
		if a, err := c.attempt(ctx, newest); !errors.Is(err, ErrNotFound) {
			return a, err
		}
		// The folder was removed since the listing.
	}
}

// Attempts returns the attempts whose claims are newer than the attempt that wrote a
// checkpoint last, in ascending order: those that have come to nothing yet.
func (c *Checkpoints) Attempts(ctx context.Context) ([]Attempt, error) {
	// Claims come first: an attempt that saves meanwhile is left out.
	numbers, err := c.claims(ctx)
	if err != nil {
		return nil, err
	}
	saved, err := c.newestSaver(ctx)
	if err != nil {
		return nil, err
	}
	var all []Attempt
	for _, n := range numbers {
		if n <= saved {
			continue
		}
		a, err := c.attempt(ctx, n)
		switch {
		case errors.Is(err, ErrNotFound): // the folder was removed since the listing
		case err != nil:
			return nil, err
		default:
			all = append(all, *a)
		}
	}
	return all, nil
}

// newestSaver returns the newest attempt that has a checkpoint, 0 if none has.
func (c *Checkpoints) newestSaver(ctx context.Context) (attempt int, err error) {
	manifests, err := c.manifests(ctx)
	for _, m := range manifests {
		attempt = max(attempt, m.attempt)
	}
	return attempt, err
}

// attempt reads a claim and its renewals. The error wraps ErrNotFound if there is no such claim.
func (c *Checkpoints) attempt(ctx context.Context, n int) (*Attempt, error) {
	h, err := c.holder(ctx, n)
	if err != nil {
		return nil, err
	}
	a := &Attempt{Number: n, Holder: h}
	key := renewalKey(c.folder, n)
	r, err := Read(ctx, c.store, key, maxClaim, func(b []byte) (renewal, error) { return parseRenewal(b, c.folder, n) })
	switch {
	case errors.Is(err, ErrNotFound): // it has not renewed its claim, or is of an earlier version
	case errors.Is(err, ErrCorrupt):
		c.log.Warn("a damaged renewal of a claim is ignored", "key", key, "error", err)
	case err != nil:
		return nil, err
	default:
		a.Renewals, a.Ended = r.Renewals, r.Ended
	}
	return a, nil
}

// holder reads who has a claim; nobody if it is of an earlier version, or damaged.
func (c *Checkpoints) holder(ctx context.Context, n int) (Holder, error) {
	key := claimKey(c.folder, n)
	h, err := Read(ctx, certain{c.store}, key, maxClaim, func(b []byte) (Holder, error) {
		return parseHolder(b, c.folder, n)
	})
	if errors.Is(err, ErrCorrupt) {
		c.log.Warn("a damaged claim counts as one of nobody", "key", key, "error", err)
		return Holder{}, nil
	}
	return h, err
}

// parseHolder reads a claim. The error wraps ErrCorrupt.
func parseHolder(b []byte, folder string, n int) (Holder, error) {
	body, err := ParseJSON[claimBody](b)
	if err == nil && (body.Folder != folder || body.Attempt != n) {
		err = fmt.Errorf("%w: claim %d of folder %q", ErrCorrupt, body.Attempt, body.Folder)
	}
	if err != nil {
		return Holder{}, err
	}
	return body.Holder, nil
}

// parseRenewal reads a renewal. The error wraps ErrCorrupt.
func parseRenewal(b []byte, folder string, n int) (renewal, error) {
	r, err := ParseJSON[renewal](b)
	if err == nil && (r.Folder != folder || r.Attempt != n || r.Renewals < 0) {
		err = fmt.Errorf("%w: renewal %d of claim %d of folder %q", ErrCorrupt, r.Renewals, r.Attempt, r.Folder)
	}
	if err != nil {
		return renewal{}, err
	}
	return r, nil
}
