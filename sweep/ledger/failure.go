package ledger

import (
	"context"

	"github.com/topksweep/sweep/storage"
)

// StoreFailure notes why a cell of a sweep has no result: it failed or was
// canceled.
func (l *Ledger) StoreFailure(ctx context.Context, sweep string, note Result) error {
	return storage.PutJSON(ctx, l.store, FailureKey(sweep, note.Cell), note)
}

// Failure reads the note that a cell of a sweep failed or was canceled. The
// error wraps storage.ErrNotFound if there is none.
func (l *Ledger) Failure(ctx context.Context, sweep, cell string) (Result, error) {
	var note Result
	err := storage.GetJSON(ctx, l.store, FailureKey(sweep, cell), &note)
	return note, err
}

// DeleteFailure removes the note on a cell that runs again or has its result. It
// is no error if there is none.
func (l *Ledger) DeleteFailure(ctx context.Context, sweep, cell string) error {
	return l.store.Delete(ctx, FailureKey(sweep, cell))
}
