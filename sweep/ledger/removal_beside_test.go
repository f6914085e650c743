package ledger

import (
	"context"
	"errors"
	"io"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/topksweep/sweep/storage"
	"github.com/topksweep/sweep/storage/storagetest"
	"github.com/topksweep/sweep/sweep/plan"
)

// A pausedStore stands still from its n-th operation on, until it is told to go on. With beforeDeletions false it does
// not begin to stand still at a deletion.
type pausedStore struct {
	storage.Store
	left            atomic.Int64
	paused, goOn    chan struct{}
	beforeDeletions bool
}

func newPausedStore(s storage.Store, n int) *pausedStore {
	p := &pausedStore{Store: s, paused: make(chan struct{}), goOn: make(chan struct{})}
	p.left.Store(int64(n))
	return p
}

func (p *pausedStore) step(deletion bool) {
	if deletion && !p.beforeDeletions && p.left.Load() > 0 {
		return
	}
	n := p.left.Add(-1)
	if n == 0 {
		close(p.paused)
	}
	if n <= 0 {
		<-p.goOn
	}
}

func (p *pausedStore) Put(ctx context.Context, key string, body io.ReaderAt, size int64) error {
	p.step(false)
	return p.Store.Put(ctx, key, body, size)
}

func (p *pausedStore) PutNew(ctx context.Context, key string, data []byte) error {
	p.step(false)
	return storage.PutNew(ctx, p.Store, key, data)
}

func (p *pausedStore) Get(ctx context.Context, key string) (io.ReadCloser, error) {
	p.step(false)
	return p.Store.Get(ctx, key)
}

func (p *pausedStore) List(ctx context.Context, prefix string) ([]storage.Object, error) {
	p.step(false)
	return p.Store.List(ctx, prefix)
}

func (p *pausedStore) Delete(ctx context.Context, key string) error {
	p.step(true)
	return p.Store.Delete(ctx, key)
}

// A rival is what another process does while a sweep is removed. It returns the plan that it counts on, or nil.
type rival struct {
	what string
	do   func(s storage.Store, gone, stays *plan.Plan, runs *atomic.Bool) (*plan.Plan, error)
}

// errRuns is what a removal is told of a sweep that runs.
var errRuns = errors.New("the sweep runs")

func rivals(t *testing.T) []rival {
	ctx := context.Background()
	submit := func(s storage.Store, p *plan.Plan) (*plan.Plan, error) {
		return p, New(s).BesideRemovals(ctx, p.ID, RemovalOptions{}, func() error {
			_, _, err := New(s).Submit(ctx, p, []byte(tinyGrid))
			return err
		})
	}
	shares := strings.Replace(widened("[2, 9]"), "name: tiny", "name: third", 1)
	return []rival{
		{"submit of a plan that shares a run", func(s storage.Store, _, _ *plan.Plan, _ *atomic.Bool) (*plan.Plan, error) {
			return submit(s, planOf(t, shares))
		}},
		{"submit of the same sweep", func(s storage.Store, gone, _ *plan.Plan, runs *atomic.Bool) (*plan.Plan, error) {
			p, err := submit(s, planOf(t, tinyGrid))
			if err != nil {
				return nil, err
			}
			runs.Store(true) // it starts the workflow
			err = New(s).Settled(ctx, gone.ID, RemovalOptions{})
			if errors.Is(err, storage.ErrNotFound) { // it ends the workflow, and says so
				return nil, nil
			}
			return p, err
		}},
		{"extend", func(s storage.Store, _, stays *plan.Plan, _ *atomic.Bool) (p *plan.Plan, err error) {
			err = New(s).BesideRemovals(ctx, stays.ID, RemovalOptions{}, func() error {
				done, err := New(s).Extend(ctx, stays.ID, planOf(t, shares), []byte(shares))
				p = done.Plan
				return err
			})
			return p, err
		}},
		{"removal of the same sweep", func(s storage.Store, gone, _ *plan.Plan, _ *atomic.Bool) (*plan.Plan, error) {
			_, err := remove(s, gone.ID)
			return nil, err
		}},
		{"garbage", func(s storage.Store, _, _ *plan.Plan, _ *atomic.Bool) (*plan.Plan, error) {
			_, err := New(s).CollectGarbage(ctx, farAhead(), false)
			return nil, err
		}},
	}
}

// A sweep is removed. Before each operation of that, another process comes and does something, as far as it gets; then
// the removal goes on. What the other one counts on when it is done is never taken away.
func TestRemoveBeside(t *testing.T) { testRemoveBeside(t, false) }

// The same where the removal stands still for so long that others take it for dead. It may then do no harm.
func TestRemoveBesideWhileStopped(t *testing.T) { testRemoveBeside(t, true) }

func testRemoveBeside(t *testing.T, stopped bool) {
	for _, r := range rivals(t) {
		t.Run(r.what, func(t *testing.T) {
			t.Parallel()
			for n := 1; removeBeside(t, r, n, stopped); n++ {
				if t.Failed() {
					t.Fatalf("the other process came before operation %d", n)
				}
			}
		})
	}
}

// removeBeside returns false if the removal has fewer than n operations.
func removeBeside(t *testing.T, r rival, n int, stopped bool) (more bool) {
	s := storagetest.NewMemory()
	gone, stays := fillShared(t, s)
	own := newPausedStore(s, n)
	own.beforeDeletions = !stopped // nobody can take back a deletion that is under way
	var runs atomic.Bool           // the workflow of the sweep that is removed
	var counted *plan.Plan
	var there []string // results that the rival counts on
	synctest.Test(t, func(t *testing.T) {
		own.paused, own.goOn = make(chan struct{}), make(chan struct{})
		removed := make(chan error, 1)
		go func() {
			_, err := New(own).Remove(context.Background(), []string{gone.ID}, RemovalOptions{
				Stopped: func(context.Context) error {
					if runs.Load() {
						return errRuns
					}
					return nil
				},
			})
			removed <- err
		}()
		select {
		case <-own.paused:
			more = true
		case err := <-removed:
			if err != nil {
				t.Error(err)
			}
			return
		}
		done := make(chan error, 1)
		go func() {
			var err error
			counted, err = r.do(s, gone, stays, &runs)
			for i := 0; counted != nil && i < len(counted.Cells); i++ {
				run := counted.RunID(counted.Cells[i].ID)
				if _, err := New(s).Result(context.Background(), run); err == nil {
					there = append(there, run)
				}
			}
			done <- err
		}()
		if stopped {
			time.Sleep(time.Minute)
		}
		synctest.Wait()
		close(own.goOn)
		if err := <-done; err != nil {
			t.Errorf("%s: %v", r.what, err)
		}
		if err := <-removed; err != nil && !errors.Is(err, errRuns) && (!stopped || !errors.Is(err, storage.ErrFenced) &&
			!errors.Is(err, storage.ErrNotFound)) {
			t.Errorf("removal: %v", err)
		}
	})
	if !more {
		return false
	}
	wantKept(t, s, stays)
	wantListed(t, s, gone, stays)
	if counted != nil {
		if whole, err := New(s).isWhole(t.Context(), counted.ID); err != nil || !whole {
			t.Errorf("the plan of %s is whole: %v, %v", counted.ID, whole, err)
		}
		for _, run := range there {
			if _, err := New(s).Result(t.Context(), run); err != nil {
				t.Errorf("it counted on a result: %v", err)
			}
		}
	}
	return true
}
