package storage

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
)

// A Claim is the right of one attempt to write the checkpoints of a folder. It
// lasts until somebody claims the folder again. An attempt whose claim is no
// longer the newest is fenced off: its writes fail with ErrFenced.
//
// An example. Worker A trains a run and stops answering, so worker B takes over:
//
//	A: Claim           writes claims/000001.json
//	A: Save, step 100  there is no newer claim: the checkpoint counts
//	B: Claim           writes claims/000002.json
//	A: Save, step 200  finds claim 2 and stops with ErrFenced
//	B: RestoreAtMost   finds A's checkpoint of step 100 and goes on from there
//
// An attempt renews its claim now and then, and ends it when it returns. So others can
// see whether it is alive: Checkpoints.Newest and Attempts. Many goroutines may use one
// Claim.
type Claim struct {
	c       *Checkpoints
	attempt int

	mu       sync.Mutex
	renewals int64
	ended    bool
}

// Claim takes the folder over: every older claim is fenced off from here on. The
// numbers of claims are the folder's own, because the scheduler's attempt numbers
// start again at 1 when a sweep is submitted again.
func (c *Checkpoints) Claim(ctx context.Context, h Holder) (*Claim, error) {
	newest, err := c.newestClaim(ctx)
	if err != nil {
		return nil, err
	}
	for ; ; newest++ {
		// Another attempt took the number; or this one did, and the answer got
		// lost. A number that nobody uses does no harm.
		if l, err := c.ClaimAfter(ctx, newest, h); !errors.Is(err, ErrExists) {
			return l, err
		}
	}
}

// ClaimAfter takes the folder over from the claim with the number newest (0 if there is
// none), which the caller has looked at. The error wraps ErrExists if somebody has
// claimed the folder since: of several that have looked at the same claim exactly one
// succeeds.
func (c *Checkpoints) ClaimAfter(ctx context.Context, newest int, h Holder) (*Claim, error) {
	attempt := newest + 1
	body := fmt.Appendf(nil, "{\"version\": 1, \"stage\": %q, \"attempt\": %d}\n", c.folder, attempt)
	if h != (Holder{}) {
		var err error
		body, err = marshal(claimBody{Version: 1, Folder: c.folder, Attempt: attempt, Holder: h.bounded()})
		if err != nil {
			return nil, Wrap("claim", claimKey(c.folder, attempt), err)
		}
	}
	l := &Claim{c: c, attempt: attempt}
	if err := PutNew(ctx, c.store, claimKey(c.folder, attempt), body); err != nil {
		l.disown(ctx, h)
		return nil, err
	}
	return l, nil
}

// disown ends a claim that may have been written although its writer got an error: nobody
// will use it, and an attempt that never ended looks like one that died. It ends no claim
// of others. What fails is ignored: the store has failed a moment ago, too.
func (l *Claim) disown(ctx context.Context, h Holder) {
	if h.By == "" {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), disownWithin)
	defer cancel()
	there, err := l.c.holder(ctx, l.attempt)
	if err == nil && there == h.bounded() {
		l.End(ctx, End{Why: "the answer of the store got lost, and nobody uses this claim"})
	}
}

// Attempt returns the claim's number: 1 for the first claim of a folder.
func (l *Claim) Attempt() int { return l.attempt }

// Check returns an error that wraps ErrFenced if there is a newer claim.
func (l *Claim) Check(ctx context.Context) error {
	newest, err := l.c.newestClaim(ctx)
	if err == nil && newest > l.attempt {
		err = l.fenced(newest)
	}
	return err
}

func (l *Claim) fenced(newest int) error {
	return Wrap("write", folderPrefix(l.c.folder), fmt.Errorf("attempt %d is %w %d", l.attempt, ErrFenced, newest))
}

// claims lists the numbers of the folder's claims, in ascending order.
func (c *Checkpoints) claims(ctx context.Context) (numbers []int, err error) {
	prefix := kindPrefix(c.folder, "claims")
	objects, err := c.store.List(ctx, prefix)
	for _, o := range objects {
		if a, ok := parseClaim(strings.TrimPrefix(o.Key, prefix)); ok {
			numbers = append(numbers, a)
		}
	}
	slices.Sort(numbers) // more than six digits do not list in their order
	return numbers, err
}

// newestClaim returns the number of the newest claim, 0 if there is none.
func (c *Checkpoints) newestClaim(ctx context.Context) (int, error) {
	numbers, err := c.claims(ctx)
	if len(numbers) == 0 {
		return 0, err
	}
	return numbers[len(numbers)-1], err
}
