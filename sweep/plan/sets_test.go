package plan

import (
	"bytes"
	"encoding/json"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/topksweep/sweep/sweep/goldentest"
	"github.com/topksweep/sweep/sweep/grid"
	"github.com/topksweep/sweep/trainer"
)

const setsGrid = `
data: {sets: {l3: {source: acts/3}, l6: {source: acts/6, layer: 6}}}
parameters: {k: [8, 16], decay_start: [0.5, 0.8]}
train: {dict_size: 64, steps: 1000}
`

// infoAt describes the data of a source as if it had been opened.
func infoAt(source string) trainer.DataInfo {
	info := goldentest.DataInfo()
	info.Fingerprint = "of " + source
	info.Dim += len(source) % 7 * int(source[len(source)-1]-'0')
	info.Rows *= int64(source[len(source)-1] - '0')
	return info
}

func planOfSets(t *testing.T, src string) *Plan {
	t.Helper()
	g, err := grid.Parse("grid.yaml", []byte("name: sets\n"+src), grid.ParseOptions{})
	if err != nil {
		t.Fatalf("%v\n%s", err, src)
	}
	var infos []trainer.DataInfo
	for _, s := range g.Sets {
		infos = append(infos, infoAt(s.Data.Source))
	}
	p, err := NewOf(g, infos, testEstimates())
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// single returns setsGrid with one data set, without a name.
func single(source string) string {
	_, rest, _ := strings.Cut(strings.TrimPrefix(setsGrid, "\n"), "\n")
	return "data: {source: " + source + "}\n" + rest
}

// A plan of several data sets has the cells and the trees of the plans of each, and takes what they take together.
func TestPlanOfSets(t *testing.T) {
	p := planOfSets(t, setsGrid)
	if p.Version != 4 || len(p.Sets) != 2 || !reflect.DeepEqual(p.Data, trainer.DataSpec{}) || p.Info.Rows != 0 {
		t.Errorf("version %d, sets %+v, data %+v", p.Version, p.Sets, p.Data)
	}
	var cells []string
	var families []string
	var tokens, steps int64
	for _, source := range []string{"acts/3", "acts/6"} {
		one := planOfSets(t, single(source))
		if one.Version != 1 || len(one.Sets) > 0 || one.Data.Source != source {
			t.Errorf("one set: version %d, %+v", one.Version, one.Header)
		}
		for _, c := range one.Cells {
			cells = append(cells, c.ID)
			if c.Data != "" || one.DataOf(c).Info.Fingerprint != "of "+source {
				t.Errorf("cell %+v is on %+v", c, one.DataOf(c))
			}
		}
		for _, tree := range one.Trees {
			families = append(families, TrajectoryOf(tree.Family))
		}
		tokens, steps = tokens+one.Tokens, steps+one.StepsShared
	}
	var ids, of []string
	for _, c := range p.Cells {
		ids = append(ids, c.ID)
		if set := p.DataOf(c); !p.Identifies(c) || set.Name != c.Data || set.Info.Dim != c.Config.ActivationDim {
			t.Errorf("cell %+v is on %+v", c, set)
		}
	}
	for _, tree := range p.Trees {
		of = append(of, TrajectoryOf(tree.Family))
		for _, c := range tree.Cells {
			if p.Cells[c.Cell].Data != p.Cells[tree.Cells[0].Cell].Data {
				t.Errorf("cells of two data sets are one family: %+v", tree)
			}
		}
	}
	slices.Sort(families)
	slices.Sort(of)
	if !slices.Equal(ids, cells) || !slices.Equal(of, families) || p.Tokens != tokens || p.StepsShared != steps {
		t.Errorf("cells %v, want %v; families %v, want %v; %d tokens of %d, %d steps of %d",
			ids, cells, of, families, p.Tokens, tokens, p.StepsShared, steps)
	}
	if got := p.Label(p.Cells[0]); got != "data=l3 k=8 decay_start=0.5" {
		t.Error(got)
	}
	if p.EpochsMin == p.EpochsMax {
		t.Error("the sets have one number of rows")
	}
	// A cell that loses its set is not taken for one of another.
	c := p.Cells[4]
	for _, name := range []string{"", "l3", "l9"} {
		if c.Data = name; p.Identifies(c) {
			t.Errorf("a cell of l6 passes for one of %q", name)
		}
	}
	var text bytes.Buffer
	if err := p.WriteText(&text, false, 0); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"l3, acts/3: 3,000,000 rows", "l6, acts/6: 6,000,000 rows", "  data   k  decay_start"} {
		if !strings.Contains(text.String(), want) {
			t.Errorf("no %q in\n%s", want, &text)
		}
	}
}

// What excludes all cells of a set leaves the set out of the plan.
func TestPlanWithoutUnusedSet(t *testing.T) {
	p := planOfSets(t, setsGrid+"exclude: [{data: l6}]\n")
	if len(p.Sets) != 1 || p.Sets[0].Name != "l3" || len(p.Cells) != 4 {
		t.Errorf("%d cells, sets %+v", len(p.Cells), p.Sets)
	}
}

// Estimates of a tree are for the held-out rows of its data.
func TestCostsOfSets(t *testing.T) {
	rows := map[int]map[int64]bool{} // by width
	g, err := grid.Parse("grid.yaml", []byte("name: sets\n"+setsGrid), grid.ParseOptions{})
	if err != nil {
		t.Fatal(err)
	}
	infos := []trainer.DataInfo{infoAt("acts/3"), infoAt("acts/6")}
	infos[1].EvalRows = 7
	_, err = NewOf(g, infos, Estimates{Costs: func(w Work) func(trainer.Config, int64) Cost {
		if w.EvalRows != infos[0].EvalRows {
			t.Errorf("%d rows at most, want %d", w.EvalRows, infos[0].EvalRows)
		}
		return func(c trainer.Config, n int64) Cost {
			if rows[c.ActivationDim] == nil {
				rows[c.ActivationDim] = map[int64]bool{}
			}
			rows[c.ActivationDim][n] = true
			return Cost{Step: 1}
		}
	}})
	want := map[int]map[int64]bool{infos[0].Dim: {infos[0].EvalRows: true}, infos[1].Dim: {7: true}}
	if err != nil || !reflect.DeepEqual(rows, want) {
		t.Errorf("%v, want %v; %v", rows, want, err)
	}
}

// A sweep takes cells of further data sets, and cells of its own ones, whatever a grid calls them.
func TestExtendBySets(t *testing.T) {
	for name, c := range map[string]struct {
		have, add string
		err       string
		sets      string // of the extended plan
		added     int
	}{
		"a set more": {
			setsGrid, "data: {sets: {l9: {source: acts/9}, l3: {source: acts/3}}}\nparameters: {k: [8]}\n" +
				"train: {dict_size: 64, steps: 1000, decay_start: 0.5}\n", "", "l3 l6 l9", 1,
		},
		"one set becomes two": {single("acts/6"), setsGrid, "", "l6 l3", 4},
		"more cells of one set": {
			setsGrid, strings.Replace(single("acts/6"), "[8, 16]", "[8, 32]", 1), "", "l3 l6", 2,
		},
		"another name": {
			setsGrid, strings.ReplaceAll(strings.ReplaceAll(setsGrid, "l6:", "six:"), "[8, 16]", "[16, 32]"), "", "l3 l6", 4,
		},
		"one set, and its name": {
			single("acts/3"), "data: {sets: {l3: {source: acts/3}}}\nparameters: {k: [32]}\n" +
				"train: {dict_size: 64, steps: 1000}\n", "", "", 1,
		},
		"nothing new":              {setsGrid, single("acts/3"), "", "l3 l6", 0},
		"other data without names": {single("acts/3"), single("acts/6"), "that of the grid has of acts/6", "", 0},
		"its own data is not named": {
			single("acts/3"), "data: {sets: {l6: {source: acts/6}}}\nparameters: {k: [8]}\n", "in data.sets too", "", 0,
		},
		"new data without a name": {setsGrid, single("acts/9"), "give the data a name", "", 0},
		"a name of other data": {
			setsGrid, strings.ReplaceAll(setsGrid, "acts/6", "acts/9"), "give it another name", "", 0,
		},
	} {
		p, add := planOfSets(t, c.have), planOfSets(t, c.add)
		before := slices.Clone(p.Cells)
		n, err := p.Extend(add)
		if c.err != "" {
			if err == nil || !strings.Contains(err.Error(), c.err) {
				t.Errorf("%s: %v, want %s", name, err, c.err)
			}
			continue
		}
		var names []string
		for _, s := range p.Sets {
			names = append(names, s.Name)
		}
		if err != nil || n != c.added || strings.Join(names, " ") != c.sets || p.Version != VersionOf(&p.Header) {
			t.Errorf("%s: %d cells, sets %v, %v", name, n, names, err)
		}
		several := len(p.Sets) > 1
		if several != slices.Contains(p.Axes, grid.DataKey) {
			t.Errorf("%s: axes %v", name, p.Axes)
		}
		labels := map[string]bool{}
		for i, cell := range p.Cells {
			set, label := p.DataOf(cell), p.Label(cell)
			if !p.Identifies(cell) || several && !strings.Contains(label, "data="+set.Name) || labels[label] {
				t.Errorf("%s: cell %d, %s, is on %s", name, i, label, set.Info.Fingerprint)
			}
			labels[label] = true
			if i < len(before) && cell.ID != before[i].ID {
				t.Errorf("%s: cell %d has another ID", name, i)
			}
		}
		if again, err := p.Extend(add); again != 0 || err != nil {
			t.Errorf("%s, again: %d cells more, %v", name, again, err)
		}
	}
}

// A header takes from another one where the same data lie, and what they are called.
func TestWithPlaces(t *testing.T) {
	p, moved := planOfSets(t, setsGrid), planOfSets(t, strings.Replace(setsGrid, "layer: 6", "layer: 7", 1))
	got := p.WithPlaces(&moved.Header)
	if *got.Sets[1].Data.Layer != 7 || *p.Sets[1].Data.Layer != 6 || got.Sets[0].Data.Source != "acts/3" {
		t.Errorf("%+v", got.Sets)
	}
	one := planOfSets(t, strings.Replace(single("acts/6"), "}", ", layer: 8}", 1))
	if got := p.WithPlaces(&one.Header); *got.Sets[1].Data.Layer != 8 || got.Sets[0].Data.Layer != nil {
		t.Errorf("%+v", got.Sets)
	}
}

// Cells of another plan are compared by their data, not by what that plan calls them.
func TestNamedHere(t *testing.T) {
	p := planOfSets(t, setsGrid)
	for src, want := range map[string]string{
		single("acts/6"): "l6", single("acts/9"): "of acts/9", strings.Replace(setsGrid, "l3:", "three:", 1): "l3",
	} {
		of := planOfSets(t, src)
		cells := p.Restate(p.NamedHere(&of.Header, of.Cells), of.Axes)
		if got := cells[0].Values[0]; got != want || of.Cells[0].Data == want {
			t.Errorf("%s: %s, want %s", src, got, want)
		}
	}
	one := planOfSets(t, single("acts/6"))
	if got := one.NamedHere(&p.Header, p.Cells); got[0].Data != "l3" {
		t.Errorf("%+v", got[0])
	}
}

// The JSON of a plan of one data set has no key of several.
func TestPlanOfOneSetInJSON(t *testing.T) {
	var b bytes.Buffer
	p := planOfSets(t, single("acts/3"))
	if err := p.WriteJSON(&b); err != nil {
		t.Fatal(err)
	}
	var all struct {
		Sets  json.RawMessage   `json:"data_sets"`
		Cells []json.RawMessage `json:"cell_list"`
	}
	if err := json.Unmarshal(b.Bytes(), &all); err != nil || all.Sets != nil ||
		bytes.Contains(all.Cells[0], []byte(`"data"`)) {
		t.Errorf("%s, %s, %v", all.Sets, all.Cells[0], err)
	}
}

// infosOf describes each data set of a grid as if it had been opened.
func infosOf(g *grid.Grid) []trainer.DataInfo {
	out := make([]trainer.DataInfo, len(g.Sets))
	for i, s := range g.Sets {
		out[i] = goldentest.DataInfo()
		out[i].Fingerprint += s.Name
	}
	return out
}
