package ledger

import (
	"context"
	"fmt"
	"reflect"
	"slices"

	"github.com/topksweep/sweep/sweep/plan"
)

// A Follower reads a sweep again and again. Of what it has read once it reads only what a listing shows to be new. It
// is for one goroutine.
type Follower struct {
	l     *Ledger
	sweep string
	plan  *plan.Plan
	seen  map[string]followed // by the cell's ID
}

// A followed is what a cell has come to, and what the listing said of the object that tells it.
type followed struct {
	object string // "" for none
	result Result
}

// Follow returns a Follower of a sweep, given by its ID.
func (l *Ledger) Follow(sweep string) *Follower {
	return &Follower{l: l, sweep: sweep, seen: map[string]followed{}}
}

// Read returns the plan with its trees, and what each cell has come to, as Results and CountAuxK do. Neither may be
// changed. The error wraps storage.ErrNotFound if the store does not have the sweep.
func (f *Follower) Read(ctx context.Context) (*plan.Plan, []Result, error) {
	h, err := f.l.Header(ctx, f.sweep)
	if err != nil {
		return nil, nil, err
	}
	if err := f.readPlan(ctx, h); err != nil {
		return nil, nil, err
	}
	objects := map[string]string{}
	for _, prefix := range []string{resultsPrefix, failuresPrefix(f.sweep)} {
		list, err := f.l.store.List(ctx, prefix)
		if err != nil {
			return nil, nil, err
		}
		for _, o := range list {
			objects[o.Key] = fmt.Sprintf("%s %d %d", o.Key, o.Size, o.Modified.UnixNano())
		}
	}
	out := make([]Result, len(f.plan.Cells))
	for i, c := range f.plan.Cells {
		object := objects[ResultKey(h.RunID(c.ID))] + objects[FailureKey(f.sweep, c.ID)]
		was, ok := f.seen[c.ID]
		if !ok || was.object != object {
			r, _, err := f.l.outcome(ctx, h, c)
			one := []Result{r}
			if err == nil {
				err = f.l.CountAuxK(ctx, one)
			}
			if err != nil {
				return nil, nil, err
			}
			was = followed{object, one[0]}
			f.seen[c.ID] = was
		}
		out[i] = was.result
	}
	return f.plan, out, nil
}

// readPlan reads cells and trees, unless those of an equal header are there.
func (f *Follower) readPlan(ctx context.Context, h *plan.Header) error {
	if f.plan != nil && reflect.DeepEqual(f.plan.StoredParts(), h.StoredParts()) && slices.Equal(f.plan.Axes, h.Axes) {
		f.plan.Header = *h
		return nil
	}
	p, err := f.l.planOf(ctx, h)
	if err != nil {
		return err
	}
	for i := range p.TreeChunks {
		trees, err := f.l.TreesOf(ctx, h, i)
		if err != nil {
			return err
		}
		p.Trees = append(p.Trees, trees...)
	}
	f.plan = p
	return nil
}
