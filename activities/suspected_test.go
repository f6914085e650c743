package activities

import (
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/topksweep/sweep/storage"
	"github.com/topksweep/sweep/sweep/plan"
	"github.com/topksweep/sweep/sweep/protocol"
)

// rarely is a plan whose checkpoints are an hour apart.
func rarely(t *testing.T) *plan.Plan {
	return makePlan(t, func(p *plan.Plan) { p.Run.Checkpoint.Every = time.Hour })
}

// oneSecondASteps makes the clock of a worker go on by a second with each step, and calls do after each of them.
func (w *testWorker) oneSecondASteps(do func(done int64)) {
	var seconds atomic.Int64
	w.now = func() time.Time { return time.Unix(1e9+seconds.Load(), 0) }
	w.hooks.after = func(done int64) {
		seconds.Add(1)
		do(done)
	}
}

// manifests are those of the run of cell 1.
func (w *testWorker) manifests() []string { return keys(w.T, w.store, "stages/"+w.id()+"/manifests/") }

// when waits until is returns true, which other goroutines bring about.
func when(is func() bool) {
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for !is() {
		<-tick.C
	}
}

// A suspected attempt saves its first checkpoint early, and only that one. Others do not.
func TestEarlyCheckpoint(t *testing.T) {
	for _, suspected := range []bool{false, true} {
		w := submit(t, openDir(t), rarely(t))
		if suspected {
			w.dies(false)
		}
		w.oneSecondASteps(func(done int64) {
			switch {
			case done == 15 && suspected:
				when(func() bool { return len(w.manifests()) > 0 })
			case done == 35:
				panic("the end")
			}
		})
		if err := w.train(); err == nil {
			t.Error("no error")
		}
		got := w.manifests()
		if !suspected && len(got) > 0 {
			t.Errorf("saved: %v", got)
		}
		if suspected && (len(got) != 1 || !strings.Contains(got[0], "000000000010-")) {
			t.Errorf("suspected: saved %v, want the step after ten seconds", got)
		}
	}
}

// A suspected stage comes to a process in which another one trains. That one saves its state and ends, and no other one
// begins before the suspected one has its first new checkpoint. Then they train side by side, and both end with the
// bytes of a run that nobody has disturbed.
func TestStepsAside(t *testing.T) {
	calm := submit(t, openDir(t), rarely(t))
	for _, cell := range []int{1, 2} {
		if err := errors.Join(calm.run(protocol.ActivityTrain, calm.stage(cell)),
			calm.run(protocol.ActivityEval, calm.ref(cell))); err != nil {
			t.Fatal(err)
		}
	}
	w := submit(t, openDir(t), rarely(t))
	w.dies(false) // of cell 1
	w.wait.turn = 0
	other := func() error { return w.run(protocol.ActivityTrain, w.stage(2)) }
	suspect := make(chan error, 1)
	at := func(done int64) bool { return done == 3 }
	var step atomic.Int64
	w.oneSecondASteps(func(done int64) {
		switch step.Load() {
		case 0: // the other one trains
			if at(done) {
				step.Store(1)
				go func() { suspect <- w.train() }()
				when(func() bool {
					w.gate.mu.Lock()
					defer w.gate.mu.Unlock()
					return w.gate.alone != nil
				})
			}
		case 1: // the suspected one does
			if at(done) {
				wantType(t, other(), "AloneHere", true)
			}
			if done == 15 {
				when(func() bool {
					w.gate.mu.Lock()
					defer w.gate.mu.Unlock()
					return w.gate.alone == nil
				})
				step.Store(2)
				if err := other(); err != nil {
					t.Errorf("beside one with a new checkpoint: %v", err)
				}
			}
		}
	})
	wantType(t, other(), "SteppedAside", true)
	saved := keys(t, w.store, "stages/"+w.plan.RunID(w.plan.Cells[2].ID)+"/manifests/")
	if len(saved) != 1 || !strings.Contains(saved[0], "000000000003-") {
		t.Errorf("the one that stepped aside has saved %v", saved)
	}
	if err := <-suspect; err != nil {
		t.Error(err)
	}
	for _, cell := range []int{1, 2} {
		if err := w.run(protocol.ActivityEval, w.ref(cell)); err != nil {
			t.Error(err)
		}
		id := w.plan.RunID(w.plan.Cells[cell].ID)
		wantUnchanged(t, "stepping aside", modelFiles(t, w.store, id), modelFiles(t, calm.store, id))
	}
	if w.gate.alone != nil || len(w.gate.inside) > 0 {
		t.Errorf("left over at the gate: %+v", &w.gate)
	}
}

// modelFiles are the files of a run's model, without its result, which names the attempts.
func modelFiles(t *testing.T, s storage.Store, run string) map[string]string {
	all := map[string]string{}
	for _, key := range keys(t, s, "models/"+run+"/") {
		if !strings.HasSuffix(key, modelResult) {
			all[key] = string(read(t, s, key))
		}
	}
	return all
}

// A suspected stage that cannot save, as its store is full, trains alone for a limited time only.
func TestAloneIsLimited(t *testing.T) {
	w := submit(t, openDir(t), rarely(t))
	w.early, w.alone, w.wait.turn = time.Hour, 20*time.Second, 0
	w.dies(false)
	w.oneSecondASteps(func(done int64) {
		if done == 10 {
			wantType(t, w.run(protocol.ActivityTrain, w.stage(2)), "AloneHere", true)
		}
		if done == 30 {
			w.hooks.after = nil
			if err := w.run(protocol.ActivityTrain, w.stage(2)); err != nil {
				t.Errorf("after %v: %v", w.alone, err)
			}
		}
	})
	if err := w.train(); err != nil {
		t.Error(err)
	}
}
