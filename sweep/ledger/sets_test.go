package ledger

import (
	"encoding/json"
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/topksweep/sweep/storage"
	"github.com/topksweep/sweep/storage/storagetest"
	"github.com/topksweep/sweep/sweep/goldentest"
	"github.com/topksweep/sweep/sweep/grid"
	"github.com/topksweep/sweep/sweep/plan"
	"github.com/topksweep/sweep/trainer"
)

const setsGrid = `
name: sets
data:
  sets: {l3: {source: acts/3, layer: 3}, l6: {source: acts/6, layer: 6}}
  lm_name: toy
parameters: {k: [2, 3]}
train: {dict_size: 24, steps: 40, batch_size: 16, lr: 0.01}
`

// planOfSets plans a grid whose data sets are told apart by their sources.
func planOfSets(t *testing.T, src string) *plan.Plan {
	t.Helper()
	g, err := grid.Parse("grid.yaml", []byte(src), grid.ParseOptions{})
	if err != nil {
		t.Fatal(err)
	}
	var infos []trainer.DataInfo
	for _, s := range g.Sets {
		info := goldentest.DataInfo()
		info.Fingerprint = "of " + s.Data.Source
		info.Scale = float64(len(g.Sets) + len(infos))
		infos = append(infos, info)
	}
	p, err := plan.NewOf(g, infos, plan.Estimates{})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// A program that does not know of several data sets refuses a plan with them: it sees a version that it does not know.
func TestOlderProgramRefusesSets(t *testing.T) {
	s := storagetest.NewMemory()
	p := planOfSets(t, setsGrid)
	l := storePlan(t, s, p)
	var stored map[string]any
	if err := json.Unmarshal([]byte(get(t, s, PlanKey(p.ID))), &stored); err != nil {
		t.Fatal(err)
	}
	delete(stored, "data_sets") // what an older program passes over
	b, err := json.Marshal(stored)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := decodeHeader(b); !errors.Is(err, storage.ErrNewerVersion) {
		t.Errorf("%v", err)
	}
	h, err := l.Header(t.Context(), p.ID)
	if err != nil || !reflect.DeepEqual(h.Sets, p.Sets) {
		t.Errorf("%+v, %v", h, err)
	}
	cells, err := l.Cells(t.Context(), h, 0)
	if err != nil || !reflect.DeepEqual(cells, p.Cells) {
		t.Errorf("%+v, %v", cells, err)
	}
	for _, change := range []func(h *plan.Header){
		func(h *plan.Header) { h.Sets[1].Name = "l3" },
		func(h *plan.Header) { h.Sets[0].Name = "" },
	} {
		bad := planOfSets(t, setsGrid)
		change(&bad.Header)
		if b, err = encodeHeader(&bad.Header); err != nil {
			t.Fatal(err)
		}
		if _, err := decodeHeader(b); !errors.Is(err, storage.ErrCorrupt) {
			t.Errorf("%+v: %v", bad.Sets, err)
		}
	}
}

// Results that a plan asks for have the data, the scale and the names of the cell's set.
func TestResultsOfSets(t *testing.T) {
	p := planOfSets(t, setsGrid)
	l := storePlan(t, storagetest.NewMemory(), p)
	results, err := l.Results(t.Context(), &p.Header)
	if err != nil || len(results) != 4 {
		t.Fatal(results, err)
	}
	for i, r := range results {
		set := p.Sets[i/2]
		if r.Set != set.Name || r.Data != set.Info.Fingerprint || r.Scale != set.Info.Scale || *r.Layer != *set.Data.Layer {
			t.Errorf("result %d: %+v, want those of %+v", i, r, set)
		}
	}
}

// A sweep of one data set that gets another one keeps its cells, which an older program may not train any more.
func TestExtendStoredBySets(t *testing.T) {
	s := storagetest.NewMemory()
	const sets = "sets: {l3: {source: acts/3, layer: 3}, l6: {source: acts/6, layer: 6}}"
	one := planOfSets(t, strings.Replace(setsGrid, sets, "source: acts/6", 1))
	l := storePlan(t, s, one)
	done, err := l.Extend(t.Context(), one.ID, planOfSets(t, setsGrid), []byte(setsGrid))
	if err != nil || done.Added != 2 {
		t.Fatal(done, err)
	}
	p, err := l.Plan(t.Context(), one.ID)
	if err != nil || p.Version != 4 || len(p.Cells) != 4 {
		t.Fatalf("%+v, %v", p, err)
	}
	want := []string{"k=2 data=l6", "k=3 data=l6", "k=2 data=l3", "k=3 data=l3"}
	for i, c := range p.Cells {
		if p.Label(c) != want[i] || !p.Identifies(c) {
			t.Errorf("cell %d is %s, want %s", i, p.Label(c), want[i])
		}
	}
	// Submitting the grid of before again keeps the new cells, and says where their data lie.
	again := planOfSets(t, strings.Replace(setsGrid, sets, "source: acts/6\n  layer: 7", 1))
	h, _, err := l.Submit(t.Context(), again, []byte("again"))
	if err != nil || h.CellCount != 4 || *h.Sets[0].Data.Layer != 7 || *h.Sets[1].Data.Layer != 3 {
		t.Errorf("%+v, %v", h, err)
	}
}

// Runs of a later sweep count as named otherwise where its set is the same data under other names.
func TestNamedLaterBySet(t *testing.T) {
	s, root := openDir(t)
	p := planOfSets(t, setsGrid)
	l := storePlan(t, s, p)
	setTime(t, root, PlanKey(p.ID), time.Now().Add(-time.Hour))
	later := planOfSets(t, strings.NewReplacer("name: sets", "name: later", "layer: 6", "layer: 7", "l3:", "three:").
		Replace(setsGrid))
	storePlan(t, s, later)
	runs, err := l.NamedLater(t.Context(), &p.Header)
	if err != nil {
		t.Fatal(err)
	}
	for i, c := range p.Cells {
		if want := i/2 == 1; runs[p.RunID(c.ID)] != want {
			t.Errorf("cell %d: named later is %t, want %t", i, !want, want)
		}
	}
}
