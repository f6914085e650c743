package ledger

import (
	"context"
	"slices"
	"time"

	"github.com/topksweep/sweep/storage"
)

// RemoveFinished removes the checkpoint folders whose runs all have results, if nothing was
// written to them after the time before: the forks that extending a sweep would begin from.
// The folder with the oldest last write goes first, and none goes any more once enough returns
// true. It calls removed with each folder that it has removed.
//
// It is as safe beside everything else as [Ledger.CollectGarbage], and like that removes
// nothing while a plan or a manifest is damaged. It goes slowly, one folder after the other,
// and reads no plan if no folder is old enough.
func (l *Ledger) RemoveFinished(
	ctx context.Context, before time.Time, enough func() bool, removed func(GarbageFolder),
) error {
	folders, err := storage.Folders(ctx, l.store)
	if err != nil {
		return err
	}
	old := func(f storage.Folder) bool { return f.Modified().Before(before) }
	if !slices.ContainsFunc(folders, old) {
		return nil
	}
	g := newCollector(l, before, false)
	if err := g.look(ctx, folders, 1); err != nil {
		return err
	}
	slices.SortStableFunc(folders, func(a, b storage.Folder) int { return a.Modified().Compare(b.Modified()) })
	for _, f := range folders {
		switch {
		case !old(f):
			return nil
		case g.need[f.Name] != finished:
			continue
		case enough():
			return nil
		}
		found, err := g.collect(ctx, f)
		if found.Objects > 0 {
			removed(found)
		}
		if err != nil {
			return err
		}
	}
	return nil
}
