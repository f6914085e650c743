package ledger

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/topksweep/sweep/storage"
	"github.com/topksweep/sweep/sweep/grid"
	"github.com/topksweep/sweep/sweep/plan"
)

// eachCell calls do for the cells that a plan may need, as a listing of its sweep shows them: while a sweep is being
// extended there are more objects of cells than its header names, and an earlier version adds cells to objects that are
// there. What they need is needed too. completed is what CompletedRuns returned. It is for whoever removes what no plan
// needs: the error wraps storage.ErrCorrupt if what the plan needs is not known.
func (l *Ledger) eachCell(ctx context.Context, h *plan.Header, s *listedSweep, completed map[string]bool,
	do func(grid.Cell)) error {

	named, there := map[string]bool{}, 0
	for _, p := range piecesOf(h, 0, h.CellCount) {
		named[p.key] = true
		cells, err := storage.Read(ctx, l.store, p.key, maxObject, decodeChunk)
		if err != nil {
			return err
		}
		there += min(len(cells), p.stored)
		for i, c := range cells {
			// If one bit of an ID is wrong, what is stored under it seems to be nobody's.
			if !completed[h.RunID(c.ID)] && !h.Identifies(c) && i < p.to {
				return fmt.Errorf("%w: cell %s has other settings than its ID says: damaged, or of another version of sweep; "+
					"submit the grid of sweep %s again, or remove that sweep",
					storage.Wrap("get", p.key, storage.ErrCorrupt), c.ID, s.id)
			}
			do(c)
		}
	}
	if there < h.CellCount {
		err := fmt.Errorf("%w: sweep %s with %d cells, of which %d are there", storage.ErrCorrupt, s.id, h.CellCount, there)
		return storage.Wrap("get", headerKey(s.id, h.Number), err)
	}
	return l.eachUnnamedCell(ctx, s, named, do)
}

// eachUnnamedCell calls do for the cells of the objects of a sweep that are not among those named. Damaged objects are
// passed over: whoever extends a sweep stores whole objects.
func (l *Ledger) eachUnnamedCell(ctx context.Context, s *listedSweep, named map[string]bool, do func(grid.Cell)) error {
	for _, o := range s.objects {
		if named[o.Key] || !strings.HasPrefix(o.Key, sweepsPrefix+s.id+"/"+chunkFile) {
			continue
		}
		cells, err := storage.Read(ctx, l.store, o.Key, maxObject, decodeChunk)
		if errors.Is(err, storage.ErrCorrupt) {
			continue
		}
		if err != nil {
			return err
		}
		for _, c := range cells {
			do(c)
		}
	}
	return nil
}

// unlessRemoved returns nil if a plan that could not be read is being removed, or gone. Else it returns what a person
// reads who removes something.
func (l *Ledger) unlessRemoved(ctx context.Context, sweep string, err error) error {
	if errors.Is(err, storage.ErrNotFound) {
		numbers, removing, listErr := l.listHeaders(ctx, sweep)
		if listErr != nil {
			return listErr
		}
		if removing || len(numbers) == 0 {
			return nil
		}
	}
	return fmt.Errorf("nothing is removed, for what this plan needs is not known: %w", err)
}

// references are what plans refer to, and for each a sweep that does.
type references struct {
	runs         map[string]string // with their results, models and checkpoint folders of their own
	trajectories map[string]string // that runs share
	inits        map[string]string // by their hashes
}

func newReferences() references {
	return references{map[string]string{}, map[string]string{}, map[string]string{}}
}

// note notes what a cell of a plan refers to. Of several sweeps the first that is noted is kept.
func (r references) note(h *plan.Header, c grid.Cell) {
	set := func(m map[string]string, key string) {
		if _, known := m[key]; !known && key != "" {
			m[key] = h.ID
		}
	}
	set(r.runs, h.RunID(c.ID))
	set(r.inits, c.Config.Init)
	for _, t := range h.Trajectories(c)[1:] {
		set(r.trajectories, t)
	}
}

// folder returns a sweep that refers to a checkpoint folder, or "".
func (r references) folder(name string) string {
	if by, ok := r.runs[name]; ok {
		return by
	}
	return r.trajectories[plan.TrajectoryOf(name)]
}
