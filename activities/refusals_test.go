package activities

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.temporal.io/sdk/activity"

	"github.com/topksweep/sweep/storage"
	"github.com/topksweep/sweep/sweep/plan"
	"github.com/topksweep/sweep/sweep/protocol"
	"github.com/topksweep/sweep/trainer"
	"github.com/topksweep/sweep/trainer/data"
)

// lives is an Observer of a server whose live workers never change; nil if the server does not say who lives.
type lives []string

func (l lives) Look(context.Context, protocol.LookInput) (protocol.Live, error) {
	return protocol.Live{}, nil
}

func (l lives) Workers(context.Context, string) ([]string, error) {
	if l == nil {
		return nil, errors.New("the server is silent")
	}
	return l, nil
}

// named makes a worker one with a name among those that live. It hands on soon what it refuses.
func (w *testWorker) named(name string, live lives) *testWorker {
	w.Worker, w.Observer, w.handOn, w.now = name, live, 20*time.Millisecond, time.Now
	return w
}

const (
	workerA = "1@a (cpu, 1 slot)"
	workerB = "2@b (cpu, 2 slots)"
)

// What a worker lacks or meets before it has its claim is refused: it fails no cell while another worker lives that may
// have it, or while it is not known who lives. Alone, with no patience, it is final at once.
func TestWhoseFault(t *testing.T) {
	for _, c := range []struct {
		name    string
		err     error
		kind    string
		refused bool
		alone   bool // final where no other worker lives
		counts  bool // three of them end the worker
	}{
		{"no data", &data.SourceError{Source: "acts", Missing: true, Err: syscall.ENOENT}, "BadData", true, true, true},
		{"forbidden data", &data.SourceError{Missing: true, Err: syscall.EACCES}, "BadData", true, true, true},
		{"other data", fmt.Errorf("%w: no", ErrDataChanged), "DataChanged", true, true, true},
		{"older build", storage.Wrap("read", "plan", storage.ErrNewerVersion), "NewerVersion", true, true, true},
		{"forbidden store", storage.Wrap("put", "x", syscall.EACCES), "NoPermission", true, false, true},
		{"precision", fmt.Errorf("%w: bf16", trainer.ErrUnsupported), "Unsupported", true, true, false},
		{"class", fmt.Errorf("%w: avx2", trainer.ErrOtherClass), "OtherClass", true, true, false},
		{"memory", fmt.Errorf("%w: 80 GiB", trainer.ErrMemory), "OutOfMemory", true, true, false},
		{"broken device", fmt.Errorf("%w: Xid 48", trainer.ErrBroken), "DeviceBroken", true, false, true},
		{"unlisted", errors.New("something else"), "Unexplained", true, false, true},
		{"k above dict_size", fmt.Errorf("%w: k", ErrConfig), "BadConfig", false, true, false},
		{"loss", &trainer.NumericError{Step: 3, What: "the loss is NaN"}, "NotFinite", false, true, false},
		{"bad rows", &data.BadRowError{File: "a.npy"}, "BadData", false, true, false},
		{"stale handle", &data.ReadError{File: "a.npy", Err: syscall.ESTALE}, "ReadFailed", false, false, false},
		{"busy memory", fmt.Errorf("%w: 8 GiB", trainer.ErrBusy), "MemoryBusy", false, false, false},
		{"silent store", storage.Wrap("get", "x", syscall.ECONNREFUSED), "StoreFailed", false, false, false},
		{"full disk", storage.Wrap("put", "x", storage.ErrNoSpace), "NoSpace", false, false, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorker(t, openDir(t), makePlan(t, nil))
			fail := func(context.Context) (int, error) { return 0, c.err }
			for _, live := range []lives{{workerA, workerB}, {workerB}, nil} {
				w.named(workerA, live)
				final := c.alone && !c.refused
				err := w.attempt(fail)
				wantType(t, err, c.kind, !final)
				if says := strings.Contains(fmt.Sprint(err), "refused by 1@a: "); says != c.refused {
					t.Errorf("live %v: %v", live, err)
				}
			}
			if unfit := w.WhyUnfit() != nil; unfit != c.counts {
				t.Errorf("after three attempts: %v", w.WhyUnfit())
			}
			for _, live := range []lives{{workerA}} {
				w.named(workerA, live)
				err := w.attempt(fail)
				wantType(t, err, c.kind, !c.alone)
				if c.alone && (!strings.Contains(err.Error(), c.err.Error()) || strings.Contains(err.Error(), "refused")) {
					t.Errorf("final: %v", err)
				}
			}
			// With patience it is not final yet, but says that all have refused.
			w = newWorker(t, w.store, w.plan).named(workerA, lives{workerA})
			w.Patience = time.Hour
			for range 2 * mostRefusals {
				err := w.attempt(fail)
				wantType(t, err, c.kind, !c.alone || c.refused)
				if says := strings.Contains(fmt.Sprint(err), "refused by every live worker (1): 1@a: "); says != c.refused {
					t.Errorf("with patience: %v", err)
				}
			}
			// On one machine devices do not change by waiting. Data and stores may come.
			w.OneMachine = true
			wantType(t, w.attempt(fail), c.kind, !c.alone || c.counts)
			w.OneMachine = false
			if err := w.WhyUnfit(); err != nil {
				t.Errorf("the last live worker ends: %v", err)
			}
		})
	}
}

// attempt makes one attempt at an activity that does something.
func (w *testWorker) attempt(do func(context.Context) (int, error)) error {
	w.Helper()
	_, err := w.execute("attempt", func(ctx context.Context) (int, error) { return try(ctx, w.Activities, do) })
	return err
}

// After the claim an error that is not listed is not known to be the worker's, and neither is a panic. Both are tried
// again. Before it they are refused.
func TestPanicAndClaim(t *testing.T) {
	w := newWorker(t, openDir(t), makePlan(t, nil)).named(workerA, lives{workerA, workerB})
	for _, claimed := range []bool{true, false} {
		for name, do := range map[string]func() error{
			"panic": func() error { panic("out of range") },
			"error": func() error { return errors.New("out of range") },
		} {
			err := w.attempt(func(ctx context.Context) (int, error) {
				if claimed {
					attemptOf(ctx).claim()
				}
				return 0, do()
			})
			if err == nil || !strings.Contains(err.Error(), "out of range") {
				t.Errorf("%s, claimed %t: %v", name, claimed, err)
			}
			if refused := strings.Contains(fmt.Sprint(err), "refused by 1@a"); refused == claimed {
				t.Errorf("%s, claimed %t: %v", name, claimed, err)
			}
		}
	}
	if err := w.WhyUnfit(); err != nil {
		t.Errorf("after two refusals: %v", err)
	}
}

// A claim between refusals shows that the worker can train.
func TestRefusalsInARow(t *testing.T) {
	w := newWorker(t, openDir(t), makePlan(t, nil)).named(workerA, lives{workerA, workerB})
	missing := func(context.Context) (int, error) { return 0, ErrDataChanged }
	for i := range 3 * mostRefusals {
		if i%mostRefusals == mostRefusals-1 {
			if err := w.attempt(func(ctx context.Context) (int, error) { attemptOf(ctx).claim(); return 0, nil }); err != nil {
				t.Fatal(err)
			}
			continue
		}
		_ = w.attempt(missing)
	}
	if err := w.WhyUnfit(); err != nil {
		t.Fatal(err)
	}
	for range mostRefusals {
		_ = w.attempt(missing)
	}
	select {
	case <-w.Unfit():
	default:
		t.Error("it takes work after three refusals in a row")
	}
}

// A plan that a newer build stored is left to a newer worker, in every activity.
func TestOlderBuild(t *testing.T) {
	w := submit(t, openDir(t), makePlan(t, nil)).named(workerA, lives{workerA, workerB})
	key := "sweeps/" + w.plan.ID + "/plan.json"
	newer := strings.Replace(string(read(t, w.store, key)), `"version": 1`, `"version": 99`, 1)
	if err := storage.PutBytes(t.Context(), w.store, key, []byte(newer)); err != nil {
		t.Fatal(err)
	}
	fail := protocol.FailInput{Sweep: w.plan.ID, Cells: []int{0}, Status: plan.Failed}
	for name, in := range map[string]any{
		protocol.ActivityTrain: w.stage(1), protocol.ActivityEval: w.ref(1), protocol.ActivityFail: fail,
		protocol.ActivityPrepare: protocol.ChunkRef{Sweep: w.plan.ID}, protocol.ActivityCollect: w.plan.ID,
	} {
		err := w.run(name, in)
		wantType(t, err, "NewerVersion", true)
		if !strings.Contains(fmt.Sprint(err), "refused by 1@a: ") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// A sweep whose plan no worker can find ends for it after two minutes, by the clock of one worker, and not before.
func TestNoPlanPatience(t *testing.T) {
	w := newWorker(t, openDir(t), makePlan(t, nil)).named(workerA, lives{workerA})
	now := time.Now()
	w.now = func() time.Time { return now }
	for _, after := range []time.Duration{0, time.Minute, time.Minute - 1} {
		now = now.Add(after)
		wantType(t, w.run(protocol.ActivityPrepare, protocol.ChunkRef{Sweep: w.plan.ID}), protocol.ErrTypeNoPlan, true)
	}
	now = now.Add(1)
	wantType(t, w.run(protocol.ActivityPrepare, protocol.ChunkRef{Sweep: w.plan.ID}), protocol.ErrTypeNoPlan, false)
	if err := w.WhyUnfit(); err != nil {
		t.Errorf("a plan in another store ends the worker: %v", err)
	}
}

// The time for which all have refused begins anew when a worker comes that has not.
func TestPatienceBeginsAnew(t *testing.T) {
	u, now := newUnfitness(), time.Unix(1e9, 0)
	info := activity.Info{ActivityID: "cell 1"}
	for i, c := range []struct {
		all   bool
		after time.Duration
		want  time.Duration
	}{
		{true, 0, 0}, {true, 5 * time.Minute, 5 * time.Minute}, {false, time.Minute, 0}, {true, time.Minute, 0},
		{true, time.Minute, time.Minute},
	} {
		now = now.Add(c.after)
		if got := u.since(info, c.all, now); got != c.want {
			t.Errorf("%d: %v, want %v", i, got, c.want)
		}
	}
	// What nobody asks for any more is forgotten.
	u.since(activity.Info{ActivityID: "cell 2"}, true, now.Add(2*time.Hour))
	if len(u.all) != 1 {
		t.Errorf("%v", u.all)
	}
}

// A heartbeat has bounds, also where workers are started again and again. Those that live stay in it.
func TestManyRefusals(t *testing.T) {
	live := []string{workerA, workerB}
	var all []protocol.Refusal
	for i := range 10 * maxRefusals {
		name := fmt.Sprintf("%d@crashing (cpu, 1 slot)", i)
		if i < 2 {
			name = live[i]
		}
		all = withRefusal(all, live, protocol.Refusal{Worker: name, Why: "no data", Since: time.Unix(int64(i), 0)})
	}
	if len(all) != maxRefusals || !haveRefused(all, live) {
		t.Errorf("%d refusals, of the live ones %t", len(all), haveRefused(all, live))
	}
	all = withRefusal(all, live, protocol.Refusal{Worker: workerB, Why: "no store", Since: time.Unix(9999, 0)})
	i := slices.IndexFunc(all, func(r protocol.Refusal) bool { return r.Worker == workerB })
	if len(all) != maxRefusals || all[i].Why != "no store" || all[i].Since != time.Unix(1, 0) {
		t.Errorf("its newest refusal: %+v", all[i])
	}
	if why := shorten(strings.Repeat("é\n", 1000)+"the cause", maxWhy); len(why) > maxWhy || strings.Contains(why, "\n") ||
		!strings.HasSuffix(why, "the cause") {

		t.Errorf("%d bytes: %q", len(why), why)
	}
}
