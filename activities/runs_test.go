package activities

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/topksweep/sweep/storage"
	"github.com/topksweep/sweep/storage/storagetest"
	"github.com/topksweep/sweep/sweep/ledger"
	"github.com/topksweep/sweep/sweep/plan"
	"github.com/topksweep/sweep/sweep/protocol"
)

// A requestCounter counts requests by their kind and the first part of the key.
type requestCounter struct {
	storage.Store
	mu sync.Mutex
	n  map[string]int
}

func (c *requestCounter) count(kind, key string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.n == nil {
		c.n = map[string]int{}
	}
	part, _, _ := strings.Cut(key, "/")
	c.n[kind+" "+part]++
}

func (c *requestCounter) Get(ctx context.Context, key string) (io.ReadCloser, error) {
	c.count("get", key)
	return c.Store.Get(ctx, key)
}

func (c *requestCounter) List(ctx context.Context, prefix string) ([]storage.Object, error) {
	c.count("list", prefix)
	return c.Store.List(ctx, prefix)
}

func (c *requestCounter) Put(ctx context.Context, key string, body io.ReaderAt, size int64) error {
	c.count("put", key)
	return c.Store.Put(ctx, key, body, size)
}

func (c *requestCounter) PutNew(ctx context.Context, key string, data []byte) error {
	c.count("putnew", key)
	return storage.PutNew(ctx, c.Store, key, data)
}

func (c *requestCounter) Delete(ctx context.Context, key string) error {
	c.count("delete", key)
	return c.Store.Delete(ctx, key)
}

// runsPlan is a plan of five short runs of which each is a tree of its own.
func runsPlan(t *testing.T) *plan.Plan {
	return planOf(t, strings.Replace(gridYAML, "k: [2, 3, 4]", "k: [2, 3, 4, 5, 6]", 1))
}

func (w *testWorker) runsRef(cells ...int) protocol.RunsRef {
	return protocol.RunsRef{Sweep: w.plan.ID, Cells: cells}
}

// trainRuns trains runs in one activity.
func (w *testWorker) trainRuns(cells ...int) (out protocol.Ran, err error) {
	v, err := w.get(protocol.ActivityRuns, w.runsRef(cells...))
	if err == nil {
		err = v.Get(&out)
	}
	return out, err
}

// trainAlone trains and evaluates runs as the workflow does where an activity with several comes out without them.
func (w *testWorker) trainAlone(cells ...int) {
	w.Helper()
	for _, c := range cells {
		ref := w.stage(c)
		ref.Evaluate = true
		v, err := w.get(protocol.ActivityTrain, ref)
		var out protocol.Trained
		if err == nil {
			err = v.Get(&out)
		}
		if err == nil && out.Brief == nil {
			err = w.run(protocol.ActivityEval, w.ref(c))
		}
		if err != nil {
			w.Fatalf("cell %d: %v", c, err)
		}
	}
}

// leftBy is what a sweep leaves in a store, but for times.
func leftBy(t *testing.T, w *testWorker) map[string]string {
	t.Helper()
	all := map[string]string{}
	for key, text := range snapshot(t, w.store) {
		switch part, _, _ := strings.Cut(key, "/"); {
		case part == "results":
			text = "a result" // compared below
		case strings.HasSuffix(key, "/README.md"), strings.HasSuffix(key, "/result.json"):
			text = "with times"
		}
		all[key] = text
	}
	for _, r := range w.results(t) {
		r.WallSeconds, r.Spans = 0, slices.Clone(r.Spans)
		for i := range r.Spans {
			r.Spans[i].Seconds = 0
		}
		all["result of "+r.Cell] = fmt.Sprintf("%+v, nmse %v", r, *r.Metrics.NMSE)
		if r.Status != plan.Completed {
			t.Errorf("cell %s is %s: %s", r.Cell, r.Status, r.Error)
		}
	}
	return all
}

// undisturbedRuns are what runsPlan leaves if each run is trained, stored, and evaluated in an activity of its own.
func undisturbedRuns(t *testing.T, p *plan.Plan) map[string]string {
	t.Helper()
	w := submit(t, storagetest.NewMemory(), p)
	for c := range p.Cells {
		if err := errors.Join(w.run(protocol.ActivityTrain, w.stage(c)), w.run(protocol.ActivityEval, w.ref(c))); err != nil {
			t.Fatal(err)
		}
	}
	return masked(leftBy(t, w))
}

// masked removes addresses of pointers, which %+v prints.
func masked(all map[string]string) map[string]string {
	for key, text := range all {
		if strings.HasPrefix(key, "result of ") {
			words := strings.Fields(text)
			words = slices.DeleteFunc(words, func(s string) bool { return strings.Contains(s, ":0x") })
			all[key] = strings.Join(words, " ")
		}
	}
	return all
}

func wantLeft(t *testing.T, what string, w *testWorker, want map[string]string) {
	t.Helper()
	got := masked(leftBy(t, w))
	if maps.Equal(got, want) {
		return
	}
	t.Errorf("%s: the store differs", what)
	for key := range want {
		if got[key] != want[key] {
			t.Errorf("  %s:\n%.300q\nwant\n%.300q", key, got[key], want[key])
		}
	}
	for key := range got {
		if _, ok := want[key]; !ok {
			t.Errorf("  %s is too many", key)
		}
	}
}

// Runs that are trained by one activity leave the same bytes as those that are trained, stored and evaluated one by
// one. Each costs few requests.
func TestTrainRuns(t *testing.T) {
	p := runsPlan(t)
	want := undisturbedRuns(t, p)
	counter := &requestCounter{Store: storagetest.NewMemory()}
	w := submit(t, counter, p)
	counter.n = nil
	out, err := w.trainRuns(0, 1, 2, 3, 4)
	if err != nil || len(out.Runs) != 5 || len(out.Alone) > 0 {
		t.Fatalf("%+v, %v", out, err)
	}
	for i, r := range out.Runs {
		if r.Cell != i || r.Steps != steps || r.Brief == nil || r.Brief.NMSE == nil {
			t.Errorf("run %d: %+v", i, r)
		}
	}
	got := maps.Clone(counter.n)
	for _, of := range []string{"put models", "get models", "list models", "putnew results", "get sweeps", "list sweeps"} {
		delete(got, of) // the model, the result, and what is read once
	}
	few := map[string]int{"get results": 10, "list stages": 5, "putnew stages": 5, "delete stages": 5}
	if !maps.Equal(got, few) {
		t.Errorf("requests %v, want %v", got, few)
	}
	if n := counter.n["get sweeps"]; n > 4 {
		t.Errorf("the plan is read %d times for five runs", n)
	}
	wantLeft(t, "one activity", w, want)

	again, err := w.trainRuns(0, 1, 2, 3, 4)
	if err != nil || len(again.Runs) != 5 || again.Runs[2].Steps != 0 || again.Runs[2].Brief == nil {
		t.Errorf("again: %+v, %v", again, err)
	}
	wantLeft(t, "once more", w, want)
}

// A run that TrainStage evaluates leaves the same bytes, and no checkpoint is stored of one that takes seconds. One
// that takes longer has its last state in the store before it is evaluated.
func TestTrainStageEvaluates(t *testing.T) {
	p := runsPlan(t)
	want := undisturbedRuns(t, p)
	for name, slow := range map[string]bool{"short": false, "long": true} {
		store := storagetest.NewMemory()
		w := submit(t, store, p)
		stored := false
		if slow {
			w.now = clock(10 * time.Second)
		}
		w.hooks.encode = func() { stored = stored || len(keys(t, store, "stages/"+w.id()+"/manifests/")) > 0 }
		w.trainAlone(0, 1, 2, 3, 4)
		if stored != slow {
			t.Errorf("%s: the last state is stored before evaluation: %v", name, stored)
		}
		wantLeft(t, name, w, want)
	}
}

// clock returns a clock that goes on by a step at each look.
func clock(step time.Duration) func() time.Time {
	var mu sync.Mutex
	at := time.Unix(1e9, 0)
	return func() time.Time {
		mu.Lock()
		defer mu.Unlock()
		at = at.Add(step)
		return at
	}
}

// A worker dies at each operation on the store in turn, before it or after it, with one run in training and another one
// that is being recorded. Another worker finds each run as it was left, and ends with the same bytes.
func TestRunsDieAnywhere(t *testing.T) {
	p := runsPlan(t)
	want := undisturbedRuns(t, p)
	all := []int{0, 1, 2, 3, 4}
	for _, fault := range []storagetest.Fault{storagetest.Before, storagetest.After} {
		t.Run(string(fault), func(t *testing.T) {
			t.Parallel()
			p := runsPlan(t) // of its own: storing a plan writes to it
			for n := 1; ; n++ {
				memory := storagetest.NewMemory()
				submit(t, memory, p)
				dying := storagetest.NewFailing(memory, fault, n)
				w := newWorker(t, dying, p)
				w.activityOf = func(context.Context) string { return "the runs" }
				out, err := w.trainRuns(all...)
				for _, r := range out.Runs {
					if len(keys(t, memory, ledger.ResultKey(p.RunID(p.Cells[r.Cell].ID)))) != 1 {
						t.Errorf("operation %d: cell %d has no result", n, r.Cell)
					}
				}
				next := newWorker(t, memory, p)
				next.renew = time.Millisecond // so long until a claim that is not renewed is of somebody who is gone
				next.activityOf = func(context.Context) string { return "alone" }
				next.trainAlone(all...)
				wantLeft(t, fmt.Sprintf("operation %d", n), next, want)
				if !dying.Fired() {
					if err != nil || len(out.Runs) != len(all) {
						t.Errorf("no fault: %+v, %v", out, err)
					}
					return
				}
			}
		})
	}
}

// A run that fails, or that something is known of, is left to another activity, and the others are trained.
func TestRunsLeaveTheOddOnes(t *testing.T) {
	p := runsPlan(t)
	want := undisturbedRuns(t, p)
	w := submit(t, storagetest.NewMemory(), p)
	begun := newWorker(t, w.store, p) // of cell 3 there is a checkpoint
	begun.hooks.after = func(done int64) {
		if done == 7 {
			close(begun.stop)
		}
	}
	wantType(t, begun.run(protocol.ActivityTrain, w.stage(3)), "WorkerStopping", true)
	out, err := w.trainRuns(0, 3, 4)
	if err != nil || len(out.Runs) != 2 || !slices.Equal(out.Alone, []int{3}) {
		t.Errorf("%+v, %v", out, err)
	}
	w.hooks.before = func(int64) { panic("a bug") }
	if out, err := w.trainRuns(1, 2); err == nil { // it may be the worker: another one tries
		t.Errorf("after a panic: %+v", out)
	}
	w.hooks.before = nil
	w.trainAlone(3, 1, 2)
	wantLeft(t, "the others alone", w, want)
}

// A worker that is told to stop saves what is in training. A canceled activity ends the run that it trains, and begins
// no other one.
func TestRunsAreToldToEnd(t *testing.T) {
	p := runsPlan(t)
	want := undisturbedRuns(t, p)
	for _, how := range []string{"stop", "cancel"} {
		w := submit(t, storagetest.NewMemory(), p)
		first := int64(0)
		w.hooks.after = func(int64) {
			if first++; first == steps+10 { // in the second run
				if how == "stop" {
					close(w.stop)
				} else {
					w.cancel()
				}
			}
		}
		out, err := w.trainRuns(0, 1, 2)
		results := len(keys(t, w.store, "results/"))
		saved := len(keys(t, w.store, "stages/"+w.id()+"/manifests/"))
		if how == "stop" && (err != nil || len(out.Runs) != 1 || len(out.Alone) > 0 || results != 1 || saved != 1) {
			t.Errorf("%s: %+v, %v; %d results, %d checkpoints", how, out, err, results, saved)
		}
		if how == "cancel" && (results != 2 || saved != 0) {
			t.Errorf("%s: %v; %d results, %d checkpoints", how, err, results, saved)
		}
		next := newWorker(t, w.store, p)
		next.trainAlone(0, 1, 2, 3, 4)
		wantLeft(t, how, next, want)
	}
}

// An attempt that stood still while another one trained and recorded its run does not replace the model: it might be
// another one than that of the result.
func TestOvertakenWhileEvaluating(t *testing.T) {
	p := runsPlan(t)
	for name, train := range map[string]func(w *testWorker) error{
		"alone": func(w *testWorker) error {
			ref := w.stage(1)
			ref.Evaluate = true
			return w.run(protocol.ActivityTrain, ref)
		},
		"in a chain": func(w *testWorker) error {
			_, err := w.trainRuns(1)
			return err
		},
	} {
		memory := storagetest.NewMemory()
		submit(t, memory, p)
		counter := &requestCounter{Store: memory}
		w := newWorker(t, counter, p)
		w.renew = time.Millisecond // its clock stands still: the last state is not stored
		asleep, wake := make(chan struct{}), make(chan struct{})
		var once sync.Once
		w.hooks.encode = func() { once.Do(func() { close(asleep); <-wake }) }
		ended := make(chan error, 1)
		go func() { ended <- train(w) }()
		<-asleep
		next := newWorker(t, memory, p)
		next.trainAlone(1)
		before := snapshot(t, memory)
		close(wake)
		<-ended
		if n := counter.n["put models"]; n > 0 {
			t.Errorf("%s: the attempt that stood still has written %d files of a model", name, n)
		}
		after := snapshot(t, memory)
		for key := range after {
			if before[key] != after[key] {
				t.Errorf("%s: %s has changed", name, key)
			}
		}
	}
}
