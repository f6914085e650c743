package activities

import (
	"encoding/json"
	"reflect"
	"testing"
	"time"

	"go.temporal.io/sdk/activity"

	"github.com/topksweep/sweep/storage"
	"github.com/topksweep/sweep/sweep/plan"
	"github.com/topksweep/sweep/sweep/protocol"
	"github.com/topksweep/sweep/trainer"
)

// trained runs TrainStage once.
func (w *testWorker) trained(ref protocol.StageRef) (out protocol.Trained) {
	w.Helper()
	v, err := w.get(protocol.ActivityTrain, ref)
	if err == nil {
		err = v.Get(&out)
	}
	if err != nil {
		w.Fatal(err)
	}
	return out
}

// evaluated runs Evaluate once.
func (w *testWorker) evaluated(cell int) (out plan.Brief) {
	w.Helper()
	v, err := w.get(protocol.ActivityEval, w.ref(cell))
	if err == nil {
		err = v.Get(&out)
	}
	if err != nil {
		w.Fatal(err)
	}
	return out
}

// An evaluation answers with the metrics of the result, also if that was there already; a stage with its last loss.
func TestAnswers(t *testing.T) {
	w := submit(t, openDir(t), makePlan(t, nil))
	out := w.trained(w.stage(1))
	curve := w.curveOf(1)
	if last := curve[len(curve)-1]; last.Step != steps-1 || out.Loss != last.Loss || !(out.Loss > 0) {
		t.Errorf("trained %+v, the curve ends with %+v", out, last)
	}
	stage := w.stage(1)
	nothing := protocol.Trained{Reached: steps, Of: &stage}
	if again := w.trained(w.stage(1)); !reflect.DeepEqual(again, nothing) {
		t.Errorf("trained %+v where nothing was left to train", again)
	}
	first := w.evaluated(1)
	want := plan.BriefOf(w.results(t)[1].Metrics)
	if !reflect.DeepEqual(first, want) || first.NMSE == nil || !(*first.NMSE > 0) || !(first.L0 > 0) {
		t.Errorf("evaluated %+v, the result has %+v", first, want)
	}
	if again := w.evaluated(1); !reflect.DeepEqual(again, want) {
		t.Errorf("evaluated again: %+v, want %+v", again, want)
	}
	if again := w.trained(w.stage(1)); !reflect.DeepEqual(again, nothing) {
		t.Errorf("trained %+v of a run with a result", again)
	}
}

// curveOf reads the loss curve from the last checkpoint of a cell.
func (w *testWorker) curveOf(cell int) []trainer.Point {
	w.Helper()
	from, err := w.origins(w.T.Context(), &run{
		id: w.plan.RunID(w.plan.Cells[cell].ID), header: &w.plan.Header, cell: w.plan.Cells[cell],
	}, plan.LevelRun, steps)
	if err != nil {
		w.Fatal(err)
	}
	s := trainer.NewState(w.plan.Cells[cell].Config)
	if _, err := from.last(w.T.Context(), w.plan.Cells[cell].Config, s); err != nil {
		w.Fatal(err)
	}
	return s.Curve
}

// The loss of a stage that ends for a dead latent is that of the step before it: the last step is not kept.
func TestLossWhereALatentDies(t *testing.T) {
	p := planOf(t, toyGrid("g", "auxk_alpha: [0, 0.5], steps: [40]", 150))
	w := submit(t, openDir(t), p)
	var losses []float64
	w.hooks.stats = func(s trainer.Stats) { losses = append(losses, s.Loss) }
	ref := protocol.StageRef{CellRef: w.ref(0), Level: plan.LevelSchedule, To: 40, Cells: 2}
	out := w.trained(ref)
	if out.Reached >= 40 || out.Reached < 1 || len(losses) != out.Reached+1 {
		t.Fatalf("trained %+v in %d steps: no latent died in between", out, len(losses))
	}
	if want := losses[out.Reached-1]; out.Loss != want || out.Loss == losses[out.Reached] {
		t.Errorf("the loss is %v, want %v", out.Loss, want)
	}
}

// Heartbeats name the device and the newest checkpoint: the one that an attempt began at, then those that it stores.
func TestHeartbeatsNameDeviceAndCheckpoint(t *testing.T) {
	at := func(seconds int64) time.Time { return time.Unix(seconds, 0).UTC() }
	full := true
	store := &crampedStore{Store: openDir(t), refuse: func(string) error {
		if full {
			return storage.ErrNoSpace
		}
		return nil
	}}
	w := submit(t, store, makePlan(t, nil))
	var device string
	for _, c := range []struct {
		name       string
		stop       int64 // after this step
		full       bool
		clock      int64
		from, step int64 // of the newest checkpoint
		saved      time.Time
	}{
		{"nothing is saved", 3, true, 1e9, 0, 0, time.Time{}},
		{"its own checkpoint", 5, false, 2e9, 0, 5, at(2e9)},
		{"only that of the attempt before", 9, true, 3e9, 5, 5, at(2e9)},
		{"its own checkpoint again", 9, false, 4e9, 5, 9, at(4e9)},
	} {
		full = c.full
		w.now = func() time.Time { return at(c.clock) }
		w.stop = make(chan struct{})
		w.hooks.after = func(done int64) {
			if done == c.stop {
				close(w.stop)
			}
		}
		w.beats = nil
		wantType(t, w.train(), "WorkerStopping", true)
		b := w.lastBeat()
		if b.At != c.step || b.Saved != c.saved || b.From != c.from || b.Step != c.stop {
			t.Errorf("%s: %+v", c.name, b)
		}
		device = b.Device
	}
	w.stop, w.hooks.after = make(chan struct{}), nil
	if err := w.train(); err != nil {
		t.Fatal(err)
	}
	w.hooks.encode = func() { w.end(activity.ErrActivityPaused) }
	w.beats = nil
	wantType(t, w.evaluate(), "Paused", true)
	if b := w.lastBeat(); b.At != steps || b.Saved != at(4e9) || b.Device != device || b.Doing != "evaluating" {
		t.Errorf("an evaluation: %+v", b)
	}
	w = newWorker(t, store, w.plan)
	w.finish()
	if r := w.results(t)[1]; r.Device != device {
		t.Errorf("heartbeats name the device %q, the result %q", device, r.Device)
	}
}

// lastBeat is the newest heartbeat that the server got.
func (w *testWorker) lastBeat() (out protocol.Heartbeat) {
	w.Helper()
	w.beatMu.Lock()
	defer w.beatMu.Unlock()
	if len(w.beats) == 0 {
		w.Fatal("no heartbeat")
	}
	if err := w.beats[len(w.beats)-1].Get(&out); err != nil {
		w.Fatal(err)
	}
	return out
}

// savedOf reads what checkpoints of any version state, and what a damaged one does.
func TestSavedOf(t *testing.T) {
	for text, want := range map[string]time.Time{
		"2026-11-27T03:00:00Z":      time.Date(2026, 11, 27, 3, 0, 0, 0, time.UTC),
		"2026-11-27T03:00:00+02:00": time.Date(2026, 11, 27, 1, 0, 0, 0, time.UTC),
		"":                          {}, "yesterday": {}, "1e300": {}, "0000-01-01T00:00:00+23:00": {},
		"9999-12-31T23:59:59-23:00": {}, "1969-12-31T23:59:59Z": {},
	} {
		got := savedOf(&storage.Manifest{Meta: map[string]string{metaSaved: text}})
		if got != want {
			t.Errorf("%q is read as %v, want %v", text, got, want)
		}
		if _, err := got.MarshalJSON(); err != nil {
			t.Errorf("%q: %v", text, err)
		}
	}
	if got := savedOf(&storage.Manifest{}); !got.IsZero() {
		t.Errorf("a manifest without metadata was saved at %v", got)
	}
}

// Whatever a manifest states, a heartbeat can hold it.
func FuzzSavedOf(f *testing.F) {
	f.Add("2026-11-27T03:00:00Z")
	f.Add("0000-01-01T00:00:00+23:59")
	f.Add("9999-12-31T23:59:59.999999999-00:01")
	f.Fuzz(func(t *testing.T, text string) {
		at := savedOf(&storage.Manifest{Meta: map[string]string{metaSaved: text}})
		b, err := json.Marshal(protocol.Heartbeat{Saved: at})
		var again protocol.Heartbeat
		if err == nil {
			err = json.Unmarshal(b, &again)
		}
		if err != nil || !again.Saved.Equal(at) {
			t.Errorf("%q is read as %v, sent as %v, %v", text, at, again.Saved, err)
		}
	})
}
