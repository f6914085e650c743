package plan

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"testing"

	"github.com/topksweep/sweep/sweep/grid"
)

// Settings stay as the grid has them, also after an extension in which they mean other steps, and after the plan was
// stored.
func TestWritten(t *testing.T) {
	const head = "name: written\ndata: {source: acts}\n"
	p := planOf(t, head+"parameters: {decay_start: [0.8, none, 80]}\ntrain: {k: 8, steps: 100, warmup_steps: 0.1, "+
		"recipe: upstream}\n", Estimates{})
	add := planOf(t, head+"train: {k: 8, steps: 200, lr: 0.001, k_aux: 4, decay_start: 0.80, warmup_steps: 5, "+
		"recipe: upstream}\n", Estimates{})
	none := planOf(t, head+"train: {k: 9, steps: 200, lr: 0.001, k_aux: 4, decay_start: 3, warmup_steps: 0}\n",
		Estimates{})
	for _, other := range []*Plan{add, none} {
		if n, err := p.Extend(other); err != nil || n != 1 {
			t.Fatal(n, err)
		}
	}
	auto := map[string]string{"k_aux": "auto", "lr": "auto", "warmup_steps": "0.1"}
	with := func(decay string) map[string]string {
		m := maps.Clone(auto)
		m["decay_start"] = decay
		return m
	}
	// 0.8 of 100 steps is step 80: the cell is there once, as it was first written.
	want := []map[string]string{with("0.8"), with("none"), {"decay_start": "0.8"}, {}}
	b, err := json.Marshal(p.Cells)
	if err != nil {
		t.Fatal(err)
	}
	var stored []grid.Cell
	if err := json.Unmarshal(b, &stored); err != nil {
		t.Fatal(err)
	}
	for _, cells := range [][]grid.Cell{p.Cells, stored} {
		var got []map[string]string
		for _, c := range cells {
			if c.Written == nil {
				t.Errorf("cell %s is as one of an earlier version", c.ID)
			}
			got = append(got, c.Written)
		}
		if !slices.EqualFunc(got, want, maps.Equal) {
			t.Errorf("got %s\nwant %s", fmt.Sprint(got), fmt.Sprint(want))
		}
	}
	// A cell of an earlier version is told apart from one without such a setting.
	var old grid.Cell
	if err := json.Unmarshal([]byte(`{"id":"x"}`), &old); err != nil || old.Written != nil {
		t.Errorf("%v, %v", old.Written, err)
	}
}
