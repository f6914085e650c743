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

// An Extension is a grid by which a sweep was extended.
type Extension struct {
	Cells int    // that the sweep had before
	Grid  []byte // the file; empty if it is damaged or gone
}

// Extensions reads the grids by which a sweep was extended, the first one first. A grid that was stored for an
// extension that never came to be is left out.
func (l *Ledger) Extensions(ctx context.Context, h *plan.Header) ([]Extension, error) {
	objects, err := l.store.List(ctx, sweepsPrefix+h.ID+"/"+extensionFile)
	if err != nil {
		return nil, err
	}
	var out []Extension
	for _, o := range objects {
		number := strings.TrimPrefix(o.Key, sweepsPrefix+h.ID+"/"+extensionFile)
		cells, err := strconv.Atoi(strings.TrimSuffix(number, ".yaml"))
		if err != nil || o.Key != ExtensionKey(h.ID, cells) || cells < 0 || cells >= h.CellCount {
			continue
		}
		src, err := storage.ReadWhole(ctx, l.store, o.Key, grid.MaxBytes)
		if errors.Is(err, storage.ErrCorrupt) || errors.Is(err, storage.ErrNotFound) {
			src, err = nil, nil
		}
		if err != nil {
			return nil, fmt.Errorf("extensions of %s: %w", h.ID, err)
		}
		out = append(out, Extension{cells, src})
	}
	slices.SortFunc(out, func(a, b Extension) int { return a.Cells - b.Cells })
	return out, nil
}
