package plan

import (
	"reflect"
	"strings"
	"testing"

	"github.com/topksweep/sweep/sweep/goldentest"
	"github.com/topksweep/sweep/sweep/grid"
	"github.com/topksweep/sweep/trainer"
)

// initPlan plans a grid with the models a and b, whose hashes are these letters; others says which letters they are
// instead.
func initPlan(t *testing.T, sections string, others map[string]string) *Plan {
	t.Helper()
	g, err := grid.Parse("grid.yaml", []byte("name: a\ndata: {source: acts}\n"+sections), grid.ParseOptions{})
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]grid.Init{}
	for _, path := range g.Inits() {
		letter := path
		if other, ok := others[path]; ok {
			letter = other
		}
		found[path] = grid.Init{Hash: strings.Repeat(letter, 64), ActivationDim: 64, DictSize: 128, K: 4}
	}
	g.SetInits(found)
	p, err := New(g, goldentest.DataInfo(), Estimates{})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

const initTrain = "train: {steps: 100, dict_size: 128, k: 4}\n"

// Cells that begin from one model share their first steps. Cells that begin from others, or from drawn weights, do not:
// none of their trajectories has the same name.
func TestInitsShareNothing(t *testing.T) {
	p := initPlan(t, initTrain+"parameters: {init: [none, a, b], decay_start: [0.5, 0.8], auxk_alpha: [0, 0.1]}\n", nil)
	if len(p.Trees) != 3 {
		t.Fatalf("%d trees, want one for each beginning", len(p.Trees))
	}
	trajectories := map[string]string{}
	for _, c := range p.Cells {
		for l := range LevelRun + 1 {
			name := p.Trajectory(c, l)
			if before, seen := trajectories[name]; seen && before != c.Config.Init {
				t.Errorf("level %v: the trajectory %s is that of the models %.1q and %.1q", l, name, before, c.Config.Init)
			}
			trajectories[name] = c.Config.Init
		}
	}
	for _, tree := range p.Trees {
		if len(tree.Cells) != 4 {
			t.Errorf("a tree of %d cells, want 4", len(tree.Cells))
		}
	}
	want := []Init{{strings.Repeat("a", 64), "a"}, {strings.Repeat("b", 64), "b"}}
	if !reflect.DeepEqual(p.Inits, want) || p.Version != 2 {
		t.Errorf("version %d, inits %v, want 2 and %v", p.Version, p.Inits, want)
	}
	var text strings.Builder
	err := p.WriteText(&text, false, 0)
	if err != nil || !strings.Contains(text.String(), "init        a: aaaaaaaaaaaa\n") {
		t.Errorf("%v\n%s", err, text.String())
	}
}

// An older program would take the held-out rows of source in place of those of eval_source: it must refuse the plan.
func TestPlanOfEvalSourceHasAVersion(t *testing.T) {
	for data, want := range map[string]int{"{source: acts}": 1, "{source: acts, eval_source: held}": 2} {
		g, err := grid.Parse("grid.yaml", []byte("name: g\ndata: "+data+"\ntrain: {k: 4, dict_size: 64, steps: 10}\n"),
			grid.ParseOptions{})
		if err != nil {
			t.Fatal(err)
		}
		p, err := New(g, trainer.DataInfo{Rows: 1000, EvalRows: 100, Dim: 16, Scale: 1, Fingerprint: "f00d"}, Estimates{})
		if err != nil {
			t.Fatal(err)
		}
		if p.Version != want {
			t.Errorf("%s: version %d, want %d", data, p.Version, want)
		}
	}
}

// A plan without such cells stays what older programs read.
func TestPlanWithoutInits(t *testing.T) {
	p := initPlan(t, initTrain, nil)
	if p.Version != 1 || p.Inits != nil {
		t.Errorf("version %d, inits %v", p.Version, p.Inits)
	}
	if n, err := p.Extend(initPlan(t, initTrain+"parameters: {init: [a, b]}\n", nil)); err != nil || n != 2 {
		t.Fatalf("%d cells more, %v", n, err)
	}
	if p.Version != 2 || len(p.Inits) != 2 || !reflect.DeepEqual(p.Axes, []string{"init"}) {
		t.Errorf("version %d, inits %v, axes %q", p.Version, p.Inits, p.Axes)
	}
	var labels []string
	for _, c := range p.Cells {
		labels = append(labels, p.Label(c))
	}
	if want := []string{"init=none", "init=a", "init=b"}; !reflect.DeepEqual(labels, want) {
		t.Errorf("labels %q, want %q", labels, want)
	}
}

// Two sweeps of one model each: the axis that tells them apart has the paths.
func TestExtendByAnotherInit(t *testing.T) {
	p := initPlan(t, initTrain+"parameters: {init: a}\n", nil)
	if _, err := p.Extend(initPlan(t, initTrain+"parameters: {init: b}\n", nil)); err != nil {
		t.Fatal(err)
	}
	if got := []string{p.Label(p.Cells[0]), p.Label(p.Cells[1])}; !reflect.DeepEqual(got, []string{"init=a", "init=b"}) {
		t.Errorf("labels %q", got)
	}
}

// A model that changes at its path would have the label of the one before it.
func TestExtendByAChangedInit(t *testing.T) {
	p := initPlan(t, initTrain+"parameters: {init: a}\n", nil)
	before := p.Header
	_, err := p.Extend(initPlan(t, initTrain+"parameters: {init: a}\n", map[string]string{"a": "c"}))
	if err == nil || !strings.Contains(err.Error(), "the model at a has changed") {
		t.Errorf("error %v", err)
	}
	if !reflect.DeepEqual(p.Header, before) || len(p.Cells) != 1 {
		t.Error("the plan has changed")
	}
}

// trainer.Config.Init is part of every name that a checkpoint has.
func TestInitInNames(t *testing.T) {
	h := &Header{Name: "a", ID: "a-00000000", Semantics: trainer.SemanticsVersion}
	h.Run.SharePrefixes = true
	c := trainer.Config{Recipe: "corrected", ActivationDim: 64, DictSize: 128, K: 4, Steps: 10, BatchSize: 2}
	with := c
	with.Init = strings.Repeat("a", 64)
	for l := range LevelRun + 1 {
		a := grid.Cell{ID: h.configID(grid.Cell{}, c), Config: c}
		b := grid.Cell{ID: h.configID(grid.Cell{}, with), Config: with}
		if h.Trajectory(a, l) == h.Trajectory(b, l) || h.CheckpointFolder(a, l) == h.CheckpointFolder(b, l) {
			t.Errorf("level %v: one name for drawn weights and a model", l)
		}
		if !h.Identifies(b) {
			t.Error("a cell that begins from a model has another ID than its settings")
		}
	}
	// What a program that does not know the field makes of such a cell.
	if h.Identifies(grid.Cell{ID: h.configID(grid.Cell{}, with), Config: c}) {
		t.Error("without the model the cell has the same ID")
	}
}
