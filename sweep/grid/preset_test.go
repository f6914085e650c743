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

// A grid with a preset and the grid that has its settings written out have the same cells, with the same IDs.
func TestPresetIsItsSettings(t *testing.T) {
	for _, preset := range Presets() {
		var train strings.Builder
		for _, s := range preset.Settings {
			fmt.Fprintf(&train, "  %s: %s\n", s.Key, s.Value)
		}
		const rest = "name: a\ndata: {source: acts}\nparameters: {dict_size: [1024, 2048], seed: [0, 1]}\n"
		with := mustCells(t, rest+"preset: "+preset.Name+"\ntrain: {steps: 5000}\n")
		written := mustCells(t, rest+"train:\n  steps: 5000\n"+train.String())
		if !reflect.DeepEqual(with, written) {
			t.Errorf("%s:\n%+v\nwritten out:\n%+v", preset.Name, with[0], written[0])
		}
		for _, c := range with {
			if errs := c.Config.Validate(); len(errs) > 0 || len(with) != 4 {
				t.Errorf("%s: %d cells, %v", preset.Name, len(with), errs)
			}
		}
	}
}

// Every setting of a preset is a field that a grid may give, once, in the order of the fields, in the form in which
// plans show it. None changes with the length and the width of a run, which are the grid's.
func TestPresetsAreWellFormed(t *testing.T) {
	s := newSchema()
	for _, preset := range Presets() {
		if !nameRE.MatchString(strings.ReplaceAll(preset.Name, "_", "-")) {
			t.Errorf("%q is no name", preset.Name)
		}
		last := -1
		for _, x := range preset.Settings {
			i, known := s.index[x.Key]
			if !known || s.fields[i].FromData || i <= last || slices.Contains([]string{"steps", "dict_size", "seed"}, x.Key) {
				t.Fatalf("%s: setting %s", preset.Name, x.Key)
			}
			last = i
			v, err := readValue(s.fields[i], &node{kind: scalarNode, text: x.Value})
			if err != nil || v.text != x.Value || x.From == "" {
				t.Errorf("%s: %+v: %v, %q", preset.Name, x, err, v.text)
			}
		}
	}
}

// What the grid writes goes first, wherever it stands.
func TestWrittenGoesBeforePreset(t *testing.T) {
	cells := mustCells(t, `name: a
data: {source: acts}
preset: sparsify
train: {steps: 600, warmup_steps: 0, decay_start: 0.5}
parameters: {k: [8, 16], auxk_alpha: 0.5}
include: [{k: 64, lr: 0.01, recipe: corrected}]
`)
	want := []string{
		"upstream k 8 0.5 300 0 true", "upstream k 16 0.5 300 0 true", "corrected k 64 0.5 300 0 false",
	}
	for i, c := range cells {
		x := c.Config
		got := fmt.Sprint(x.Recipe, " k ", x.K, " ", x.AuxKAlpha, x.DecayStart, x.WarmupSteps, x.LR < 0.001)
		if i >= len(want) || got != want[i] {
			t.Errorf("cell %d: %s", i, got)
		}
	}
	if len(cells) != len(want) {
		t.Errorf("%d cells", len(cells))
	}
	g, err := Parse("grid.yaml", []byte("name: a\ndata: {source: acts}\npreset: saelens\ntrain: {k: 3, lr: 1}\n"),
		ParseOptions{})
	if err != nil {
		t.Fatal(err)
	}
	const taken = "saelens: recipe corrected, k_aux auto, decay_start none, batch_size 4096, warmup_steps 0, " +
		"dead_feature_threshold 4096000"
	if g.Preset.String() != taken {
		t.Errorf("%s", g.Preset)
	}
	all := Preset{Name: "saelens"}
	if got := all.String(); !strings.Contains(got, "the grid gives all") {
		t.Errorf("%s", got)
	}
}

// A preset alone says enough: without axes it is one cell.
func TestPresetAlone(t *testing.T) {
	cells := mustCells(t, "name: a\ndata: {source: acts}\npreset: dictionary_learning\n")
	if len(cells) != 1 {
		t.Fatalf("%d cells", len(cells))
	}
	c := cells[0].Config
	if c.Recipe != "upstream" || c.WarmupSteps != 1000 || c.DecayStart != c.Steps || c.AuxKAlpha != 1.0/32 ||
		c.ThresholdStartStep != 1000 || c.DeadFeatureThreshold != 10_000_000 {
		t.Errorf("%+v", c)
	}
}

func TestPresetErrors(t *testing.T) {
	for preset, want := range map[string]string{
		"sparsfy":                `3:9: preset: "sparsfy" is no preset; did you mean sparsify?`,
		"SAELens":                `did you mean saelens?`,
		"sae_lens":               `did you mean saelens?`,
		"sae-lens":               `did you mean saelens?`,
		"dictionary-learning":    `did you mean dictionary_learning?`,
		"'Dictionary Learnin'":   `did you mean dictionary_learning?`,
		"openai":                 `"openai" is no preset; want one of dictionary_learning, sparsify, saelens`,
		"7":                      `"7" is no preset; want one of`,
		"''":                     `"" is no preset; want one of`,
		"[sparsify]":             `3:9: preset: want one of dictionary_learning, sparsify, saelens, not a list`,
		"{name: sparsify}":       `want one of dictionary_learning, sparsify, saelens, not a map`,
		"":                       `want one of dictionary_learning, sparsify, saelens, not nothing`,
		"*none":                  `there is no anchor`,
		strings.Repeat("x", 999): `is no preset; want one of`,
		// Conflicts with what the preset gives are reported there, and with what is written, there.
		"sparsify\ntrain: {dict_size: 16}": "3:9: preset.k: 32 is larger than dict_size 16; " +
			"k in train or parameters goes before the preset",
		"dictionary_learning\ntrain: {steps: 600}": "3:9: preset.warmup_steps: 1000 is larger than decay_start, step 600; " +
			"warmup_steps in train or parameters goes before the preset",
		"dictionary_learning\ntrain: {recipe: corrected}": "preset.warmup_steps: recipe corrected has no warm-up",
		"sparsify\ntrain: {k: 99, dict_size: 16}":         "4:12: train.k: 99 is larger than dict_size 16",
		"sparsify\ntrain: {k: x, dict_size: 16}":          `4:12: train.k: "x": want a whole number`,
		"saelens\nparameters: {presets: [1]}":             "parameters.presets: unknown key; it belongs at the top level",
		"saelens\ntrain: {preset: sparsify}":              "train.preset: unknown key; it belongs at the top level",
	} {
		src := "name: a\ndata: {source: acts}\npreset: " + preset + "\n"
		if !strings.Contains(preset, "\n") {
			src += "train: {steps: 5000}\n"
		}
		g, err := Parse("grid.yaml", []byte(src), ParseOptions{})
		if err == nil {
			_, err = g.Cells(trainer.DataInfo{Dim: 64, Rows: 1000, EvalRows: 100, Fingerprint: "f00d"})
		}
		if err == nil || !strings.Contains(err.Error(), want) || strings.Count(err.Error(), "\n") > 0 {
			t.Errorf("%q: %v\nwant %s", preset, err, want)
		}
	}
	_, err := Parse("grid.yaml", []byte("name: a\ndata: {source: acts}\npresets: sparsify\ntrain: {}\n"), ParseOptions{})
	if err == nil || !strings.Contains(err.Error(), "presets: unknown key; did you mean preset?") {
		t.Errorf("%v", err)
	}
}

// TestPresetDoc keeps the tables of presets in docs/grid.md up to date.
func TestPresetDoc(t *testing.T) {
	tables := map[string]string{}
	for _, preset := range Presets() {
		var b strings.Builder
		b.WriteString("| key | value | default of |\n|---|---|---|\n")
		for _, s := range preset.Settings {
			fmt.Fprintf(&b, "| `%s` | `%s` | %s |\n", s.Key, s.Value, s.From)
		}
		tables["preset "+preset.Name] = b.String()
	}
	goldentest.CheckTables(t, gridDoc, tables)
}
