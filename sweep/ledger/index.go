package ledger

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/topksweep/sweep/storage"
	"github.com/topksweep/sweep/sweep/plan"
)

// SweepIDs lists the sweeps of the store, the one whose plan was stored last
// first.
func (l *Ledger) SweepIDs(ctx context.Context) ([]string, error) {
	objects, err := l.store.List(ctx, sweepsPrefix)
	if err != nil {
		return nil, err
	}
	at := map[string]time.Time{}
	var ids []string
	for _, o := range objects {
		id, _, ok := headerOfKey(o.Key)
		if !ok {
			continue
		}
		newest, known := at[id]
		if !known {
			ids = append(ids, id)
		}
		if !known || o.Modified.After(newest) {
			at[id] = o.Modified
		}
	}
	slices.SortStableFunc(ids, func(x, y string) int { return at[y].Compare(at[x]) })
	return ids, nil
}

// An UnknownSweepError says that a store has no sweep of an ID or a name.
type UnknownSweepError struct {
	Want  string
	Known []string // IDs of the sweeps that the store has, the newest first
}

func (e *UnknownSweepError) Error() string {
	if len(e.Known) == 0 {
		return fmt.Sprintf("sweep %q: this store holds no sweeps", e.Want)
	}
	shown := e.Known[:min(len(e.Known), 10)]
	return fmt.Sprintf("sweep %q is not in this store; it has %s", e.Want, strings.Join(shown, ", "))
}

// Find reads the plan header of a sweep given by its ID or its name; of several
// with one name it is the newest. The error is an *UnknownSweepError if there is
// none.
func (l *Ledger) Find(ctx context.Context, want string) (*plan.Header, error) {
	ids, err := l.SweepIDs(ctx)
	if err != nil {
		return nil, err
	}
	for _, id := range ids {
		name := id[:max(0, strings.LastIndex(id, "-"))]
		if id == want || name == want {
			return l.Header(ctx, id)
		}
	}
	return nil, &UnknownSweepError{want, ids}
}

// Counts are what a store tells of the runs of one sweep.
type Counts struct {
	Completed int       // runs that have a result
	Failed    int       // runs with a note that they failed
	Notes     int       // runs with a note that they failed or were canceled
	Canceled  int       // runs without result, with a note that they were canceled
	Pending   int       // runs with neither a result nor a note
	Planned   time.Time // when the plan was stored last
}

// Ended returns what a sweep has come to, as far as the store tells: completed, canceled or failed if each of its runs
// has a result or a note, else "".
func (c Counts) Ended() plan.Status {
	switch {
	case c.Pending > 0:
		return ""
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
	noted := map[string]plan.Status{} // by the cell's ID
	for _, o := range objects {
		_, _, isHeader := headerOfKey(o.Key)
		switch {
		case isHeader && o.Modified.After(c.Planned):
			c.Planned = o.Modified
		case strings.HasPrefix(o.Key, failuresPrefix(h.ID)):
			cell := strings.TrimSuffix(strings.TrimPrefix(o.Key, failuresPrefix(h.ID)), ".json")
			note, err := l.Failure(ctx, h.ID, cell)
			if err != nil && !errors.Is(err, storage.ErrNotFound) {
				return c, err
			}
			if note.Status == plan.Failed {
				c.Failed++
			}
			c.Notes++
			noted[cell] = note.Status
		}
	}
	for i := range h.Chunks() {
		cells, err := l.Cells(ctx, h, i)
		if err != nil {
			return c, err
		}
		for _, cell := range cells {
			switch status := noted[cell.ID]; {
			case completed[h.RunID(cell.ID)]:
				c.Completed++
			case status == plan.Canceled:
				c.Canceled++
			case status == "": // also where the note went since it was listed
				c.Pending++
			}
		}
	}
	return c, nil
}
