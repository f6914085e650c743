package ledger

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/topksweep/sweep/storage"
	"github.com/topksweep/sweep/sweep/plan"
)

// SweepIDs lists the sweeps of the store, the one that was created last first. A sweep is created when the first of its
// objects is stored: what comes later, as an extension, does not move it. Sweeps that are being removed are left out.
func (l *Ledger) SweepIDs(ctx context.Context) ([]string, error) {
	all, err := l.sweeps(ctx)
	var ids []string
	for _, s := range all {
		if s.headers > 0 && !s.removing {
			ids = append(ids, s.id)
		}
	}
	return ids, err
}

// Created returns when a sweep was created.
func (l *Ledger) Created(ctx context.Context, sweep string) (time.Time, error) {
	objects, err := l.store.List(ctx, sweepsPrefix+sweep+"/")
	return oldest(objects), err
}

// oldest returns when the oldest of some objects was stored, the zero time if there are none.
func oldest(objects []storage.Object) (at time.Time) {
	for _, o := range objects {
		if at.IsZero() || o.Modified.Before(at) {
			at = o.Modified
		}
	}
	return at
}

// A listedSweep is what a listing shows of one sweep.
type listedSweep struct {
	id       string
	objects  []storage.Object
	headers  int  // of its plan
	removing bool // it is being removed
}

// sweeps lists what lies under the sweeps of the store, those that were created last first.
func (l *Ledger) sweeps(ctx context.Context) ([]*listedSweep, error) {
	objects, err := l.store.List(ctx, sweepsPrefix)
	if err != nil {
		return nil, err
	}
	var all []*listedSweep
	byID := map[string]*listedSweep{}
	for _, o := range objects {
		id, file, ok := strings.Cut(strings.TrimPrefix(o.Key, sweepsPrefix), "/")
		if !ok {
			continue
		}
		s := byID[id]
		if s == nil {
			s = &listedSweep{id: id}
			byID[id], all = s, append(all, s)
		}
		s.objects = append(s.objects, o)
		if _, _, ok := headerOfKey(o.Key); ok {
			s.headers++
		}
		s.removing = s.removing || file == removingFile
	}
	slices.SortStableFunc(all, func(x, y *listedSweep) int { return oldest(y.objects).Compare(oldest(x.objects)) })
	return all, nil
}

// Counts are what a store tells of the runs of one sweep.
type Counts struct {
	Completed int       // runs that have a result
	Failed    int       // runs with a note that they failed
	Notes     int       // runs with a note that they failed or were canceled
	Canceled  int       // runs without result, with a note that they were canceled
	Pending   int       // runs with neither a result nor a note
	Planned   time.Time // when the plan was stored last
	Created   time.Time // when the first of the sweep's objects was stored

	asWhole bool // notes say that the sweep was canceled as a whole
}

// canceledBefore is plan.SweepCanceled as earlier versions wrote it.
const canceledBefore = "canceled"

// Ended returns what a sweep has come to, as far as the store tells: completed, canceled or failed if each of its runs
// has a result or a note, else "". As its workflow does, a sweep of which runs failed ends as failed, also if others
// were canceled one by one or stopped for that, but not if it was canceled as a whole.
func (c Counts) Ended() plan.Status {
	switch {
	case c.Pending > 0:
		return ""
	case c.Failed > 0 && !c.asWhole:
		return plan.Failed
	case c.Canceled > 0:
		return plan.Canceled
	case c.Failed > 0:
		return plan.Failed
	}
	return plan.Completed
}

// Count counts the runs of a sweep; completed is what CompletedRuns returned.
func (l *Ledger) Count(ctx context.Context, h *plan.Header, completed map[string]bool) (c Counts, err error) {
	objects, err := l.store.List(ctx, sweepsPrefix+h.ID+"/")
	if err != nil {
		return c, err
	}
	var cells []string // with a note
	c.Created = oldest(objects)
	for _, o := range objects {
		_, _, isHeader := headerOfKey(o.Key)
		switch {
		case isHeader && o.Modified.After(c.Planned):
			c.Planned = o.Modified
		case strings.HasPrefix(o.Key, failuresPrefix(h.ID)):
			cells = append(cells, strings.TrimSuffix(strings.TrimPrefix(o.Key, failuresPrefix(h.ID)), ".json"))
		}
	}
	noted, err := l.countNotes(ctx, h.ID, cells, &c)
	if err != nil {
		return c, err
	}
	var mu sync.Mutex
	err = each(ctx, numbers(h.Chunks()), chunksAtOnce, func(ctx context.Context, i int) error {
		ids, err := l.cellIDs(ctx, h, i)
		mu.Lock()
		defer mu.Unlock()
		for _, id := range ids {
			switch status := noted[id]; {
			case completed[h.RunID(id)]:
				c.Completed++
			case status == plan.Canceled:
				c.Canceled++
			case status == "": // also where the note went since it was listed
				c.Pending++
			}
		}
		return err
	})
	return c, err
}

// countNotes reads the notes on cells, several at a time, and counts them. It returns the statuses, by the cells' IDs.
func (l *Ledger) countNotes(ctx context.Context, sweep string, cells []string, c *Counts) (
	noted map[string]plan.Status, err error) {

	noted = map[string]plan.Status{}
	var mu sync.Mutex
	return noted, each(ctx, cells, notesAtATime, func(ctx context.Context, cell string) error {
		note, err := l.Failure(ctx, sweep, cell)
		if err != nil && !errors.Is(err, storage.ErrNotFound) {
			return err
		}
		mu.Lock()
		defer mu.Unlock()
		if note.Status == plan.Failed {
			c.Failed++
		}
		c.asWhole = c.asWhole || note.Error == plan.SweepCanceled || note.Error == canceledBefore
		c.Notes++
		noted[cell] = note.Status
		return nil
	})
}

// cellIDs reads the IDs of one chunk of cells.
func (l *Ledger) cellIDs(ctx context.Context, h *plan.Header, chunk int) (ids []string, err error) {
	type cell struct {
		ID string `json:"id"`
	}
	from := chunk * plan.ChunkSize
	for _, p := range piecesOf(h, from, min(from+plan.ChunkSize, h.CellCount)) {
		cells, err := storage.Read(ctx, l.store, p.key, maxObject, func(b []byte) ([]cell, error) {
			cells, err := storage.ParseJSON[[]cell](b)
			if err == nil && len(cells) < p.stored {
				err = fmt.Errorf("%w: %d cells of %d", storage.ErrCorrupt, len(cells), p.stored)
			}
			return cells, err
		})
		if err != nil {
			return nil, err
		}
		for _, c := range cells[p.from:p.to] {
			ids = append(ids, c.ID)
		}
	}
	return ids, nil
}
