package ledger

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/topksweep/sweep/storage"
	"github.com/topksweep/sweep/sweep/plan"
)

// maxNote bounds in bytes what is read of a result or of a note.
const maxNote = 16 << 20

// damagedNote is the reason of a failure whose note is damaged.
const damagedNote = "the note in the store that says why is damaged: a retry of the sweep trains the run again"

// StoreFailure notes why a cell of a sweep has no result: it failed or was
// canceled.
func (l *Ledger) StoreFailure(ctx context.Context, sweep string, note Result) error {
	return storage.PutJSON(ctx, l.store, FailureKey(sweep, note.Cell), note)
}

// Failure reads the note that a cell of a sweep failed or was canceled. The
// error wraps storage.ErrNotFound if there is none. A note that is damaged, as
// storage.Read proves it, still tells that the run failed: it reads as a failure whose
// error says so, without a config.
func (l *Ledger) Failure(ctx context.Context, sweep, cell string) (Result, error) {
	note, err := l.note(ctx, sweep, cell)
	if errors.Is(err, storage.ErrCorrupt) {
		return Result{Cell: cell, Status: plan.Failed, Error: damagedNote}, nil
	}
	return note, err
}

// note is Failure, with an error that wraps storage.ErrCorrupt if the note is damaged.
func (l *Ledger) note(ctx context.Context, sweep, cell string) (Result, error) {
	return storage.Read(ctx, l.store, FailureKey(sweep, cell), maxNote, func(b []byte) (Result, error) {
		return parseFailure(b, cell)
	})
}

// parseFailure reads a stored note on a cell. The error wraps storage.ErrCorrupt.
func parseFailure(b []byte, cell string) (Result, error) {
	note, err := storage.ParseJSON[Result](b)
	if err == nil && (note.Cell != cell || note.Status != plan.Failed && note.Status != plan.Canceled) {
		err = fmt.Errorf("%w: a note on cell %q, %s", storage.ErrCorrupt, note.Cell, note.Status)
	}
	return note, err
}

// DeleteFailure removes the note on a cell that runs again or has its result. It
// is no error if there is none.
func (l *Ledger) DeleteFailure(ctx context.Context, sweep, cell string) error {
	return l.store.Delete(ctx, FailureKey(sweep, cell))
}

// NotedCells lists the IDs of the cells of a sweep that have a note that they failed or were canceled. It does not read
// the notes.
func (l *Ledger) NotedCells(ctx context.Context, sweep string) (map[string]bool, error) {
	objects, err := l.store.List(ctx, failuresPrefix(sweep))
	if err != nil {
		return nil, err
	}
	cells := make(map[string]bool, len(objects))
	for _, o := range objects {
		cells[strings.TrimSuffix(strings.TrimPrefix(o.Key, failuresPrefix(sweep)), ".json")] = true
	}
	return cells, nil
}
