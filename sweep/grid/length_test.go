package grid

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/topksweep/sweep/trainer"
)

// lengthCells returns the cells of a grid on data with 1,000 training rows.
func lengthCells(t *testing.T, settings string) (*Grid, []Cell) {
	t.Helper()
	g, err := Parse("grid.yaml", []byte("name: a\ndata: {source: acts}\n"+settings), ParseOptions{})
	if err != nil {
		t.Fatal(err)
	}
	cells, err := g.Cells(trainer.DataInfo{Rows: 1100, EvalRows: 100, Dim: 64, Fingerprint: "f00d"})
	if err != nil {
		t.Fatal(err)
	}
	return g, cells
}

// Tokens and epochs come to the fewest whole steps that are no fewer tokens.
func TestLengthSteps(t *testing.T) {
	for written, want := range map[string]int{
		"tokens: 1, batch_size: 100":        1,
		"tokens: 100, batch_size: 100":      1,
		"tokens: 101, batch_size: 100":      2,
		"tokens: 50_000_000":                24415, // batches of 2,048
		"epochs: 1, batch_size: 100":        10,
		"epochs: 0.5, batch_size: 100":      5,
		"epochs: 2, batch_size: 300":        7,  // 6.67
		"epochs: 0.07, batch_size: 10":      7,  // in float64 the product is more than 7
		"epochs: 0.29, batch_size: 10":      29, // and here it is less than 29
		"epochs: 1e-300, batch_size: 1":     1,
		"epochs: 1e6, batch_size: 1":        1_000_000_000,
		"epochs: 0.3333, batch_size: 1":     334,
		"tokens: 1e9, batch_size: 1":        1_000_000_000,
		"tokens: 4.1e15, batch_size: 4.1e6": 1_000_000_000,
	} {
		_, cells := lengthCells(t, "train: {"+written+"}\n")
		if got := cells[0].Config.Steps; got != want {
			t.Errorf("%s: %d steps, want %d", written, got, want)
		}
	}
}

// A cell is the same however its length is written, and each says how that was.
func TestLengthsAreSteps(t *testing.T) {
	const rest = "batch_size: 100, decay_start: 0.8, warmup_steps: 0.1, recipe: upstream}\n"
	_, steps := lengthCells(t, "train: {steps: 20, "+rest)
	if c := steps[0].Config; c.DecayStart != 16 || c.WarmupSteps != 2 {
		t.Fatalf("%+v", c)
	}
	for _, written := range []string{"tokens: 2000", "tokens: 1901", "epochs: 2", "epochs: 1.95"} {
		_, cells := lengthCells(t, "train: {"+written+", "+rest)
		if cells[0].ID != steps[0].ID || cells[0].Config != steps[0].Config {
			t.Errorf("%s: %+v, want %+v", written, cells[0].Config, steps[0].Config)
		}
		key, number, _ := strings.Cut(written, ": ")
		want := maps.Clone(steps[0].Written)
		want[key] = number
		if !maps.Equal(cells[0].Written, want) {
			t.Errorf("%s: written %v, want %v", written, cells[0].Written, want)
		}
	}
}

// Plans have the axis as the grid has it, and steps where the grid has several.
func TestLengthAxes(t *testing.T) {
	for _, test := range []struct {
		settings, axes string
		values         []string
		duplicates     int
	}{
		{"parameters: {tokens: [1e3, 2_000], k: [4, 8]}\nzip: [[tokens, k]]\ntrain: {batch_size: 100}\n",
			"tokens k", []string{"1000 4", "2000 8"}, 0},
		{"parameters: {epochs: [0.50, 1], batch_size: [10, 20]}\nexclude: [{epochs: 0.5, batch_size: 20}]\n",
			"epochs batch_size", []string{"0.5 10", "1 10", "1 20"}, 0},
		{"parameters: {tokens: [950, 1000], batch_size: [100]}\n", "tokens", []string{"950"}, 1},
		{"parameters: {k: [4]}\ntrain: {tokens: 1000}\ninclude: [{k: 4, tokens: 3000}]\n",
			"tokens", []string{"1000", "3000"}, 0},
		{"parameters: {tokens: [1000, 2000]}\ntrain: {batch_size: 100}\ninclude: [{steps: 30}, {epochs: 1}]\n",
			"steps", []string{"10", "20", "30"}, 1},
		{"parameters: {k: [4, 8]}\ntrain: {epochs: 2}\n", "k", []string{"4", "8"}, 0},
		{"include: [{epochs: 1, batch_size: 10}, {epochs: 1, batch_size: 20}]\n",
			"batch_size", []string{"10", "20"}, 0},
	} {
		g, cells := lengthCells(t, test.settings)
		var values []string
		duplicates := 0
		for _, c := range cells {
			values = append(values, strings.Join(c.Values, " "))
			duplicates += c.Duplicates
		}
		if got := strings.Join(g.Varying(), " "); got != test.axes || !slices.Equal(values, test.values) ||
			duplicates != test.duplicates {
			t.Errorf("%s: %s %q, %d duplicates", test.settings, got, values, duplicates)
		}
	}
}

// What is wrong with steps that follow from the data stands at the value that gives them.
func TestLengthsOnData(t *testing.T) {
	g, err := Parse("grid.yaml", []byte("name: a\ndata: {source: acts}\nparameters:\n  epochs: [1, 2e6]\n"+
		"  batch_size: [1, 10]\ninclude: [{epochs: 1e300, batch_size: 1}, {epochs: 0.01, batch_size: 1, decay_start: 10}]\n"),
		ParseOptions{})
	if err != nil {
		t.Fatal(err)
	}
	_, err = g.Cells(trainer.DataInfo{Rows: 1100, EvalRows: 100, Dim: 64, Fingerprint: "f00d"})
	const want = "grid.yaml:4:15: parameters.epochs: 2e+06 epochs are 2,000,000,000 steps of batch_size 1: " +
		"want at most 1,000,000,000\n" +
		"grid.yaml:6:20: include[0].epochs: 1e+300 epochs are far too many steps of batch_size 1: " +
		"want at most 1,000,000,000\n" +
		"grid.yaml:6:86: include[1].decay_start: step 10 is outside [0, 10), the steps of the run; " +
		"none keeps the learning rate constant"
	if err == nil || err.Error() != want {
		t.Errorf("got %v\nwant %s", err, want)
	}
}
