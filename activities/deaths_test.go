package activities

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"go.temporal.io/sdk/temporal"

	"github.com/topksweep/sweep/storage"
	"github.com/topksweep/sweep/sweep/plan"
	"github.com/topksweep/sweep/sweep/protocol"
	"github.com/topksweep/sweep/trainer"
)

func TestDeathsOf(t *testing.T) {
	gone := func(n int, alone bool) storage.Attempt {
		return storage.Attempt{Number: n, Holder: storage.Holder{By: "7@a", Alone: alone}}
	}
	ended := func(n int, alone bool, fault string) storage.Attempt {
		at := gone(n, alone)
		at.Ended = &storage.End{Fault: fault, Why: "x"}
		return at
	}
	for name, c := range map[string]struct {
		attempts []storage.Attempt
		all      []int
		alone    int
		last     bool
	}{
		"none":      {},
		"gone":      {[]storage.Attempt{gone(4, false), gone(5, true)}, []int{4, 5}, 1, false},
		"explained": {[]storage.Attempt{ended(4, true, ""), ended(5, false, "")}, nil, 0, false},
		"unknown": {
			[]storage.Attempt{ended(4, true, "unknown"), ended(5, false, "unknown")}, []int{4, 5}, 1, false,
		},
		"older version":  {[]storage.Attempt{{Number: 4}, {Number: 5}}, nil, 0, false},
		"of a newer one": {[]storage.Attempt{ended(4, true, "a fault of later")}, nil, 0, false},
		"verdict":        {[]storage.Attempt{gone(4, true), ended(5, false, "died")}, nil, 0, true},
		"after a verdict": {
			[]storage.Attempt{gone(4, true), gone(5, true), ended(6, false, "died"), gone(7, true)}, []int{7}, 1, false,
		},
	} {
		d := deathsOf(c.attempts)
		var all []int
		for _, at := range d.all {
			all = append(all, at.Number)
		}
		if !slices.Equal(all, c.all) || d.alone() != c.alone || d.suspected() != (len(c.all) > 0) ||
			(d.last != nil) != c.last {
			t.Errorf("%s: %v, %d alone, verdict %v", name, all, d.alone(), d.last)
		}
	}
}

// attempts are those of the run of cell 1 since its newest checkpoint.
func (w *testWorker) attempts() []storage.Attempt {
	w.Helper()
	all, err := w.checkpoints().Attempts(w.T.Context())
	if err != nil {
		w.Fatal(err)
	}
	return all
}

// as makes the next attempts those of an activity, as if a sweep were started or retried.
func (w *testWorker) as(activity string) {
	w.activityOf = func(context.Context) string { return activity }
}

// An attempt that ends for a reason that nobody knows is tried again, alone after the first one. After three of them
// alone the stage fails with the reason of each, and so it does if it is asked again. A later activity counts afresh,
// and goes on to the same model when nothing happens any more.
func TestDies(t *testing.T) {
	want := undisturbedModel(t)
	odd := errors.New("odd <|&> é\nsecond line")
	boom := func() error { panic("boom\nsecond line") }
	for name, c := range map[string]struct {
		breaks   func(w *testWorker)
		evaluate bool
		why      string
	}{
		"panics in a step": {func(w *testWorker) {
			w.hooks.before = func(step int64) {
				if step == 7 {
					boom()
				}
			}
		}, false, "at step 7: panic: boom"},
		"panics in New": {func(w *testWorker) { w.backend = &broken{w.hooks, boom, nil} }, false, "panic: boom"},
		"panics in Save": {func(w *testWorker) {
			w.backend = &broken{w.hooks, nil, boom}
		}, false, "at step 40: panic: boom"},
		"odd error of New": {func(w *testWorker) {
			w.backend = &broken{w.hooks, func() error { return odd }, nil}
		}, false, "odd <|&> é"},
		"odd error of Save": {func(w *testWorker) {
			w.backend = &broken{w.hooks, nil, func() error { return odd }}
		}, false, "odd <|&> é"},
		"broken device": {func(w *testWorker) {
			w.backend = &broken{w.hooks, func() error { return fmt.Errorf("GPU 3: %w", trainer.ErrBroken) }, nil}
		}, false, "GPU 3: " + trainer.ErrBroken.Error()},
		"panics in evaluation": {func(w *testWorker) { w.hooks.encode = func() { boom() } }, true, "panic: boom"},
		"odd error in evaluation": {func(w *testWorker) {
			w.backend = &broken{w.hooks, func() error { return odd }, nil}
		}, true, "odd <|&> é"},
	} {
		w := submit(t, openDir(t), makePlan(t, nil))
		do := w.train
		if c.evaluate {
			if err := w.train(); err != nil {
				t.Fatal(err)
			}
			do = w.evaluate
		}
		first := len(keys(t, w.store, "stages/"+w.id()+"/claims/"))
		good := w.backend
		w.Worker, w.Slots = "4711@host (cpu, 3 slots)", 3
		c.breaks(w)
		for i := range 1 + maxDeaths {
			err := do()
			var app *temporal.ApplicationError
			if errors.As(err, &app) && app.NonRetryable() || err == nil {
				t.Errorf("%s: attempt %d ended with %v", name, i+1, err)
			}
			all := w.attempts()
			last := all[len(all)-1]
			if e := last.Ended; e == nil || e.Fault != faultUnknown || !strings.Contains(e.Why, c.why) ||
				strings.Contains(e.Why, "second") {
				t.Errorf("%s: attempt %d ended %+v", name, i+1, e)
			}
			if last.Holder.Alone != (i > 0) {
				t.Errorf("%s: attempt %d alone %v", name, i+1, last.Holder.Alone)
			}
		}
		if left := w.memory.Reserved(); left != 0 {
			t.Errorf("%s: %d bytes stay reserved", name, left)
		}
		w.hooks.before, w.hooks.encode, w.backend = func(int64) { t.Errorf("%s: trained", name) }, nil, good
		for range 2 {
			err := do()
			wantType(t, err, "Died", false)
			for n := range 1 + maxDeaths {
				if text := fmt.Sprintf("attempt %d by 4711@host", first+n+1); strings.Count(err.Error(), text) != 1 {
					t.Errorf("%s: %q is not named in: %v", name, text, err)
				}
			}
			if strings.Count(err.Error(), c.why) != 1+maxDeaths || strings.Count(err.Error(), "died:") != 1 {
				t.Errorf("%s: %v", name, err)
			}
		}
		if n := len(keys(t, w.store, "stages/"+w.id()+"/claims/")); n != first+1+maxDeaths+1 {
			t.Errorf("%s: %d claims", name, n)
		}
		w.as("a retry")
		w.hooks.before = nil
		if err := do(); err != nil {
			t.Errorf("%s: retried: %v", name, err)
		}
		w.finish()
		wantSame(t, name+": the model", w.model(), want)
	}
}

// What is explained is no death: the attempts after it are not suspected.
func TestExplainedEnds(t *testing.T) {
	for name, err := range map[string]error{
		"memory":  fmt.Errorf("%w: x", trainer.ErrBusy),
		"store":   storage.Wrap("get", "x", errors.New("connection refused")),
		"timeout": fmt.Errorf("put x: %w", context.DeadlineExceeded),
		"stop":    ErrStopping,
	} {
		w := submit(t, openDir(t), makePlan(t, nil))
		w.Observer, w.memoryWait.holding = lives{w.Worker, "another"}, 0 // which has the memory that is taken here
		good := w.backend
		for _, doing := range []string{"training", "evaluation"} {
			do := w.train
			if doing == "evaluation" {
				if err := w.train(); err != nil {
					t.Fatal(err)
				}
				do = w.evaluate
			}
			w.backend = &broken{w.hooks, func() error { return err }, nil}
			for range 2 * maxDeaths {
				got := do()
				var app *temporal.ApplicationError
				if got == nil || errors.As(got, &app) && app.NonRetryable() {
					t.Errorf("%s, %s: %v", name, doing, got)
				}
			}
			for _, at := range w.attempts() {
				if at.Ended == nil || at.Ended.Fault != "" || at.Holder.Alone {
					t.Errorf("%s, %s: %+v, %+v", name, doing, at, at.Ended)
				}
			}
			w.backend = good
		}
		w.finish()
	}
}

// dies makes an attempt whose process is gone: it claims the run's folder, and nothing more.
func (w *testWorker) dies(alone bool) {
	w.Helper()
	by := storage.Holder{By: "1@gone (cpu, 3 slots)", Activity: "one that ended with its process", Alone: alone}
	if _, err := w.checkpoints().Claim(w.T.Context(), by); err != nil {
		w.Fatal(err)
	}
	w.renew = 20 * time.Millisecond // whoever looks at the claim soon knows that it is dead
}

// Three deaths on one host do not tell whether the stage or the host is at fault. So a worker of another host tries it
// once more, where one lives. If it dies there too, it fails.
func TestDeathsOnOneHost(t *testing.T) {
	died := func(w *testWorker, by string) {
		holder := storage.Holder{By: by, Activity: w.activityOf(t.Context()), Alone: true}
		if _, err := w.checkpoints().Claim(t.Context(), holder); err != nil {
			t.Fatal(err)
		}
	}
	for name, c := range map[string]struct {
		live      lives
		elsewhere bool   // it dies there too
		want      string // the error on the host where it died; "" for none
		final     string // the error of the worker elsewhere
	}{
		"another host lives":    {lives{workerA, workerB}, false, "DiedHere", ""},
		"it dies there too":     {lives{workerA, workerB}, true, "DiedHere", "Died"},
		"no other host":         {lives{workerA, "9@a (cpu, 2 slots)"}, false, "Died", ""},
		"who lives is not told": {nil, false, "Died", ""},
	} {
		w := submit(t, openDir(t), makePlan(t, nil)).named(workerA, c.live)
		w.Patience = time.Hour
		w.as("one activity")
		for range maxDeaths {
			died(w, workerA)
		}
		wantType(t, w.train(), c.want, c.want == "DiedHere")
		if c.want == "Died" {
			continue
		}
		w.named(workerB, c.live)
		if c.elsewhere {
			died(w, workerB)
			wantType(t, w.train(), c.final, false)
			continue
		}
		if err := w.train(); err != nil {
			t.Errorf("%s: on another host: %v", name, err)
		}
		w.finish()
	}
}

// A machine that goes down each day never fails a cell that has come to a new checkpoint in between. Other sweeps, and
// attempts that were not alone, add nothing to the count.
func TestDeathsWithProgress(t *testing.T) {
	w := submit(t, openDir(t), makePlan(t, nil))
	w.as("one that ended with its process")
	for n := int64(2); n < 12; n++ {
		w.dies(true)
		w.dies(false)
		w.dies(true)
		w.dies(false)
		next := newWorker(t, w.store, w.plan)
		next.as("one that ended with its process")
		next.hooks.after = func(done int64) {
			if done == n {
				close(next.stop)
			}
		}
		wantType(t, next.train(), "WorkerStopping", true)
		if m, err := w.newest(); err != nil || m.Step != n {
			t.Fatalf("newest checkpoint %+v, %v, want that of step %d", m, err, n)
		}
	}
	w.finish()
	wantSame(t, "the model", w.model(), undisturbedModel(t))
}

// With one slot an attempt is alone from the beginning, so that the third death is the last.
func TestDiesWithOneSlot(t *testing.T) {
	w := submit(t, openDir(t), makePlan(t, nil))
	w.Slots = 1
	w.hooks.before = func(int64) { panic("boom") }
	for range maxDeaths {
		if err := w.train(); err == nil || strings.Contains(err.Error(), "died") {
			t.Error(err)
		}
	}
	wantType(t, w.train(), "Died", false)
}

// A trunk that dies fails as a cell does: its error is final.
func TestTrunkDies(t *testing.T) {
	w := submit(t, openDir(t), makePlan(t, nil))
	w.Slots = 1
	w.hooks.before = func(int64) { panic("boom") }
	trunk := protocol.StageRef{CellRef: w.ref(1), Level: plan.LevelTrunk, To: 10, Cells: 2}
	for range maxDeaths {
		if err := w.run(protocol.ActivityTrain, trunk); err == nil {
			t.Error("no error")
		}
	}
	wantType(t, w.run(protocol.ActivityTrain, trunk), "Died", false)
}

// A stage whose last checkpoint is listed but damaged is judged too, before it trains anything.
func TestDeathsBehindADamagedCheckpoint(t *testing.T) {
	w := submit(t, openDir(t), makePlan(t, nil))
	if err := w.train(); err != nil {
		t.Fatal(err)
	}
	for _, key := range keys(t, w.store, "stages/"+w.id()+"/data/") {
		if err := storage.PutBytes(t.Context(), w.store, key, []byte("damaged")); err != nil {
			t.Fatal(err)
		}
	}
	for range maxDeaths {
		w.dies(true)
	}
	w.Worker = "2@gone (cpu, 3 slots)"
	wantType(t, w.train(), "Died", false)
}

// Whoever claims the folder between the judgement and the verdict is not fenced off.
func TestVerdictBesideARival(t *testing.T) {
	inner := openDir(t)
	store := &hangingStore{Store: inner, before: func(context.Context, string, string) {}}
	w := submit(t, store, makePlan(t, nil))
	for range maxDeaths {
		w.dies(true)
	}
	other := newWorker(t, inner, w.plan)
	var rival *storage.Claim
	store.before = func(_ context.Context, call, key string) {
		if rival == nil && call == "putnew" && strings.Contains(key, "/claims/") {
			rival = other.rival()
		}
	}
	wantType(t, w.train(), "HeldElsewhere", true)
	if rival == nil {
		t.Fatal("nothing was claimed")
	}
	if err := rival.Check(t.Context()); err != nil {
		t.Errorf("the rival: %v", err)
	}
}

// How an attempt of this process ended is known, also before the store has it: it is no death if it is explained.
func TestEndsThatAreNotStored(t *testing.T) {
	store := &endless{Store: openDir(t)}
	store.failures.Store(1 << 30)
	w := submit(t, store, makePlan(t, nil))
	w.Slots = 1
	w.hooks.before = func(int64) { close(w.stop) }
	for range maxDeaths + 1 {
		w.stop = make(chan struct{})
		wantType(t, w.train(), "WorkerStopping", true)
		for _, key := range w.manifests() { // what is saved would end the count
			if err := w.store.Delete(t.Context(), key); err != nil {
				t.Fatal(err)
			}
		}
	}
	if all := w.attempts(); len(all) != maxDeaths+1 || all[0].Ended != nil {
		t.Errorf("%d attempts, the first one %+v", len(all), all[0].Ended)
	}
	// The same as another process sees it.
	next := newWorker(t, store.Store, w.plan)
	next.renew = 10 * time.Millisecond
	wantType(t, next.train(), "Died", false)
}
