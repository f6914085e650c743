package ledger

import (
	"context"
	"errors"
	"fmt"

	"github.com/topksweep/sweep/storage"
)

// BesideRemovals calls put, which stores or extends the plan of a sweep, so that a removal at the same time takes
// nothing away that the plan counts on. Sweeps share results. A removal makes its claim, then reads the plans, then
// deletes what none refers to. Whoever stores a plan does the opposite:
//
//	store the plan        a removal that reads plans later leaves alone what this one refers to
//	look for a claim      a removal that read them before shows its claim: wait until it has ended
//	start the workflow    what has a result now keeps it
//
// put is called again if the plan itself was removed meanwhile. A removal of this sweep that was killed is brought to
// its end first.
func (l *Ledger) BesideRemovals(ctx context.Context, sweep string, o RemovalOptions, put func() error) error {
	for range maxTries {
		before, err := l.awaitRemoval(ctx, o)
		if err != nil {
			return err
		}
		if _, removing, err := l.listHeaders(ctx, sweep); err != nil {
			return err
		} else if removing {
			if _, err := l.Remove(ctx, []string{sweep}, o); err != nil {
				return err
			}
			continue
		}
		putErr := put()
		after, err := l.awaitRemoval(ctx, o)
		if err != nil {
			return err
		}
		if errors.Is(putErr, ErrRemoving) {
			continue // a removal has begun and ended, or is dead
		}
		if before == after || putErr != nil && !errors.Is(putErr, storage.ErrNotFound) {
			return putErr
		}
		whole, err := l.isWhole(ctx, sweep)
		if err != nil {
			return err
		}
		if whole && putErr == nil {
			return nil
		}
		if !whole { // a header was written between the deletions of its removal
			if _, err := l.Remove(ctx, []string{sweep}, o); err != nil {
				return err
			}
		}
	}
	return fmt.Errorf("store sweep %s: it was removed %d times meanwhile: try again", sweep, maxTries)
}

// Settled waits until nobody removes sweeps, and returns an error that wraps storage.ErrNotFound if this one is gone
// then. Whoever has started the workflow of a sweep asks: a removal that looked for the workflow before did not find
// it.
func (l *Ledger) Settled(ctx context.Context, sweep string, o RemovalOptions) error {
	if _, err := l.awaitRemoval(ctx, o); err != nil {
		return err
	}
	_, err := l.Header(ctx, sweep)
	return err
}

// isWhole reports whether a sweep has its plan, with all of its objects.
func (l *Ledger) isWhole(ctx context.Context, sweep string) (bool, error) {
	h, err := l.Header(ctx, sweep)
	if errors.Is(err, storage.ErrNotFound) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	objects, err := l.store.List(ctx, sweepsPrefix+sweep+"/")
	if err != nil {
		return false, err
	}
	there := map[string]bool{}
	for _, o := range objects {
		there[o.Key] = true
	}
	for _, p := range piecesOf(h, 0, h.CellCount) {
		if !there[p.key] {
			return false, nil
		}
	}
	for i := range h.TreeChunks {
		if key, _ := treesKeyOf(h, i); !there[key] {
			return false, nil
		}
	}
	return true, nil
}
