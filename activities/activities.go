package activities

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"go.temporal.io/sdk/activity"

	"github.com/topksweep/sweep/storage"
	"github.com/topksweep/sweep/sweep/grid"
	"github.com/topksweep/sweep/sweep/ledger"
	"github.com/topksweep/sweep/sweep/plan"
	"github.com/topksweep/sweep/sweep/protocol"
	"github.com/topksweep/sweep/trainer"
	"github.com/topksweep/sweep/trainer/data"
)

// Activities are the activities of one worker. They are used by many goroutines.
type Activities struct {
	store   storage.Store
	backend trainer.Backend
	log     *slog.Logger
	memory  memory
	now     func() time.Time
	beat    time.Duration // how often a worker says that it is alive and how far it is

	mu      sync.Mutex
	headers map[string]*plan.Header // by sweep
	sets    map[string]*openSet     // by fingerprint
}

// An openSet is a data set that all runs of a worker read from.
type openSet struct {
	once sync.Once
	set  *data.Set
	err  error
}

// New returns the activities of a worker that trains on backend and keeps
// everything in store.
func New(store storage.Store, backend trainer.Backend, log *slog.Logger) *Activities {
	return &Activities{
		store: store, backend: backend, log: log,
		memory: memory{capacity: hostCapacity}, now: time.Now, beat: time.Second,
		headers: map[string]*plan.Header{}, sets: map[string]*openSet{},
	}
}

// Close closes the data that is open.
func (a *Activities) Close() error {
	a.mu.Lock()
	defer a.mu.Unlock()
	var errs []error
	for key, s := range a.sets {
		if s.set != nil {
			errs = append(errs, s.set.Close())
		}
		delete(a.sets, key)
	}
	return errors.Join(errs...)
}

// Registry is what activities are registered with: a Temporal worker.
type Registry interface {
	RegisterActivityWithOptions(a any, o activity.RegisterOptions)
}

// RegisterLight registers the activities of sweep.Queue.
func (a *Activities) RegisterLight(r Registry) {
	register(r, protocol.ActivityPrepare, a.Prepare)
	register(r, protocol.ActivityFail, a.RecordFailure)
	register(r, protocol.ActivityCollect, a.Collect)
}

// RegisterTraining registers the activities of sweep.TrainQueue.
func (a *Activities) RegisterTraining(r Registry) {
	register(r, protocol.ActivityTrain, a.TrainStage)
	register(r, protocol.ActivityEval, a.Evaluate)
}

func register(r Registry, name string, fn any) {
	r.RegisterActivityWithOptions(fn, activity.RegisterOptions{Name: name})
}

// A run is one cell's training as an activity meets it.
type run struct {
	id     string // names its objects in the store
	header *plan.Header
	cell   grid.Cell
}

// load reads a run that is to be trained or evaluated.
func (a *Activities) load(ctx context.Context, ref protocol.CellRef) (*run, error) {
	r, err := a.find(ctx, ref)
	if err == nil && !r.genuine() { // misread, perhaps
		a.forget(ref.Sweep)
		r, err = a.find(ctx, ref)
	}
	if err != nil {
		return nil, err
	}
	if !r.genuine() {
		return nil, fmt.Errorf("%w: cell %s of %s has other settings than its ID says: its plan is damaged, or of another version of sweep; submit the grid again", ErrConfig, r.cell.ID, ref.Sweep)
	}
	if errs := r.cell.Config.Validate(); len(errs) > 0 {
		return nil, fmt.Errorf("%w: cell %s: %w", ErrConfig, r.cell.ID, errs[0])
	}
	return r, nil
}

// genuine says that the run trains what its ID names.
func (r *run) genuine() bool {
	return grid.CellID(r.cell.Config, r.header.Info.Fingerprint) == r.cell.ID
}

// find reads a run whatever its settings.
func (a *Activities) find(ctx context.Context, ref protocol.CellRef) (*run, error) {
	header, err := a.header(ctx, ref.Sweep)
	if err != nil {
		return nil, err
	}
	cells, err := a.chunk(ctx, ref.Sweep, ref.Cell/plan.ChunkSize)
	if err != nil {
		return nil, err
	}
	i := ref.Cell % plan.ChunkSize
	if i < 0 || i >= len(cells) {
		return nil, fmt.Errorf("%w: the stored plan of %s has no cell %d", ErrConfig, ref.Sweep, ref.Cell)
	}
	return &run{id: header.RunID(cells[i].ID), header: header, cell: cells[i]}, nil
}

// plan reads a sweep's plan header. What training reads of it never changes, but
// for where the data lies.
func (a *Activities) header(ctx context.Context, id string) (*plan.Header, error) {
	a.mu.Lock()
	p := a.headers[id]
	a.mu.Unlock()
	if p != nil {
		return p, nil
	}
	p = new(plan.Header)
	err := storage.GetJSON(ctx, a.store, ledger.PlanKey(id), p)
	if errors.Is(err, storage.ErrNotFound) {
		return nil, fmt.Errorf("%w of %s: hand grids to the store that the workers use (--store); %w", ErrNoPlan, id, err)
	}
	if err != nil {
		return nil, err
	}
	a.mu.Lock()
	a.headers[id] = p
	a.mu.Unlock()
	return p, nil
}

// forget lets the plan header of a sweep be read again: it was misread, or is
// not what it was.
func (a *Activities) forget(id string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	delete(a.headers, id)
}

func (a *Activities) chunk(ctx context.Context, id string, chunk int) ([]grid.Cell, error) {
	return ReadChunk(ctx, a.store, id, chunk)
}

// data opens what a sweep trains on, once for all its runs on this worker.
func (a *Activities) data(ctx context.Context, header *plan.Header) (*data.Set, error) {
	want := header.Info.Fingerprint
	a.mu.Lock()
	s := a.sets[want]
	if s == nil {
		s = new(openSet)
		a.sets[want] = s
	}
	a.mu.Unlock()
	s.once.Do(func() {
		s.set, s.err = data.Open(context.WithoutCancel(ctx), header.Data, data.Options{})
		if s.err == nil && s.set.Info().Fingerprint != want {
			s.err = fmt.Errorf("%w: its fingerprint is %s, planned was %s; submit the grid again", ErrDataChanged, s.set.Info().Fingerprint, want)
			s.set.Close()
			s.set = nil
		}
	})
	if s.err != nil { // the next attempt looks again, perhaps elsewhere
		a.forget(header.ID)
		a.mu.Lock()
		if a.sets[want] == s {
			delete(a.sets, want)
		}
		a.mu.Unlock()
	}
	return s.set, s.err
}

// result reads the result of a run; it is nil if there is none. One that cannot be
// read is removed, and the run is trained again.
func (a *Activities) result(ctx context.Context, id string) (*ledger.Result, error) {
	r, err := readResult(ctx, a.store, id)
	switch {
	case errors.Is(err, storage.ErrCorrupt):
		a.log.Warn("a damaged result is removed", "run", id, "error", err)
		return nil, a.store.Delete(ctx, ledger.ResultKey(id))
	case errors.Is(err, storage.ErrNotFound):
		return nil, nil
	case err != nil:
		return nil, err
	}
	return &r, nil
}
