package activities

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/topksweep/sweep/sweep/plan"
	"github.com/topksweep/sweep/trainer/data"
)

// An openSet is a data set that all runs of a worker read from.
type openSet struct {
	once sync.Once
	set  *data.Set
	err  error
}

// data opens what a sweep trains on, once for all its runs on this worker. The
// error wraps ErrDataChanged if it is not the data of the plan.
func (a *Activities) data(ctx context.Context, h *plan.Header) (*data.Set, error) {
	want := h.Info.Fingerprint
	a.mu.Lock()
	s := a.sets[want]
	if s == nil {
		s = new(openSet)
		a.sets[want] = s
	}
	a.mu.Unlock()
	s.once.Do(func() {
		s.set, s.err = data.Open(context.WithoutCancel(ctx), h.Data, data.Options{Cache: a.DataCache})
		if s.err == nil && s.set.Info().Fingerprint != want {
			s.err = fmt.Errorf("%w: its fingerprint is %s, planned was %s; submit the grid again",
				ErrDataChanged, s.set.Info().Fingerprint, want)
			s.set.Close()
			s.set = nil
		}
	})
	// The next attempt looks again. By then the plan may say that the data lies
	// elsewhere.
	if s.err != nil {
		a.forget(h.ID)
		a.mu.Lock()
		if a.sets[want] == s {
			delete(a.sets, want)
		}
		a.mu.Unlock()
	}
	return s.set, s.err
}

// Close closes the data sets that are open.
func (a *Activities) Close() error {
	a.mu.Lock()
	defer a.mu.Unlock()
	var errs []error
	for fingerprint, s := range a.sets {
		if s.set != nil {
			errs = append(errs, s.set.Close())
		}
		delete(a.sets, fingerprint)
	}
	return errors.Join(errs...)
}
