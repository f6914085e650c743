package activities

import (
	"slices"
	"strings"
	"testing"

	"github.com/topksweep/sweep/storage"
	"github.com/topksweep/sweep/sweep/grid"
	"github.com/topksweep/sweep/sweep/ledger"
	"github.com/topksweep/sweep/sweep/plan"
	"github.com/topksweep/sweep/sweep/protocol"
)

func TestPrepareAndResults(t *testing.T) {
	b := newBench(t, openDir(t), makePlan(t, nil))
	b.finish()
	fail := func(cell int, s plan.Status, reason string) {
		t.Helper()
		if err := b.run(protocol.ActivityFail, protocol.FailInput{Sweep: b.plan.ID, Cells: []int{cell}, Status: s, Error: reason}); err != nil {
			t.Fatal(err)
		}
	}
	fail(0, plan.Failed, "step 3: the loss is NaN")
	fail(1, plan.Failed, "of a submission before the one that completed it")

	v, err := b.get(protocol.ActivityPrepare, protocol.ChunkRef{Sweep: b.plan.ID})
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
	if !slices.Equal(prepared, want) {
		t.Errorf("prepared %+v", prepared)
	}

	// Preparing again, as behind a seam of a long sweep, forgets no failure.
	check := func(status ...plan.Status) []ledger.Result {
		t.Helper()
		results, err := ledger.New(b.store).Results(t.Context(), &b.plan.Header)
		if err != nil || len(results) != 3 {
			t.Fatalf("%d results, %v", len(results), err)
		}
		for i, r := range results {
			if r.Cell != b.plan.Cells[i].ID || r.Config != b.plan.Cells[i].Config || r.Status != status[i] ||
				r.Data != b.plan.Info.Fingerprint {
				t.Errorf("result %d: %+v", i, r)
			}
		}
		return results
	}
	if r := check(plan.Failed, plan.Completed, plan.Pending); r[0].Error != "step 3: the loss is NaN" ||
		r[0].LMName != "toy" ||
		r[1].Error != "" {
		t.Errorf("results %+v", r)
	}
	if err := b.run(protocol.ActivityCollect, b.plan.ID); err != nil {
		t.Fatal(err)
	}
	files := keys(t, b.store, "sweeps/"+b.plan.ID+"/results/")
	if len(files) < 4 {
		t.Errorf("collected %v", files)
	}
	for _, f := range files {
		if text := string(read(t, b.store, f)); !strings.Contains(text, "pending") ||
			!strings.Contains(text, "failed") {
			t.Errorf("%s lacks a status:\n%s", f, text)
		}
	}
	before := snapshot(t, b.store)
	if err := b.run(protocol.ActivityCollect, b.plan.ID); err != nil {
		t.Fatal(err)
	}
	wantUnchanged(t, "collecting again", snapshot(t, b.store), before)

	// Once the cell runs again, its failure is history.
	if err := b.run(protocol.ActivityTrain, b.stage(0)); err != nil {
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
		b := newBench(t, openDir(t), makePlan(t, change))
		wantType(t, b.train(), "BadConfig", false)
		wantType(t, b.evaluate(), "BadConfig", false)
		if err := b.run(protocol.ActivityFail, protocol.FailInput{Sweep: b.plan.ID, Cells: []int{1}, Status: plan.Failed, Error: name}); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if err := b.run(protocol.ActivityTrain, b.stage(0)); err != nil {
			t.Errorf("%s: the cell beside it: %v", name, err)
		}
	}
	b := newBench(t, openDir(t), makePlan(t, nil))
	for _, cell := range []int{-1, 3, plan.ChunkSize - 1} {
		wantType(
			t,
			b.run(protocol.ActivityTrain, protocol.StageRef{CellRef: b.ref(cell), Level: plan.LevelRun, To: steps}),
			"BadConfig",
			false,
		)
	}
}

// A plan that is not there may be on its way to this worker's store.
func TestNoPlan(t *testing.T) {
	b := newWorker(t, openDir(t), makePlan(t, nil))
	if err := b.train(); err == nil || !strings.Contains(err.Error(), storage.ErrNotFound.Error()) ||
		!strings.Contains(err.Error(), "retryable: true") {
		t.Errorf("error %v, want not found, to be tried again", err)
	}
}
