package ledger

import (
	"context"
	"errors"
	"time"

	"github.com/topksweep/sweep/storage"
	"github.com/topksweep/sweep/sweep/plan"
	"github.com/topksweep/sweep/trainer"
)

// Names of activations are not part of a run's ID. So sweeps that share a run may name its activations otherwise: those
// of the sweep that was submitted last count.

// SetNames stores the result of a run with other names. A reader sees the one result or the other. It changes nothing
// where the result is gone or damaged.
func (l *Ledger) SetNames(ctx context.Context, run string, names trainer.Names) error {
	r, err := l.Result(ctx, run)
	if errors.Is(err, storage.ErrNotFound) || errors.Is(err, storage.ErrCorrupt) {
		return nil
	}
	if err != nil {
		return err
	}
	r.Names = names
	b, err := sealed(r)
	if err != nil {
		return storage.Wrap("put", ResultKey(run), err)
	}
	return storage.PutBytes(ctx, l.store, ResultKey(run), b)
}

// NamedLater returns the runs that sweeps which were submitted after this one have, and name otherwise. Sweeps whose
// plans are damaged or being removed do not count.
func (l *Ledger) NamedLater(ctx context.Context, h *plan.Header) (map[string]bool, error) {
	all, err := l.sweeps(ctx)
	if err != nil {
		return nil, err
	}
	var own time.Time
	for _, s := range all {
		if s.id == h.ID {
			own = s.submitted()
		}
	}
	runs := map[string]bool{}
	for _, s := range all {
		if s.id == h.ID || s.headers == 0 || s.removing || !s.submitted().After(own) {
			continue
		}
		err := l.noteOtherNames(ctx, s.id, h, runs)
		if err != nil && !errors.Is(err, storage.ErrNotFound) && !errors.Is(err, storage.ErrCorrupt) &&
			!errors.Is(err, ErrRemoving) {
			return nil, err
		}
	}
	return runs, nil
}

// noteOtherNames notes the runs of a sweep that are on data of a plan whose activations it names otherwise.
func (l *Ledger) noteOtherNames(ctx context.Context, sweep string, h *plan.Header, runs map[string]bool) error {
	other, err := l.Header(ctx, sweep)
	if err != nil {
		return err
	}
	otherwise := map[string]bool{} // by name of the other sweep's data set
	for _, s := range other.DataSets() {
		for _, own := range h.DataSets() {
			if s.Info.Fingerprint == own.Info.Fingerprint && !s.Data.Names.Equal(own.Data.Names) {
				otherwise[s.Name] = true
			}
		}
	}
	if len(otherwise) == 0 {
		return nil
	}
	for i := range other.Chunks() {
		cells, err := l.Cells(ctx, other, i)
		if err != nil {
			return err
		}
		for _, c := range cells {
			if otherwise[other.DataOf(c).Name] {
				runs[other.RunID(c.ID)] = true
			}
		}
	}
	return nil
}

// submitted returns when the newest header of a sweep was stored.
func (s *listedSweep) submitted() (at time.Time) {
	for _, o := range s.objects {
		if _, _, ok := headerOfKey(o.Key); ok && o.Modified.After(at) {
			at = o.Modified
		}
	}
	return at
}
