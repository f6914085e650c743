package activities

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/topksweep/sweep/sweep/grid"
	"github.com/topksweep/sweep/sweep/ledger"
	"github.com/topksweep/sweep/sweep/plan"
	"github.com/topksweep/sweep/sweep/protocol"
	"github.com/topksweep/sweep/trainer"
	"github.com/topksweep/sweep/trainer/data"
)

// planOfSets plans a grid on its data sets.
func planOfSets(t *testing.T, src string) *plan.Plan {
	t.Helper()
	g, err := grid.Parse("grid.yaml", []byte(src), grid.ParseOptions{})
	if err != nil {
		t.Fatalf("%v\n%s", err, src)
	}
	var infos []trainer.DataInfo
	for _, s := range g.Sets {
		set, err := data.Open(t.Context(), *s.Data, data.Options{})
		if err != nil {
			t.Fatal(err)
		}
		infos = append(infos, set.Info())
		if err := set.Close(); err != nil {
			t.Fatal(err)
		}
	}
	p, err := plan.NewOf(g, infos, plan.Estimates{})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// layers is a grid over the activations of two layers, which have different widths. wide is the one of that alone.
func layers(t *testing.T) (both, wide string) {
	t.Helper()
	dir := t.TempDir()
	for name, width := range map[string]int{"narrow": 6, "wide": 10} {
		if err := os.WriteFile(filepath.Join(dir, name+".npy"), someRows(900, width), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	const form = `
name: layers
data: %s
parameters: {k: [2, 3]}
train: {dict_size: 24, steps: 12, batch_size: 16, lr: 0.01, decay_start: 0.5, dead_feature_threshold: 100}
`
	source := func(name string, layer int) string {
		return fmt.Sprintf("{source: %s, layer: %d, normalize: mean_square, lm_name: toy}",
			filepath.Join(dir, name+".npy"), layer)
	}
	return fmt.Sprintf(form, "{sets: {narrow: "+source("narrow", 3)+", wide: "+source("wide", 6)+"}}"),
		fmt.Sprintf(form, source("wide", 6))
}

// finishCell trains and evaluates a run.
func (w *testWorker) finishCell(cell int) {
	w.Helper()
	steps := w.plan.Cells[cell].Config.Steps
	stage := protocol.StageRef{CellRef: w.ref(cell), Level: plan.LevelRun, To: steps, Cells: 1}
	if err := w.run(protocol.ActivityTrain, stage); err != nil {
		w.Fatal(err)
	}
	if err := w.run(protocol.ActivityEval, w.ref(cell)); err != nil {
		w.Fatal(err)
	}
}

// Each run of a sweep over several data sets trains on its own, and comes to the bits of a sweep of that alone.
func TestSeveralSets(t *testing.T) {
	both, wide := layers(t)
	w := submit(t, openDir(t), planOfSets(t, both))
	for _, cell := range []int{3, 0, 1, 2} {
		w.finishCell(cell)
	}
	if len(w.sets) != 2 {
		t.Errorf("%d data sets are open, want 2", len(w.sets))
	}
	alone := submit(t, openDir(t), planOfSets(t, wide))
	for cell, at := range []int{2, 3} {
		alone.finishCell(cell)
		id := alone.plan.RunID(alone.plan.Cells[cell].ID)
		if got := w.plan.RunID(w.plan.Cells[at].ID); got != id {
			t.Fatalf("cell %d is run %s, and %s in a sweep of its data alone", at, got, id)
		}
		key := ledger.ModelKey(id, modelWeights)
		if string(read(t, w.store, key)) != string(read(t, alone.store, key)) {
			t.Errorf("the weights of %s differ from those of the run alone", id)
		}
		for _, file := range []string{"README.md", modelConfig, modelResult} {
			got := string(read(t, w.store, ledger.ModelKey(id, file)))
			want := string(read(t, alone.store, ledger.ModelKey(id, file)))
			// What both say of the sweep and of time differs.
			want = strings.ReplaceAll(want, alone.plan.ID, w.plan.ID)
			if file != modelResult && got != want {
				t.Errorf("%s of %s is\n%s\nwant\n%s", file, id, got, want)
			}
			if !strings.Contains(got, "toy") {
				t.Errorf("%s of %s names no model:\n%s", file, id, got)
			}
		}
	}
	w.collectAll()
	for i, c := range w.plan.Cells {
		set := w.plan.DataOf(c)
		r, err := w.ledger.Result(t.Context(), w.plan.RunID(c.ID))
		if err != nil || r.Data != set.Info.Fingerprint || r.Scale != set.Info.Scale || *r.Layer != *set.Data.Layer ||
			r.Config.ActivationDim != set.Info.Dim {
			t.Errorf("result of cell %d: %+v, %v", i, r, err)
		}
	}
}

// Data that changed fail the runs of their set, and no others.
func TestOneSetChanged(t *testing.T) {
	both, _ := layers(t)
	p := planOfSets(t, both)
	if err := os.WriteFile(p.Sets[1].Data.Source, someRows(901, 10), 0o600); err != nil {
		t.Fatal(err)
	}
	w := submit(t, openDir(t), p)
	w.finishCell(0)
	stage := protocol.StageRef{CellRef: w.ref(2), Level: plan.LevelRun, To: 12, Cells: 1}
	err := w.run(protocol.ActivityTrain, stage)
	wantType(t, err, "DataChanged", false)
	w.finishCell(1)
	if err := os.Remove(p.Sets[1].Data.Source); err != nil {
		t.Fatal(err)
	}
	if err := w.run(protocol.ActivityTrain, stage); err == nil || !strings.Contains(err.Error(), "wide.npy") {
		t.Errorf("%v does not name the missing data", err)
	}
}
