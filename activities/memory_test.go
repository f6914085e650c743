package activities

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"go.temporal.io/sdk/activity"

	"github.com/topksweep/sweep/activities/hostmem"
	"github.com/topksweep/sweep/storage"
	"github.com/topksweep/sweep/sweep/protocol"
	"github.com/topksweep/sweep/trainer"
	"github.com/topksweep/sweep/trainer/cpu"
)

// A run that the host can never hold fails. One that does not fit beside other runs
// waits for them.
func TestOutOfMemory(t *testing.T) {
	w := submit(t, openDir(t), makePlan(t, nil))
	cfg := w.plan.Cells[1].Config
	need := hostmem.Bytes(cpu.New(1), cfg) + saveBytes
	w.memory.Capacity = func() (int64, bool) { return need - 1, true }
	err := w.train()
	wantType(t, err, "OutOfMemory", false)
	if err == nil || !strings.Contains(err.Error(), "needs") || !strings.Contains(err.Error(), "free") {
		t.Errorf("%v does not say what is needed and what is free", err)
	}
	w.memory.Capacity = func() (int64, bool) { return need, true }
	release, err := w.reserve(t.Context(), doing("another run"), 1)
	if err != nil {
		t.Fatal(err)
	}
	trained := make(chan error, 1)
	go func() { trained <- w.train() }()
	w.awaitWaiting(1)
	release()
	if err := <-trained; err != nil {
		t.Fatal(err)
	}
	need += trainer.EvaluateBytes(cfg) // the evaluation needs that too
	if err := w.evaluate(); err != nil {
		t.Fatal(err)
	}
	if release, err := w.memory.Reserve(need); err != nil {
		t.Errorf("something is still reserved: %v", err)
	} else {
		release()
	}
}

// awaitWaiting returns when n attempts of the worker wait for memory.
func (w *testWorker) awaitWaiting(n int) {
	w.Helper()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for {
		w.line.mu.Lock()
		waiting := len(w.line.waiting)
		w.line.mu.Unlock()
		if waiting == n {
			return
		}
		select {
		case <-tick.C:
		case <-w.T.Context().Done():
			w.Fatalf("%d attempts wait, want %d", waiting, n)
		}
	}
}

// A roomyBackend has room for some models at a time.
type roomyBackend struct {
	trainer.Backend
	mu   sync.Mutex
	room int
	most int // models at a time
	open int
}

func (b *roomyBackend) OfClass(class string) (trainer.Backend, error) {
	if _, err := b.Backend.OfClass(class); err != nil {
		return nil, err
	}
	return b, nil
}

func (b *roomyBackend) New(c trainer.Config, s *trainer.State, data trainer.Batches) (trainer.Model, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.open >= b.room {
		return nil, trainer.ErrBusy
	}
	m, err := b.Backend.New(c, s, data)
	if err != nil {
		return nil, err
	}
	b.open++
	b.most = max(b.most, b.open)
	return &roomyModel{m, b}, nil
}

type roomyModel struct {
	trainer.Model
	on *roomyBackend
}

func (m *roomyModel) Close() error {
	m.on.mu.Lock()
	defer m.on.mu.Unlock()
	m.on.open--
	return m.Model.Close()
}

// On a device that holds one model, many slots train one run after the other, and none of them fails. The attempts that
// wait go on as soon as a model is closed, and not at the next look.
func TestSlotsWaitForMemory(t *testing.T) {
	w := submit(t, openDir(t), planOf(t, strings.Replace(gridYAML, "k: [2, 3, 4]", "k: [1, 2, 3, 4, 5, 6, 7, 8]", 1)))
	b := &roomyBackend{Backend: cpu.New(1), room: 1}
	w.backend = b
	w.memoryWait.look = time.Hour
	ended := make(chan error, len(w.plan.Cells))
	for cell := range w.plan.Cells {
		go func() {
			err := w.run(protocol.ActivityTrain, w.stage(cell))
			if err == nil {
				err = w.run(protocol.ActivityEval, w.ref(cell))
			}
			ended <- err
		}()
	}
	for range w.plan.Cells {
		if err := <-ended; err != nil {
			t.Error(err)
		}
	}
	if b.most != 1 || b.open != 0 {
		t.Errorf("%d models at a time, %d are left", b.most, b.open)
	}
	if len(w.line.waiting) != 0 || w.line.models != 0 || len(w.line.places) != 0 || w.waiting.attempts != 0 {
		t.Errorf("left over: %d that wait, %d models, %d places, %d attempts",
			len(w.line.waiting), w.line.models, len(w.line.places), w.waiting.attempts)
	}
}

// Who waits for memory says so, ends when it must, and leaves its slot to another worker in the end.
func TestEndsWhileWaitingForMemory(t *testing.T) {
	for how, want := range map[string]error{
		"stop": ErrStopping, "pause": activity.ErrActivityPaused, "another worker": trainer.ErrBusy,
	} {
		w := newWorker(t, openDir(t), makePlan(t, nil))
		w.memoryWait.look, w.memoryWait.holding = time.Nanosecond, 0
		if how == "another worker" {
			w.Observer = lives{w.Worker, "another"}
		}
		progress := doing("reading")
		tries := 0
		_, err := w.execute("wait", func(ctx context.Context) error {
			ctx, end := untilStop(ctx)
			defer end()
			got := w.awaitMemory(ctx, progress, false, func() error {
				if tries++; tries == 3 && how == "stop" {
					close(w.stop)
				} else if tries == 3 {
					w.end(activity.ErrActivityPaused)
				}
				return trainer.ErrBusy
			})
			if !errors.Is(got, want) || progress.get().Doing != "waiting for memory on a GPU" {
				t.Errorf("%s: %v, while %s", how, got, progress.get().Doing)
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		if (how == "another worker") != (tries == 1) {
			t.Errorf("%s: %d tries", how, tries)
		}
	}
}

// A stage that has waited for long goes before newer ones that need less. While others than this worker have the
// memory, the newer ones go on.
func TestWhoWaitsLongestIsNext(t *testing.T) {
	now := time.Unix(1e9, 0)
	line := newMemoryLine()
	first, second := &memoryWaiter{since: now}, &memoryWaiter{since: now}
	by := memoryPatience{passed: time.Minute, humble: time.Minute}
	end := line.wait(first)
	closed := line.opened()
	for _, c := range []struct {
		w     *memoryWaiter
		after time.Duration
		want  bool
	}{
		{first, 0, true}, {second, 0, true}, {second, 59 * time.Second, true}, {second, time.Minute, false},
		{first, time.Hour, true},
	} {
		if got := line.mayTry(c.w, now.Add(c.after), by); got != c.want {
			t.Errorf("after %v: %v, want %v", c.after, got, c.want)
		}
	}
	freed := line.next()
	closed()
	<-freed
	if !line.mayTry(second, now.Add(time.Hour), by) {
		t.Error("all wait with one for what the worker does not have")
	}
	line.opened()
	freed = line.next()
	end()
	<-freed
	if !line.mayTry(second, now.Add(time.Hour), by) {
		t.Error("nobody waits, and an attempt may not begin")
	}
}

// Who waits for memory of the host holds up nobody who waits for a device. After memory that others have was waited for
// in vain, nobody goes first for some time.
func TestWhoDoesNotGoFirst(t *testing.T) {
	now := time.Unix(1e9, 0)
	by := memoryPatience{passed: time.Minute, humble: time.Hour}
	line := newMemoryLine()
	first, device, host := &memoryWaiter{now, true}, &memoryWaiter{now, false}, &memoryWaiter{now, true}
	defer line.wait(first)()
	defer line.opened()()
	late := now.Add(2 * time.Minute)
	if line.mayTry(host, late, by) || !line.mayTry(device, late, by) {
		t.Error("the oldest goes before others that wait for the same, and only before these")
	}
	line.gaveUp(now)
	if !line.mayTry(host, late, by) || line.mayTry(host, now.Add(by.humble), by) {
		t.Error("nobody goes first for an hour, and then again")
	}
}

// An attempt does not wait for ever for memory that others than the worker's own runs have: it gives up its slot. While
// the worker has a model it waits.
func TestMemoryOfOthers(t *testing.T) {
	w := newWorker(t, openDir(t), makePlan(t, nil))
	w.memoryWait.look, w.memoryWait.foreign = time.Nanosecond, 0
	closed := w.line.opened()
	tries := 0
	_, err := w.execute("wait", func(ctx context.Context) error {
		got := w.awaitMemory(ctx, doing("reading"), false, func() error {
			if tries++; tries == 5 {
				closed()
			}
			return trainer.ErrBusy
		})
		if !errors.Is(got, trainer.ErrBusy) || tries != 5 {
			t.Errorf("%v after %d tries", got, tries)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if w.line.foreign.IsZero() || len(w.line.waiting) != 0 {
		t.Errorf("it is not noted: %+v", w.line)
	}
	release, err := w.memory.Reserve(1)
	if err != nil {
		t.Fatal(err)
	}
	defer release()
	var others foreignMemory
	if got := others.since(time.Now(), w.Activities, true); got >= 0 {
		t.Errorf("a run of the worker has memory of the host: %v", got)
	}
}

// The last user of a kept state gets its memory when the others have copied it.
func TestKeptStateIsCopiedFirst(t *testing.T) {
	w := newWorker(t, openDir(t), makePlan(t, nil))
	c := w.plan.Cells[0].Config
	m := &storage.Manifest{Key: "k", SHA256: "s", Size: c.StateBytes()}
	const users = 8
	w.kept.keep(m, trainer.Init(c), users)
	var all sync.WaitGroup
	for range users {
		all.Go(func() {
			s := trainer.NewState(c)
			if !w.kept.take(m, s) {
				t.Error("the state is not kept")
			}
			clear(s.W.WEnc) // the race detector sees who still reads it
		})
	}
	all.Wait()
}
