package activities

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"sync/atomic"
	"time"

	"go.temporal.io/sdk/activity"

	"github.com/topksweep/sweep/storage"
	"github.com/topksweep/sweep/sweep/plan"
	"github.com/topksweep/sweep/trainer"
	"github.com/topksweep/sweep/trainer/data"
)

// An openSet is a data set that all runs of a worker read from.
type openSet struct {
	ready chan struct{} // closed when set or err is there
	set   *data.Set
	err   error

	read, bytes atomic.Int64 // how far it is read for its fingerprint
}

// attemptData is the data of one attempt at a stage or an evaluation.
type attemptData struct {
	*data.Set
	since int64  // Generation of the set when the attempt began
	drop  func() // makes later attempts open the data anew
	watch *watch
}

// Batch implements trainer.Batches.
func (d *attemptData) Batch(seed, step int64, x []float32) error {
	defer d.watch.move()
	return d.Set.Batch(seed, step, x)
}

// Eval implements trainer.HeldOut.
func (d *attemptData) Eval(row int64, x []float32) error {
	defer d.watch.move()
	return d.Set.Eval(row, x)
}

// Dataset implements trainer.Batches.
func (d *attemptData) Dataset() trainer.Dataset { return watchedRows{d.Set, d.watch} }

// watchedRows are the rows of a set, whose reads count as progress.
type watchedRows struct {
	*data.Set
	watch *watch
}

func (r watchedRows) ReadStored(rows []int64, x []byte) error {
	defer r.watch.move()
	return r.Set.ReadStored(rows, x)
}

// verify fails if the rows that the attempt has read may be others than those of the
// plan, since a shard was written to. It is called before anything that the attempt
// computed from the rows is stored. The error wraps ErrDataChanged if the content is
// other than planned now, and data.ErrTouched if it is the same again: then the attempt
// is to be repeated from the last checkpoint.
func (d *attemptData) verify(ctx context.Context) error {
	err := d.Verify(counted(ctx), d.since)
	if errors.Is(err, data.ErrChanged) {
		d.drop()
		return fmt.Errorf("%w: %w", ErrDataChanged, err)
	}
	return err
}

// explain returns err, with what verify says behind it: rows that were written to are the
// reason of a NaN, or of a shard that is cut short. After a failed read later attempts
// open the data anew: of a file that was replaced, the old one may be gone. They do not
// where a file is away: nobody can open it now, and verify waits until it is back.
func (d *attemptData) explain(ctx context.Context, err error) error {
	var failed *data.ReadError
	if errors.As(err, &failed) {
		if !errors.Is(failed, fs.ErrNotExist) && !errors.Is(failed, fs.ErrPermission) {
			d.drop()
		}
		return err
	}
	if errors.Is(err, ErrDataChanged) || errors.Is(err, data.ErrTouched) {
		return err // verify has said it
	}
	var numeric *trainer.NumericError
	if errors.Is(err, data.ErrBad) || errors.As(err, &numeric) {
		if changed := d.verify(ctx); changed != nil {
			return fmt.Errorf("%w: %w", err, changed)
		}
	}
	return err
}

// data opens what a run trains on, once for all runs on this worker that do. Reading all
// rows of it may take long: progress shows how far that is, and a worker that is to stop
// does not wait for it. The error wraps ErrDataChanged if it is not the data of the plan.
func (a *Activities) data(ctx context.Context, r *run, progress *progress) (*attemptData, error) {
	s, err := a.openOnce(ctx, r, progress)
	if err != nil {
		return nil, err
	}
	d := &attemptData{s.set, s.set.Generation(), func() { a.dropData(r, s) }, watchOf(ctx)}
	err = d.verify(ctx) // the files may have changed since they were opened
	if errors.Is(err, data.ErrTouched) {
		d.since, err = s.set.Generation(), nil // this attempt has read nothing yet
	}
	return d, err
}

// openOnce opens a data set unless it is open, and waits until it is.
func (a *Activities) openOnce(ctx context.Context, r *run, progress *progress) (*openSet, error) {
	want := r.trainsOn().Info.Fingerprint
	a.mu.Lock()
	s := a.sets[want]
	if s == nil {
		s = &openSet{ready: make(chan struct{})}
		a.sets[want] = s
		go func() {
			defer close(s.ready)
			s.set, s.err = a.openData(r, s)
		}()
	}
	a.mu.Unlock()
	opened, err := s.wait(ctx, a.beat, progress)
	if opened && err != nil {
		a.dropData(r, s)
	}
	return s, err
}

// wait waits until the set is open or its opening has failed, and notes how far it is
// read. It returns early, with opened false, if the activity or the worker is to stop.
func (s *openSet) wait(ctx context.Context, every time.Duration, progress *progress) (opened bool, err error) {
	tick := time.NewTicker(every)
	defer tick.Stop()
	var before int64
	for {
		select {
		case <-s.ready: // also where the worker is to stop: what is in work may need it
			return true, s.err
		default:
		}
		select {
		case <-s.ready:
			return true, s.err
		case <-ctx.Done():
			return false, context.Cause(ctx)
		case <-activity.GetWorkerStopChannel(ctx):
			return false, ErrStopping
		case <-tick.C:
			if read := s.read.Load(); read != before {
				before = read
				watchOf(ctx).move()
			}
			if bytes := s.bytes.Load(); bytes > 0 {
				progress.doing(fmt.Sprintf("reading the data, %d%%", 100*s.read.Load()/bytes))
			}
		}
	}
}

// openData opens the data of a run and compares it with what was planned.
func (a *Activities) openData(r *run, s *openSet) (*data.Set, error) {
	planned := r.trainsOn()
	options := a.Data
	options.Progress = func(read, bytes int64) {
		s.read.Store(read)
		s.bytes.Store(bytes)
	}
	set, err := data.Open(a.ctx, planned.Data, options)
	switch {
	case err == nil:
	case errors.Is(err, data.ErrBad) && !errors.Is(err, data.ErrMissing):
		return nil, storage.Mark(err, errOtherData)
	default:
		return nil, a.away(planned, err)
	}
	got := set.Info().Fingerprint
	if r.header.SemanticsVersion() < 2 {
		got, err = set.FingerprintV1(a.ctx)
	}
	if err == nil && got != planned.Info.Fingerprint {
		err = fmt.Errorf("%w: its fingerprint is %s, planned was %s; submit the grid again",
			ErrDataChanged, got, planned.Info.Fingerprint)
	}
	if err == nil { // the passes over the rows while they were opened have all read the same
		err = set.Verify(a.ctx, set.Generation())
	}
	if err != nil {
		return nil, errors.Join(err, set.Close())
	}
	a.mu.Lock()
	a.opened[planned.Info.Fingerprint] = true
	a.mu.Unlock()
	return set, nil
}

// away turns an error of opening the data of a plan into that of a failed read if they are
// not there, and this worker has had them open before: they may come back, as those of a
// file system that is mounted again.
func (a *Activities) away(planned plan.DataSet, err error) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if !errors.Is(err, data.ErrMissing) || !a.opened[planned.Info.Fingerprint] {
		return err
	}
	file := planned.Data.Source
	if data.OfEvalSource(err) {
		file = planned.Data.EvalSource
	}
	return &data.ReadError{File: file, Offset: -1,
		Err: fmt.Errorf("it was there before; is its file system mounted? %v", err)} // not %w: it is not bad data
}

// dropData makes the next attempt open the data of a run anew. By then the plan may say
// that it lies elsewhere. Other runs may still read from s: it stays open.
func (a *Activities) dropData(r *run, s *openSet) {
	a.forget(r.header.ID)
	fingerprint := r.trainsOn().Info.Fingerprint
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.sets[fingerprint] == s {
		delete(a.sets, fingerprint)
		if s.set != nil {
			a.dropped = append(a.dropped, s.set)
		}
	}
}

// Close closes the data sets that are open, also those that were not to be used any more, and stops opening others. One
// whose opening hangs is left after a while, and so are all if an attempt hangs, which may read from one.
func (a *Activities) Close() error {
	a.cancel()
	a.mu.Lock()
	sets, dropped := a.sets, a.dropped
	a.sets, a.dropped = map[string]*openSet{}, nil
	a.mu.Unlock() // who opens a set needs the lock before it is ready
	if a.hasLost() {
		return nil
	}
	var errs []error
	for _, set := range dropped {
		errs = append(errs, set.Close())
	}
	late := time.NewTimer(a.grace())
	defer late.Stop()
	for _, s := range sets {
		select {
		case <-s.ready:
		case <-late.C:
			a.log.Warn("data that hang while they are opened are left")
			return errors.Join(errs...)
		}
		if s.set != nil {
			errs = append(errs, s.set.Close())
		}
	}
	return errors.Join(errs...)
}
