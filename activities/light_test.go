package activities

import (
	"reflect"
	"strings"
	"testing"

	"github.com/topksweep/sweep/storage"
	"github.com/topksweep/sweep/sweep/grid"
	"github.com/topksweep/sweep/sweep/ledger"
	"github.com/topksweep/sweep/sweep/plan"
	"github.com/topksweep/sweep/sweep/protocol"
)

// recordFailure notes that a cell has failed.
func (w *testWorker) recordFailure(cell int, reason string) {
	w.Helper()
	in := protocol.FailInput{Sweep: w.plan.ID, Cells: []int{cell}, Status: plan.Failed, Error: reason}
	if err := w.run(protocol.ActivityFail, in); err != nil {
		w.Error(err)
	}
}

// The activities that begin and end a sweep agree on what each cell has come to.
func TestPrepareAndResults(t *testing.T) {
	w := submit(t, openDir(t), makePlan(t, nil))
	w.finish()
	w.recordFailure(0, "step 3: the loss is NaN")
	w.recordFailure(1, "in an earlier submission than the one that completed it")

	v, err := w.get(protocol.ActivityPrepare, protocol.ChunkRef{Sweep: w.plan.ID})
	if err != nil {
		t.Fatal(err)
	}
	var trees []plan.Tree
	if err := v.Get(&trees); err != nil {
		t.Fatal(err)
	}
	var prepared []plan.TreeCell
	for _, tree := range trees {
		prepared = append(prepared, tree.Cells...)
	}
	cell := plan.TreeCell{Decay: steps / 2, Steps: steps}
	want := []plan.TreeCell{cell, cell, cell}
	for i, label := range []string{"k=2", "k=3", "k=4"} {
		want[i].Cell, want[i].Label, want[i].Done = i, label, i == 1
	}
	metrics := plan.BriefOf(w.results(t)[1].Metrics)
	want[1].Brief = &metrics
	if !reflect.DeepEqual(prepared, want) {
		t.Errorf("prepared %+v", prepared)
	}

	// Preparing forgets no failure: a long sweep does it again when it continues as new.
	check := func(status ...plan.Status) []ledger.Result {
		t.Helper()
		results := w.results(t)
		if len(results) != 3 {
			t.Fatalf("%d results", len(results))
		}
		for i, r := range results {
			want := ledger.NewResult(&w.plan.Header, w.plan.Cells[i], status[i])
			if r.Cell != want.Cell || r.Config != want.Config || r.Status != want.Status || r.Data != want.Data {
				t.Errorf("result %d: %+v, want %+v", i, r, want)
			}
		}
		return results
	}
	r := check(plan.Failed, plan.Completed, plan.Pending)
	if r[0].Error != "step 3: the loss is NaN" || r[0].LMName != "toy" || r[1].Error != "" {
		t.Errorf("results %+v", r)
	}
	if err := w.run(protocol.ActivityCollect, w.plan.ID); err != nil {
		t.Fatal(err)
	}
	files := keys(t, w.store, "sweeps/"+w.plan.ID+"/results/")
	if len(files) < 4 {
		t.Errorf("collected %v", files)
	}
	for _, f := range files {
		text := string(read(t, w.store, f))
		if !strings.Contains(text, "pending") || !strings.Contains(text, "failed") {
			t.Errorf("%s lacks a status:\n%s", f, text)
		}
	}
	before := snapshot(t, w.store)
	if err := w.run(protocol.ActivityCollect, w.plan.ID); err != nil {
		t.Fatal(err)
	}
	wantUnchanged(t, "collecting again", snapshot(t, w.store), before)

	// When a cell is trained again, the note of its failure goes.
	if err := w.run(protocol.ActivityTrain, w.stage(0)); err != nil {
		t.Fatal(err)
	}
	check(plan.Pending, plan.Completed, plan.Pending)
}

// A cell that cannot be trained fails alone: its failure can still be recorded.
func TestBadConfig(t *testing.T) {
	for name, change := range map[string]func(*plan.Plan){
		"invalid": func(p *plan.Plan) {
			c := &p.Cells[1]
			c.Config.K = 1000
			c.ID = grid.CellID(c.Config, p.Info.Fingerprint)
		},
		"other settings than its ID says": func(p *plan.Plan) { p.Cells[1].Config.K++ },
	} {
		w := submit(t, openDir(t), makePlan(t, change))
		wantType(t, w.train(), "BadConfig", false)
		wantType(t, w.evaluate(), "BadConfig", false)
		w.recordFailure(1, name)
		if r := w.results(t)[1]; r.Status != plan.Failed || r.Error != name {
			t.Errorf("%s: result %+v", name, r)
		}
		if err := w.run(protocol.ActivityTrain, w.stage(0)); err != nil {
			t.Errorf("%s: the cell beside it: %v", name, err)
		}
	}
	w := submit(t, openDir(t), makePlan(t, nil))
	for _, cell := range []int{-1, 3, plan.ChunkSize - 1} {
		ref := protocol.StageRef{CellRef: w.ref(cell), Level: plan.LevelRun, To: steps}
		wantType(t, w.run(protocol.ActivityTrain, ref), "BadConfig", false)
	}
}

// A worker whose store lacks a plan does not fail the sweep: another worker's store
// may have it.
func TestNoPlan(t *testing.T) {
	err := newWorker(t, openDir(t), makePlan(t, nil)).train()
	for _, want := range []string{storage.ErrNotFound.Error(), "retryable: true"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v lacks %q", err, want)
		}
	}
}

// A cell that is canceled one by one is kept and shown like others that have no result, until it is trained again.
func TestCanceledCell(t *testing.T) {
	w := submit(t, openDir(t), makePlan(t, nil))
	w.finish()
	const reason = `canceled by sweep cancel --cell, "see | below" <b>`
	in := protocol.FailInput{Sweep: w.plan.ID, Cells: []int{0, 1, 2}, Status: plan.Canceled, Error: reason}
	if err := w.run(protocol.ActivityFail, in); err != nil {
		t.Fatal(err)
	}
	w.recordFailure(2, "step 3: the loss is NaN") // the newest reason counts
	r := w.results(t)
	if r[0].Status != plan.Canceled || r[0].Error != reason || r[1].Status != plan.Completed || r[1].Error != "" ||
		r[2].Status != plan.Failed {
		t.Errorf("results %+v", r)
	}
	if err := w.run(protocol.ActivityCollect, w.plan.ID); err != nil {
		t.Fatal(err)
	}
	for _, f := range keys(t, w.store, "sweeps/"+w.plan.ID+"/results/") {
		text := string(read(t, w.store, f))
		if !strings.Contains(text, "canceled") || !strings.Contains(text, "failed") {
			t.Errorf("%s lacks a status:\n%s", f, text)
		}
	}
	// A stage that it shares says nothing about the cell alone.
	trunk := protocol.StageRef{CellRef: w.ref(0), Level: plan.LevelTrunk, To: steps / 2, Cells: 2}
	if err := w.run(protocol.ActivityTrain, trunk); err != nil {
		t.Fatal(err)
	}
	if r := w.results(t)[0]; r.Status != plan.Canceled || r.Error != reason {
		t.Errorf("after a shared stage: %+v", r)
	}
	if err := w.run(protocol.ActivityTrain, w.stage(0)); err != nil {
		t.Fatal(err)
	}
	if r := w.results(t)[0]; r.Status != plan.Pending || r.Error != "" {
		t.Errorf("trained again: %+v", r)
	}
}
