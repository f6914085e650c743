package ledger

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/topksweep/sweep/storage"
	"github.com/topksweep/sweep/sweep/grid"
	"github.com/topksweep/sweep/sweep/plan"
)

// An ExtendError says that a plan cannot be extended by another one.
type ExtendError struct{ Err error }

func (e *ExtendError) Error() string { return e.Err.Error() }
func (e *ExtendError) Unwrap() error { return e.Err }

// An Extended is what Extend did.
type Extended struct {
	Plan  *plan.Plan // as it is stored now, with its cells; without the trees of before
	Added int        // cells
	Key   string     // of the grid that added them; "" if none was added
}

// Extend adds the cells of another plan, which src is the grid of, to a stored one that does not have them. It may be
// called by several processes at once, and each may be killed at any moment: of a cell that several add there is one,
// and a cell keeps its number once a header has it. What was read is changed since, so it is read and extended again.
// The error is an *ExtendError if the plans do not go together.
func (l *Ledger) Extend(ctx context.Context, sweep string, add *plan.Plan, src []byte) (done Extended, err error) {
	err = l.change(ctx, sweep, func(cur current, unsound error) (*plan.Header, error) {
		if cur.header == nil {
			return nil, unsound
		}
		whole, err := l.planOf(ctx, cur.header)
		if err != nil {
			return nil, err
		}
		added, err := whole.Extend(add)
		if err != nil {
			return nil, &ExtendError{err}
		}
		done = Extended{Plan: whole, Added: added}
		if added == 0 {
			return nil, nil
		}
		h, err := l.next(ctx, cur, whole, src)
		if err == nil {
			last := h.Parts[len(h.Parts)-1]
			done.Key = PartExtensionKey(sweep, h.CellCount-last.Cells, last.Name)
		}
		return h, err
	})
	if err != nil {
		return Extended{}, err
	}
	return done, nil
}

// StoreExtension stores a plan to which cells were added since it was read. cells is how many it had
// then; src is the grid.yaml that the new ones come from. The error says so if the plan has changed since. Extend reads
// it again then.
func (l *Ledger) StoreExtension(ctx context.Context, p *plan.Plan, cells int, src []byte) error {
	return l.change(ctx, p.ID, func(cur current, _ error) (*plan.Header, error) {
		if cur.header != nil && cur.header.CellCount != cells {
			return nil, fmt.Errorf("store the extension of %s: %w since it was read: read it again", p.ID, errChanged)
		}
		return l.next(ctx, cur, p, src)
	})
}

// An Extension is a grid by which a sweep was extended.
type Extension struct {
	Cells int    // that the sweep had before
	Grid  []byte // the file; empty if it is damaged or gone
	Key   string // of the file
}

// Extensions reads the grids by which a sweep was extended, the first one first. A grid that was stored for an
// extension that never came to be is left out.
func (l *Ledger) Extensions(ctx context.Context, h *plan.Header) ([]Extension, error) {
	objects, err := l.store.List(ctx, sweepsPrefix+h.ID+"/"+extensionFile)
	if err != nil {
		return nil, err
	}
	parts := map[string]bool{} // the keys of those of the parts
	first := h.StoredParts()[0].Cells
	before := first
	for _, part := range h.StoredParts()[1:] {
		parts[PartExtensionKey(h.ID, before, part.Name)] = true
		before += part.Cells
	}
	var out []Extension
	for _, o := range objects {
		number, _, _ := strings.Cut(strings.TrimPrefix(o.Key, sweepsPrefix+h.ID+"/"+extensionFile), "-")
		cells, err := strconv.Atoi(strings.TrimSuffix(number, ".yaml"))
		earlier := o.Key == ExtensionKey(h.ID, cells) && cells >= 0 && cells < first // in the first part
		if err != nil || !earlier && !parts[o.Key] {
			continue
		}
		src, err := storage.ReadWhole(ctx, l.store, o.Key, grid.MaxBytes)
		if errors.Is(err, storage.ErrCorrupt) || errors.Is(err, storage.ErrNotFound) {
			src, err = nil, nil
		}
		if err != nil {
			return nil, fmt.Errorf("extensions of %s: %w", h.ID, err)
		}
		out = append(out, Extension{cells, src, o.Key})
	}
	slices.SortFunc(out, func(a, b Extension) int { return a.Cells - b.Cells })
	return out, nil
}
