package plan

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/topksweep/sweep/sweep/grid"
	"github.com/topksweep/sweep/trainer"
)

// randomCells draws cells of several families.
func randomCells(r *rand.Rand) []grid.Cell {
	seen := map[trainer.Config]bool{}
	var cells []grid.Cell
	for range 1 + r.IntN(40) {
		c := trainer.Config{
			Recipe: "corrected", ActivationDim: 8, DictSize: 64, K: 1 + r.IntN(2), BatchSize: 16, LR: 0.001, KAux: 4,
			DeadFeatureThreshold: 200, Precision: "f32", Seed: int64(r.IntN(2)),
		}
		c.Steps = []int{1, 2, 30, 45}[r.IntN(4)]
		c.DecayStart = r.IntN(c.Steps + 1) // at Steps it is none
		c.AuxKAlpha = []float64{0, 0.03125, 0.5}[r.IntN(3)]
		if !seen[c] {
			seen[c] = true
			cells = append(cells, grid.Cell{ID: grid.CellID(c, "beef"), Config: c})
		}
	}
	return cells
}

func testHeader() *Header {
	return &Header{Name: "x", ID: "x-1", Info: trainer.DataInfo{Fingerprint: "beef"}, Run: grid.DefaultRunOptions()}
}

// Every cell is trained from its first step to its last, and each step of each
// trajectory once, wherever latents die. Cells share a step only if they train
// alike up to it.
func TestTreesCover(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 1))
	for range 500 {
		cells, h := randomCells(r), testHeader()
		covered := make([]int, len(cells)) // steps of each cell's run
		for number, tree := range newTrees(h, cells) {
			trained := map[string]bool{} // trajectory and step
			f := forecast{Tree: tree, dead: r.IntN(60)}
			ended := map[int]bool{}
			f.walk(func(s Stage, reached int) {
				first := cells[s.Cells[0].Cell]
				for step := s.From; step < reached; step++ {
					key := fmt.Sprint(h.CheckpointFolder(first, s.Level), step)
					if trained[key] {
						t.Fatalf("tree %d: step %d of a %s is trained twice", number, step, s.Level)
					}
					trained[key] = true
				}
				for _, c := range s.Cells {
					cell := cells[c.Cell]
					if covered[c.Cell] != s.From {
						t.Fatalf("cell %d has %d steps, and its next stage begins at %d",
							c.Cell, covered[c.Cell], s.From)
					}
					covered[c.Cell] = reached
					if h.CheckpointFolder(cell, s.Level) != h.CheckpointFolder(first, s.Level) {
						t.Fatalf("a %s of cells on different trajectories", s.Level)
					}
					for step := s.From; step < reached; step++ {
						if cell.Config.LRAt(int64(step)) != first.Config.LRAt(int64(step)) {
							t.Fatalf("cells %d and %d differ in the learning rate of step %d, in a %s %d → %d",
								c.Cell, s.Cells[0].Cell, step, s.Level, s.From, reached)
						}
					}
					sameAuxK := cell.Config.AuxKAlpha == first.Config.AuxKAlpha
					if !sameAuxK && reached > f.dead {
						t.Fatalf("cells of different AuxK share step %d, and latents are dead from %d on", reached-1, f.dead)
					}
					if s.CompletesRuns(reached) {
						if ended[c.Cell] || reached != cell.Config.Steps {
							t.Fatalf("cell %d ends at step %d, for the second time: %v", c.Cell, reached, ended[c.Cell])
						}
						ended[c.Cell] = true
					}
				}
			})
		}
		for i, c := range cells {
			if covered[i] != c.Config.Steps {
				t.Fatalf("cell %d: %d of %d steps", i, covered[i], c.Config.Steps)
			}
		}
	}
}

// The trees do not depend on the order of the cells.
func TestTreesAreUnordered(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 2))
	for range 200 {
		cells := randomCells(r)
		describe := func(cells []grid.Cell) []string {
			var all []string
			for _, tree := range newTrees(testHeader(), cells) {
				f := forecast{Tree: tree, dead: 12}
				f.walk(func(s Stage, reached int) {
					var ids []string
					for _, c := range s.Cells {
						ids = append(ids, c.ID)
					}
					slices.Sort(ids)
					folder := testHeader().CheckpointFolder(cells[s.Cells[0].Cell], s.Level)
					all = append(all, fmt.Sprint(folder, s.From, s.To, reached, ids))
				})
			}
			slices.Sort(all)
			return all
		}
		want := describe(cells)
		r.Shuffle(len(cells), func(i, j int) { cells[i], cells[j] = cells[j], cells[i] })
		if got := describe(cells); !slices.Equal(got, want) {
			t.Fatalf("%q\nwant %q", got, want)
		}
	}
}

// productCells draws the cells of a grid as people write it: a product of lists.
func productCells(r *rand.Rand) []grid.Cell {
	var cells []grid.Cell
	alphas, decays, lengths, dicts := 1+r.IntN(4), 1+r.IntN(6), 1+r.IntN(3), 1+r.IntN(4)
	for i := range alphas * decays * lengths * dicts {
		steps := 1000 * (1 + i/alphas/decays%lengths)
		c := trainer.Config{
			Recipe: "corrected", ActivationDim: 8, K: 8, BatchSize: 16, LR: 1, KAux: 4, DeadFeatureThreshold: 1,
			AuxKAlpha:  float64(i % alphas),
			DecayStart: steps * (10 - i/alphas%decays) / 10, // the first is none
			Steps:      steps,
			DictSize:   64 << (i / alphas / decays / lengths),
		}
		cells = append(cells, grid.Cell{ID: grid.CellID(c, "beef"), Config: c})
	}
	return cells
}

// Sharing saves time on the clock too. There are grids on which it costs time,
// because stages are not interrupted: a trunk may end just after shorter stages have
// begun in all slots, and its branches wait for them. Such grids are few, and they
// lose little.
func TestMakespan(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 3))
	slower, worst, all, gain := 0, 1.0, 0, 0.0
	for range 500 {
		var trees []forecast
		dead := r.IntN(2500)
		for _, tree := range newTrees(testHeader(), productCells(r)) {
			trees = append(trees, forecast{tree, dead, Cost{Step: tree.Weight}})
		}
		for _, slots := range []int{1, 2, 3, 4, 8, 16, 64} {
			shared, unshared := makespan(trees, slots), makespan(unshared(trees), slots)
			all++
			gain += unshared / shared
			if shared > unshared {
				slower++
				worst = max(worst, shared/unshared)
			}
			if slots == 1 && shared > unshared {
				t.Errorf("one slot: %v shared, %v unshared", shared, unshared)
			}
		}
	}
	t.Logf("%d grids and slots: %.2f× faster in the mean; slower on %d, at most %.2f×",
		all, gain/float64(all), slower, worst)
	if slower > all/200 || worst > 1.5 || gain/float64(all) < 1.5 {
		t.Error("sharing costs time")
	}
}

// Four decay_starts by four AuxK settings, in which no latent ever dies.
func TestFourByFour(t *testing.T) {
	p := planOf(t, `
name: g
data: {source: acts}
parameters: {decay_start: [0.5, 0.6, 0.7, 0.8], auxk_alpha: [0, 0.01, 0.03125, 0.1]}
train: {k: 8, dict_size: 64, steps: 1000, batch_size: 32, dead_feature_threshold: 10_000_000}
`, Estimates{})
	if p.StepsUnshared != 16_000 || p.StepsShared != p.StepsLeast ||
		float64(p.StepsUnshared)/float64(p.StepsShared) < 2.5 {
		t.Errorf("%+v", p.Totals)
	}
	// A trunk to step 801 with branches of 499, 399, 299 and 199 steps.
	if want := int64(801 + 499 + 399 + 299 + 199); p.StepsShared != want || p.Stages != 7 || p.Forks != 3 {
		t.Errorf("%d steps, want %d; %d stages, %d forks", p.StepsShared, want, p.Stages, p.Forks)
	}
}

// The earliest step with a dead latent is the first in which the tokens trained on
// pass the test, whatever the threshold.
func TestFirstDead(t *testing.T) {
	for _, recipe := range trainer.Recipes() {
		for threshold := int64(1); threshold < 200; threshold++ {
			c := trainer.Config{Recipe: recipe.Name, BatchSize: 16, DeadFeatureThreshold: threshold}
			got := int64(firstDead(c))
			if !recipe.Dead((got+1)*16, threshold) || got > 0 && recipe.Dead(got*16, threshold) {
				t.Errorf("%s, threshold %d: step %d", recipe.Name, threshold, got)
			}
		}
		for _, batch := range []int{1, 16, 4194304} {
			c := trainer.Config{Recipe: recipe.Name, BatchSize: batch, DeadFeatureThreshold: math.MaxInt64}
			if got := firstDead(c); got != math.MaxInt32 {
				t.Errorf("%s, the largest threshold, batches of %d: step %d", recipe.Name, batch, got)
			}
		}
	}
}

// A family of more cells than one tree holds is trained one tree after the
// other.
func TestLargeFamily(t *testing.T) {
	var cells []grid.Cell
	for i := range 2*MaxTreeCells + 1 {
		c := trainer.Config{
			Recipe: "corrected", ActivationDim: 8, DictSize: 64, K: 1, BatchSize: 16, LR: 1, KAux: 4,
			DeadFeatureThreshold: 1 << 40, Steps: 5000, DecayStart: i,
		}
		cells = append(cells, grid.Cell{ID: fmt.Sprint(i), Config: c})
	}
	trees := newTrees(testHeader(), cells)
	if len(trees) != 3 {
		t.Fatalf("%d trees", len(trees))
	}
	var f Frontier
	f.Start(0, trees[0], trees[0].Cells)
	if f.ShouldStart(trees[1], 8) {
		t.Error("two trees of a family at a time")
	}
	f.Next()
	f.CellsDone(0, MaxTreeCells)
	if !f.ShouldStart(trees[1], 8) {
		t.Error("the next tree of a family never begins")
	}
}

// gridOf is a grid with some parameters and training settings.
func gridOf(parameters, train string) string {
	return fmt.Sprintf("name: g\ndata: {source: acts}\nparameters: {%s}\ntrain: {batch_size: 32, steps: 100, %s}\n",
		parameters, train)
}

// What an extension adds comes behind what is there, which keeps its numbers.
func TestExtend(t *testing.T) {
	p := planOf(t, gridOf("decay_start: [0.5, 0.6], k: [8, 16]", ""), Estimates{})
	add := planOf(t, gridOf("decay_start: [0.6, 0.7], k: [8, 16], seed: [0, 1]", ""), Estimates{})
	before := slices.Clone(p.Cells)
	chunks, id := p.TreeChunks, p.ID
	n, err := p.Extend(add)
	if err != nil || n != 6 || len(p.Cells) != 10 || p.CellCount != 10 || p.ID != id || p.TreeChunks != chunks+1 {
		t.Fatalf("%d added, %d cells, %d chunks: %v", n, len(p.Cells), p.TreeChunks, err)
	}
	if !slices.Equal(p.Axes, []string{"decay_start", "k", "seed"}) {
		t.Errorf("axes %v", p.Axes)
	}
	for i, c := range before {
		if p.Cells[i].ID != c.ID {
			t.Errorf("cell %d has moved", i)
		}
	}
	if got := p.Label(p.Cells[0]); got != "decay_start=0.5 k=8 seed=0" {
		t.Errorf("label %q", got)
	}
	first, added := p.ChunkedTrees()
	if first != chunks || len(added) != 1 {
		t.Fatal(first, len(added))
	}
	trees := added[0]
	var numbers []int
	for _, tree := range trees {
		for _, c := range tree.Cells {
			numbers = append(numbers, c.Cell)
			if p.Cells[c.Cell].ID != c.ID {
				t.Errorf("a tree takes cell %d for %s", c.Cell, c.ID)
			}
		}
	}
	slices.Sort(numbers)
	if !slices.Equal(numbers, []int{4, 5, 6, 7, 8, 9}) {
		t.Errorf("the new trees have cells %v", numbers)
	}
	if n, err := p.Extend(add); n != 0 || err != nil {
		t.Errorf("again: %d added, %v", n, err)
	}
	add.Info.Fingerprint = "dead"
	if _, err := p.Extend(add); err == nil {
		t.Error("other data: no error")
	}
}

// A key that is constant in each of two grids, and different in the two, becomes an
// axis.
func TestExtendByAnotherConstant(t *testing.T) {
	p := planOf(t, gridOf("k: [8, 16]", "lr: 0.001"), Estimates{})
	_, err := p.Extend(planOf(t, gridOf("k: [8, 16]", "lr: 0.01"), Estimates{}))
	if err != nil {
		t.Fatal(err)
	}
	if label := p.Label(p.Cells[3]); !slices.Equal(p.Axes, []string{"k", "lr"}) || label != "k=16 lr=0.01" {
		t.Errorf("axes %v, %q", p.Axes, label)
	}
}

// Whatever is added to a plan, no two of its cells have one label.
func TestExtendTellsCellsApart(t *testing.T) {
	for _, c := range [][2]string{
		{gridOf("dict_size: [1024, 2048]", ""), gridOf("dict_size: [1024, 2048]", "lr: 0.001")},
		{gridOf("dict_size: [1024, 2048]", "lr: 0.001"), gridOf("dict_size: [1024, 2048]", "lr: 0.0010000001")},
		{gridOf("seed: [0, 1]", "k_aux: auto"), gridOf("seed: [0, 1]", "k_aux: 7")},
		{gridOf("k: [8, 16]", ""), gridOf("k: [8, 16]", "decay_start: none")},
		{gridOf("decay_start: [0.5, none]", ""), gridOf("decay_start: [0.5, none]", "seed: 1")},
		{gridOf("decay_start: [0.5, none]", "k: 8"), gridOf("k: [8, 16]", "decay_start: 80")},
		{
			"name: g\ndata: {source: acts}\nparameters: {steps: [100, 200]}\n",
			"name: g\ndata: {source: acts}\nparameters: {steps: [100, 200]}\ntrain: {decay_start: 0.5, k_aux: 3}\n",
		},
		{
			"name: g\ndata: {source: acts}\nparameters: {steps: [100, 200]}\n",
			"name: g\ndata: {source: acts}\nparameters: {steps: [100, 200]}\ninclude: [{steps: 100, seed: 2, lr: 1}]\n",
		},
	} {
		p := planOf(t, c[0], Estimates{})
		before := len(p.Cells)
		n, err := p.Extend(planOf(t, c[1], Estimates{}))
		if err != nil || n == 0 || len(p.Cells) != before+n {
			t.Fatalf("%d added: %v", n, err)
		}
		labels := map[string]bool{}
		for _, cell := range p.Cells {
			label := p.Label(cell)
			if labels[label] {
				t.Errorf("two cells are %q, extended by\n%s", label, c[1])
			}
			labels[label] = true
		}
	}
}

// A run whose learning rate never falls shares all steps but its last with the longer ones of its family, which begin
// at its end, and the whole constant phase with the others.
func TestTreeOfNone(t *testing.T) {
	p := planOf(t,
		"name: g\ndata: {source: acts}\nparameters: {steps: [100, 200], decay_start: [0.5, none, 0.9]}\n", Estimates{})
	if len(p.Trees) != 1 {
		t.Fatalf("%d trees", len(p.Trees))
	}
	var rows []string
	for _, r := range p.stageRows(p.Trees[0]) {
		rows = append(rows, strings.Repeat(" ", r.depth)+r.text)
	}
	want := []string{
		"trunk 0 → 51  (6 cells)",
		" branch 51 → 100  steps=100  decay_start=0.5",
		" trunk 51 → 91  (5 cells)",
		"  branch 91 → 100  steps=100  decay_start=0.9",
		"  trunk 91 → 99  (4 cells)",
		"   branch 99 → 100  steps=100  decay_start=none",
		"   trunk 99 → 101  steps=200  (3 cells)",
		"    branch 101 → 200  decay_start=0.5",
		"    trunk 101 → 181  (2 cells)",
		"     branch 181 → 200  decay_start=0.9",
		"     branch 181 → 200  decay_start=none",
	}
	if !slices.Equal(rows, want) {
		t.Errorf("\n%s\nwant\n%s", strings.Join(rows, "\n"), strings.Join(want, "\n"))
	}
	if want := int64(200 + 49 + 9 + 1 + 99 + 19); p.StepsLeast != want {
		t.Errorf("%d steps, want %d", p.StepsLeast, want)
	}
}
