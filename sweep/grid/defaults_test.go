package grid

import (
	"fmt"
	"strings"
	"testing"

	"github.com/topksweep/sweep/trainer"
)

// A grid is valid that gives nothing but a recipe and good sizes, however small: no default is in the way.
func TestDefaultsFit(t *testing.T) {
	sizes := []int{1, 2, 3, 4, 5, 7, 8, 9, 63, 64, 99, 100, 101, 1000, 40_000}
	for _, r := range trainer.Recipes() {
		for _, steps := range sizes {
			for _, dict := range sizes {
				src := fmt.Sprintf("name: a\ndata: {source: acts}\ntrain: {recipe: %s, steps: %d, dict_size: %d}\n",
					r.Name, steps, dict)
				g, err := Parse("grid.yaml", []byte(src), ParseOptions{})
				if err != nil {
					t.Fatalf("%s%v", src, err)
				}
				for _, dim := range sizes[:12] {
					cells, err := g.Cells(trainer.DataInfo{Dim: dim, Rows: 1000, EvalRows: 100, Fingerprint: "f00d"})
					if err != nil {
						t.Fatalf("width %d:\n%s%v", dim, src, err)
					}
					c := cells[0].Config
					if c.K > 100 || c.K < min(dict, 100) || r.Threshold && c.ThresholdStartStep > steps/2 {
						t.Errorf("%s%+v", src, c)
					}
				}
			}
		}
	}
}

// Each field alone, at its smallest value and at others, makes no default invalid.
func TestDefaultsFitGivenValues(t *testing.T) {
	for _, line := range []string{
		"k: 1", "k: 32768", "dict_size: 1", "steps: 1", "batch_size: 1", "k_aux: 1", "decay_start: 0",
		"decay_start: 29999", "decay_start: none", "seed: 0", "threshold_start_step: 0", "threshold_beta: 0",
		"dead_feature_threshold: 1", "auxk_alpha: 0", "lr: 5e-324", "warmup_steps: 0",
		"recipe: upstream, warmup_steps: 0.99", "recipe: upstream, warmup_steps: 29999",
		"recipe: upstream, warmup_steps: 0.99, steps: 1", "recipe: upstream, warmup_steps: 1, steps: 2",
		"decay_start: 0.99, steps: 1", "decay_start: 0.9999999, steps: 3", "decay_start: none, steps: 1",
		"recipe: upstream, warmup_steps: 10, decay_start: none, steps: 10",
	} {
		src := "name: a\ndata: {source: acts}\ntrain: {" + line + "}\n"
		for _, c := range mustCells(t, src) {
			if errs := c.Config.Validate(); len(errs) > 0 {
				t.Errorf("%s: %v", line, errs)
			}
		}
	}
}

// Values that the file gives are never changed, and what is wrong with them is an error that names the rule.
func TestGivenValuesAreNotFitted(t *testing.T) {
	for line, want := range map[string]string{
		"k: 100, dict_size: 64":                                "parameters.k: 100 is larger than dict_size 64",
		"decay_start: 1, steps: 1":                             "step 1 is outside [0, 1), the steps of the run; none keeps",
		"decay_start: 30_000":                                  "step 30000 is outside [0, 30000), the steps",
		"decay_start: [0.8, 1e3, none], steps: 1_000":          "step 1000 is outside [0, 1000), the steps",
		"recipe: upstream, warmup_steps: 4, steps: 4":          "warmup_steps: 4 is larger than decay_start, step 3",
		"decay_start: 1.0":                                     "1.0 is not a fraction in [0, 1)",
		"decay_start: never":                                   `"never": want a whole number, a fraction of`,
		"decay_start: None":                                    `or none`,
		"steps: none":                                          `"none": want a whole number`,
		"recipe: upstream, warmup_steps: none":                 `"none": want a whole number or a fraction`,
		"decay_start: [none, 0.5, none]":                       "none is given twice",
		"k_aux: 65, dict_size: 64, k: 2, lr: [.1, 1]":          "65 is larger than dict_size 64",
		"recipe: upstream, warmup_steps: .9, decay_start: 0.5": "is larger than decay_start, step 15000",
	} {
		src := "name: a\ndata: {source: acts}\nparameters: {" + line + "}\n"
		g, err := Parse("grid.yaml", []byte(src), ParseOptions{})
		if err == nil {
			_, err = g.Cells(trainer.DataInfo{Dim: 64, Rows: 1000, EvalRows: 100, Fingerprint: "f00d"})
		}
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %s", line, err, want)
		}
	}
}

// The word none stands wherever a value of decay_start does, and is the number of steps of its cell.
func TestNone(t *testing.T) {
	cells := mustCells(t, `name: a
data: {source: acts}
parameters: {steps: [10, 20, 30], decay_start: [0.5, none, 0.8], k: [1, 2]}
zip: [[steps, decay_start]]
exclude: [{decay_start: none, k: 1}]
include: [{steps: 7, decay_start: none, k: 3}]
`)
	var got []string
	for _, c := range cells {
		got = append(got, fmt.Sprint(c.Values, c.Config.DecayStart, c.Config.Steps))
	}
	want := []string{
		"[10 0.5 1] 5 10", "[10 0.5 2] 5 10", "[20 none 2] 20 20", "[30 0.8 1] 24 30", "[30 0.8 2] 24 30", "[7 none 3] 7 7",
	}
	if strings.Join(got, "; ") != strings.Join(want, "; ") {
		t.Errorf("%q\nwant %q", got, want)
	}
}
