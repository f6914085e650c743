package grid

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/topksweep/sweep/sweep/goldentest"
	"github.com/topksweep/sweep/trainer"
)

// infosOf describes each data set of a grid as if it had been opened: by its source, and with a width of its own.
func infosOf(g *Grid) []trainer.DataInfo {
	out := make([]trainer.DataInfo, len(g.Sets))
	for i, s := range g.Sets {
		out[i] = goldentest.DataInfo()
		if s.Name != "" {
			out[i].Fingerprint, out[i].Dim = "of "+s.Data.Source, 64+len(s.Data.Source)
		}
	}
	return out
}

func mustParse(t *testing.T, src string) *Grid {
	t.Helper()
	g, err := Parse("grid.yaml", []byte(src), ParseOptions{})
	if err != nil {
		t.Fatalf("%v\n%s", err, src)
	}
	return g
}

func cellsOf(t *testing.T, g *Grid, infos ...trainer.DataInfo) []Cell {
	t.Helper()
	cells, err := g.Cells(infos...)
	if err != nil {
		t.Fatal(err)
	}
	return cells
}

const twoSets = `
data:
  sets:
    l3: {source: acts/l3, layer: 3, verify: whole}
    l6.mlp: {source: acts/l6/mlp, eval_source: held/l6, layer: 6, normalize: none}
  normalize: mean_square
  lm_name: gpt2
  verify: sample
`

// Keys beside the sets are for all of them, and a set's own go first.
func TestSetsShareKeys(t *testing.T) {
	g := mustParse(t, "name: a\n"+twoSets+"parameters: {k: [8, 16]}\n")
	three, six := 3, 6
	want := []trainer.DataSpec{
		{Source: "acts/l3", Normalize: "mean_square", Names: trainer.Names{LMName: "gpt2", Layer: &three}},
		{Source: "acts/l6/mlp", EvalSource: "held/l6", Normalize: "none", Verify: "sample",
			Names: trainer.Names{LMName: "gpt2", Layer: &six}},
	}
	for i, s := range g.Sets {
		if !reflect.DeepEqual(*s.Data, want[i]) {
			t.Errorf("%s: %+v, want %+v", s.Name, *s.Data, want[i])
		}
	}
	if !reflect.DeepEqual(g.Data, trainer.DataSpec{}) {
		t.Errorf("data without a name: %+v", g.Data)
	}
}

// A set's own source or synthetic takes the place of what stands beside the sets.
func TestSetsOfTwoKinds(t *testing.T) {
	toy := "{activation_dim: 8, directions: 9, tokens: 100, active: 2}"
	for _, src := range []string{
		"{source: acts, sets: {a: {layer: 3}, b: {synthetic: " + toy + "}}}",
		"{synthetic: " + toy + ", sets: {a: {source: acts}, b: {layer: 3}}}",
	} {
		g := mustParse(t, "name: a\ndata: "+src+"\nparameters: {k: [4]}\n")
		a, b := g.Sets[0].Data, g.Sets[1].Data
		if a.Source != "acts" || a.Synthetic != nil || b.Source != "" || b.Synthetic == nil || b.Synthetic.Zipf != 1 {
			t.Errorf("%s: %+v, %+v", src, a, b)
		}
	}
}

// The cells of a grid with several data sets are those of a grid for each, with equal IDs: the data set is an axis, and
// the slowest one unless parameters says where it stands.
func TestSetsAreAnAxis(t *testing.T) {
	rest := `train: {steps: 1000}
parameters:
  k: [8, 16]
  dict_size: [64, 128]
  decay_start: [0.5, none]
zip: [[k, dict_size]]
exclude: [{k: 8, decay_start: none}]
`
	g := mustParse(t, "name: a\n"+twoSets+rest)
	cells := cellsOf(t, g, infosOf(g)...)
	var want []Cell
	for i, s := range g.Sets {
		single := mustParse(t, "name: a\ndata: {source: "+s.Data.Source+"}\n"+rest)
		for _, c := range cellsOf(t, single, infosOf(g)[i]) {
			c.Values = append([]string{s.Name}, c.Values...)
			c.Data = s.Name
			want = append(want, c)
		}
	}
	if !reflect.DeepEqual(cells, want) {
		t.Errorf("cells\n%v\nwant\n%v", cells, want)
	}
	if got := g.Varying(); !slices.Equal(got, []string{"data", "k", "dict_size", "decay_start"}) {
		t.Errorf("axes %v", got)
	}
	if cells[0].Config.ActivationDim == cells[len(cells)-1].Config.ActivationDim ||
		cells[0].Config.KAux == cells[len(cells)-1].Config.KAux {
		t.Errorf("the widths of the sets do not count: %v", cells)
	}
	last := mustParse(t, "name: a\n"+twoSets+strings.Replace(rest, "zip:", "  data: [l6.mlp, l3]\nzip:", 1))
	again := cellsOf(t, last, infosOf(last)...)
	if got := last.Varying(); !slices.Equal(got, []string{"k", "dict_size", "decay_start", "data"}) {
		t.Errorf("axes %v", got)
	}
	if ids := sortedIDs(again); !slices.Equal(ids, sortedIDs(cells)) {
		t.Errorf("the place of the axis changes IDs: %v, want %v", ids, sortedIDs(cells))
	}
	if again[0].Data != "l6.mlp" || again[1].Data != "l3" || again[0].Values[3] != "l6.mlp" {
		t.Errorf("cells %v", again)
	}
}

func sortedIDs(cells []Cell) (ids []string) {
	for _, c := range cells {
		ids = append(ids, c.ID)
	}
	slices.Sort(ids)
	return ids
}

// parameters, zip, exclude and include name data sets as they name values of any axis.
func TestSetsAsValues(t *testing.T) {
	for _, c := range []struct{ rest, want string }{
		{"parameters: {k: [8, 16]}\n", "l3/8 l3/16 l6.mlp/8 l6.mlp/16"},
		{"parameters: {k: [8, 16], data: [l6.mlp]}\n", "l6.mlp/8 l6.mlp/16"},
		{"parameters: {k: [8, 16], data: l3}\n", "l3/8 l3/16"},
		{"parameters: {k: [8, 16]}\ntrain: {data: l3}\n", "l3/8 l3/16"},
		{"parameters: {k: [8, 16], data: [l6.mlp, l3]}\nzip: [[data, k]]\n", "l6.mlp/8 l3/16"},
		{"parameters: {k: [8, 16]}\nexclude: [{data: l3, k: 16}]\n", "l3/8 l6.mlp/8 l6.mlp/16"},
		{"parameters: {k: [8]}\ninclude: [{data: l3, k: 9}]\n", "l3/8 l6.mlp/8 l3/9"},
		{"parameters: {k: [8], data: [l3]}\ninclude: [{data: l6.mlp, k: 9}]\n", "l3/8 l6.mlp/9"},
		{"parameters: {k: 8}\n", "l3/8 l6.mlp/8"},
		{"train: {k: 8}\n", "l3/8 l6.mlp/8"},
		{"include: [{data: l6.mlp, k: 9}, {data: l3, k: 3}]\n", "l6.mlp/9 l3/3"},
	} {
		g := mustParse(t, "name: a\n"+twoSets+c.rest)
		var got []string
		for _, cell := range cellsOf(t, g, infosOf(g)...) {
			got = append(got, fmt.Sprintf("%s/%d", cell.Data, cell.Config.K))
			sources := map[string]string{"l3": "acts/l3", "l6.mlp": "acts/l6/mlp"}
			if want := CellID(cell.Config, "of "+sources[cell.Data]); cell.ID != want {
				t.Errorf("%s: ID %s, want that of its data, %s", c.rest, cell.ID, want)
			}
		}
		if s := strings.Join(got, " "); s != c.want {
			t.Errorf("%s: %s, want %s", c.rest, s, c.want)
		}
		for _, s := range g.Sets {
			if !strings.Contains(c.want, s.Name+"/") {
				t.Errorf("%s: no cell has %s, which is opened", c.rest, s.Name)
			}
		}
	}
}

// Two names of the same data would be two names of the same runs.
func TestSetsOfOneFingerprint(t *testing.T) {
	g := mustParse(t, "name: a\n"+twoSets+"parameters: {k: [8]}\n")
	infos := infosOf(g)
	infos[1].Fingerprint = infos[0].Fingerprint
	_, err := g.Cells(infos...)
	want := "grid.yaml:6:5: data.sets.l6.mlp: is the same data as l3"
	if err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("%v, want %s", err, want)
	}
	errs := g.DataErrors(1, []error{fmt.Errorf("gone")}, func(error) bool { return true })
	if got := errs.Error(); got != "grid.yaml:6:48: data.sets.l6.mlp: gone" {
		t.Error(got)
	}
	if _, err := g.Cells(infos[0]); err == nil {
		t.Error("cells of two sets, of which one is described")
	}
}

// Many sets are read, and more than the limit are an error.
func TestManySets(t *testing.T) {
	for _, n := range []int{maxSets, maxSets + 1} {
		src := "name: a\ndata:\n  sets:\n"
		for i := range n {
			src += fmt.Sprintf("    l%d: {source: acts/%[1]d}\n", i)
		}
		g, err := Parse("grid.yaml", []byte(src+"parameters: {k: [8]}\n"), ParseOptions{})
		if (err == nil) != (n <= maxSets) {
			t.Errorf("%d sets: %v", n, err)
		}
		if err == nil && len(g.Sets) != n {
			t.Errorf("%d sets, want %d", len(g.Sets), n)
		}
	}
}
