package activities

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/topksweep/sweep/storage"
	"github.com/topksweep/sweep/storage/storagetest"
	"github.com/topksweep/sweep/trainer"
)

// quickly makes the worker's looks short. Renewals of its own claims come as often.
func (w *testWorker) quickly(activity string) *testWorker {
	w.renew = 10 * time.Millisecond
	w.Worker = "worker of " + activity
	w.activityOf = func(context.Context) string { return activity }
	return w
}

// A rival has claimed the folder of cell 1 for another sweep.
func (w *testWorker) rival() *storage.Claim {
	w.Helper()
	l, err := w.checkpoints().Claim(w.Context(), storage.Holder{By: "7@rival", Activity: "other"})
	if err != nil {
		w.Fatal(err)
	}
	return l
}

// onRead is a store that calls a function before each read of a renewal.
type onRead struct {
	storage.Store
	call func()
}

func (s onRead) Get(ctx context.Context, key string) (io.ReadCloser, error) {
	if strings.Contains(key, "/renewals/") {
		s.call()
	}
	return s.Store.Get(ctx, key)
}

func (s onRead) PutNew(ctx context.Context, key string, data []byte) error {
	return storage.PutNew(ctx, s.Store, key, data)
}

// As long as a rival renews its claim, attempts at its stage and its evaluation wait for it, and claim nothing.
func TestRivalAlive(t *testing.T) {
	for _, evaluates := range []bool{false, true} {
		store := openDir(t)
		w := submit(t, store, makePlan(t, nil))
		if evaluates {
			if err := w.train(); err != nil {
				t.Fatal(err)
			}
		}
		l := w.rival()
		looks := 0
		w = newWorker(t, onRead{store, func() {
			looks++
			if err := l.Renew(t.Context()); err != nil {
				t.Error(err)
			}
		}}, w.plan).quickly("mine")
		do := w.train
		if evaluates {
			do = w.evaluate
		}
		for range 3 {
			err := do()
			wantType(t, err, "HeldElsewhere", true)
			if err == nil || !strings.Contains(err.Error(), "waiting for 7@rival, which trains this for another sweep") {
				t.Errorf("error %v does not name the rival", err)
			}
		}
		if looks > 4 { // two in the first attempt, one in each later one
			t.Errorf("%d looks: the worker forgets what it has seen", looks)
		}
		if err := l.Check(t.Context()); err != nil {
			t.Errorf("the rival: %v", err)
		}
		if err := l.End(t.Context(), storage.End{}); err != nil {
			t.Fatal(err)
		}
		w.store = store
		w.finish()
		wantSame(t, "the model", w.model(), undisturbedModel(t))
	}
}

// A rival that has stopped renewing its claim is gone; so is one of an earlier version, which never does.
func TestRivalGone(t *testing.T) {
	want := undisturbedModel(t)
	for name, h := range map[string]storage.Holder{
		"dead": {By: "7@rival", Activity: "other"}, "earlier version": {}, "same activity": {By: "7@rival", Activity: "mine"},
	} {
		store := openDir(t)
		p := makePlan(t, nil)
		w := submit(t, store, p).quickly("mine")
		if h.Activity != "other" {
			w.renew = time.Hour // nothing is waited for
		}
		l, err := w.checkpoints().Claim(t.Context(), h)
		if err != nil {
			t.Fatal(err)
		}
		w.finish()
		wantSame(t, name+": the model", w.model(), want)
		if err := l.Check(t.Context()); err != nil { // the folder is gone with its run
			t.Errorf("%s: %v", name, err)
		}
	}
}

// Of several attempts that come to one folder at once one trains, and the others claim nothing.
func TestManyRivals(t *testing.T) {
	const rivals = 4
	store := openDir(t)
	p := makePlan(t, nil)
	first := submit(t, store, p)
	var claims, waiting atomic.Int64
	hold := make(chan struct{})
	storagetest.Parallel(t, rivals, rivals, func(i int) error {
		w := newWorker(t, store, p).quickly(fmt.Sprint(i))
		w.renew = time.Hour // whoever holds the claim is waited for
		w.hooks.before = func(step int64) {
			if step == 0 {
				claims.Add(1)
				<-hold
			}
		}
		k := w.claiming(t.Context(), w.checkpoints(), w.id(), func(string) {})
		k.looked = true // all have looked before any claimed
		if _, err := k.take(t.Context()); errors.Is(err, ErrElsewhere) {
			if waiting.Add(1) == rivals-1 {
				close(hold)
			}
			return nil
		} else if err != nil {
			return err
		}
		<-hold
		k.end(t.Context(), nil, nil)
		return nil
	})
	if n := len(keys(t, store, "stages/"+first.id()+"/claims/")); n != 1 || waiting.Load() != rivals-1 {
		t.Errorf("%d claims and %d that wait, want 1 and %d", n, waiting.Load(), rivals-1)
	}
}

// The end of an attempt says whether it is explained.
func TestEndOfClaim(t *testing.T) {
	canceled, cancel := context.WithCancel(t.Context())
	cancel()
	for _, c := range []struct {
		ctx   context.Context
		err   error
		fault string
	}{
		{t.Context(), nil, ""},
		{t.Context(), ErrStopping, ""},
		{t.Context(), &trainer.NumericError{Step: 3, What: "NaN"}, ""},
		{t.Context(), storage.Wrap("get", "x", errors.New("connection refused")), ""},
		{canceled, context.Canceled, ""},
		{t.Context(), errors.New("cuda: an illegal memory access"), "unknown"},
		{t.Context(), panicError{value: "a bug"}, "unknown"},
	} {
		if e := endOf(c.ctx, c.err, nil); e.Fault != c.fault || e.Why == "" {
			t.Errorf("%v: %+v, want the fault %q", c.err, e, c.fault)
		}
	}
}

// Attempts leave an end for every way in which they return, and a store that takes none does them no harm.
func TestAttemptsEnd(t *testing.T) {
	p := makePlan(t, nil)
	store := openDir(t)
	w := submit(t, store, p)
	trainUntil(t, store, p, 5)
	a, err := w.checkpoints().NewestClaim(t.Context())
	if err != nil || a == nil || a.Ended == nil || a.Ended.Fault != "" {
		t.Errorf("stopped: %+v, %v", a, err)
	}
	w.hooks.before = func(step int64) {
		if step == 7 {
			panic("a bug")
		}
	}
	if err := w.train(); err == nil {
		t.Error("the panic is lost")
	}
	a, err = w.checkpoints().NewestClaim(t.Context())
	if err != nil || a == nil || a.Ended == nil || a.Ended.Fault != "unknown" {
		t.Errorf("after a panic: %+v, %v", a, err)
	}

	full := newWorker(t, noRenewals{store}, p).quickly("full")
	full.store = store
	full.finish()
	wantSame(t, "the model", full.model(), undisturbedModel(t))
}

// noRenewals is a store that takes no renewal.
type noRenewals struct{ storage.Store }

func (s noRenewals) Put(ctx context.Context, key string, body io.ReaderAt, size int64) error {
	if strings.Contains(key, "/renewals/") {
		return storage.Wrap("put", key, storage.ErrNoSpace)
	}
	return s.Store.Put(ctx, key, body, size)
}

func (s noRenewals) PutNew(ctx context.Context, key string, data []byte) error {
	return storage.PutNew(ctx, s.Store, key, data)
}

// What nobody has looked at proves nothing: time between looks counts only as far as they lie apart.
func TestSightsCountLooksOnly(t *testing.T) {
	var s sights
	rival := &storage.Attempt{Number: 1, Holder: storage.Holder{By: "7@rival"}}
	const renew = time.Hour
	if got := s.see("f", rival, renew); got != unknown {
		t.Errorf("the first look: %v", got)
	}
	for _, past := range []time.Duration{1000 * renew, -1000 * renew} { // the store was silent, or a clock is set back
		v := s.seen["f"]
		v.at = v.at.Add(-past)
		s.seen["f"] = v
		if got := s.see("f", rival, renew); got != unknown {
			t.Errorf("after %v without a look: %v, want unknown", past, got)
		}
	}
	for range 20 { // looks that lie a fifth of a renewal apart
		v := s.seen["f"]
		v.at = time.Now().Add(-renew / looksPerRenew)
		s.seen["f"] = v
		s.see("f", rival, renew)
	}
	if got := s.see("f", rival, renew); got != dead {
		t.Errorf("after four renewals without a change: %v, want dead", got)
	}
	rival.Renewals++
	if got := s.see("f", rival, renew); got != alive {
		t.Errorf("after a change: %v, want alive", got)
	}
}
