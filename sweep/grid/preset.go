package grid

import (
	"fmt"
	"slices"
	"strings"

	"github.com/topksweep/sweep/sweep/spelling"
)

// A Preset is a set of settings that have the defaults of another tool, as far as a setting of this program means the
// same there. In a Grid it has only the settings that the grid takes from it.
type Preset struct {
	Name     string          `json:"name"`
	Settings []PresetSetting `json:"settings"` // in the order of the training fields
}

// A PresetSetting is a line of a preset.
type PresetSetting struct {
	Key   string `json:"key"`
	Value string `json:"value"` // as in a grid
	From  string `json:"-"`     // where the tool has its default, for people
}

// Presets lists every preset, with all its settings. The defaults are those of dictionary-learning 0.1.0, eai-sparsify
// 1.3.3 and sae-lens 6.54.12.
//
// A preset never changes: a grid that names it would have other cells. A later version of a tool is another preset.
func Presets() []Preset {
	return []Preset{
		{"dictionary_learning", []PresetSetting{
			{"recipe", "upstream", "`TopKTrainer`"},
			{"auxk_alpha", "0.03125", "`auxk_alpha`: 1/32"},
			{"k_aux", "auto", "`top_k_aux`: half of the width"},
			{"decay_start", "none", "`decay_start`: None"},
			{"lr", "auto", "`lr`: None, for which it has the same formula"},
			{"warmup_steps", "1000", "`warmup_steps`"},
			{"threshold_start_step", "1000", "`threshold_start_step`"},
			{"threshold_beta", "0.999", "`threshold_beta`"},
			{"dead_feature_threshold", "10000000", "`dead_feature_threshold`"},
		}},
		{"sparsify", []PresetSetting{
			{"recipe", "upstream", "the recipe that has a warm-up"},
			{"k", "32", "`SparseCoderConfig.k`"},
			{"auxk_alpha", "0", "`TrainConfig.auxk_alpha`"},
			{"k_aux", "auto", "half of the width"},
			{"decay_start", "1000", "its Adam: lr falls after the warm-up"},
			{"lr", "auto", "`TrainConfig.lr`: None, which is this formula for its Adam"},
			{"warmup_steps", "1000", "`TrainConfig.lr_warmup_steps`"},
			{"dead_feature_threshold", "10000000", "`TrainConfig.dead_feature_threshold`"},
		}},
		{"saelens", []PresetSetting{
			{"recipe", "corrected", "latents fire with an activation > 0, as there"},
			{"k", "100", "`TopKTrainingSAEConfig.k`"},
			{"k_aux", "auto", "half of the width"},
			{"decay_start", "none", "`lr_scheduler_name`: constant; `lr_decay_steps`: 0"},
			{"batch_size", "4096", "`train_batch_size_tokens`"},
			{"lr", "0.0003", "`lr`"},
			{"warmup_steps", "0", "`lr_warm_up_steps`"},
			{"dead_feature_threshold", "4096000", "`dead_feature_window`: 1,000 steps, of 4,096 tokens"},
		}},
	}
}

// presetPath is the path of a value that a preset gives, before the field's key.
const presetPath = "preset."

// readPreset reads the key preset, and takes its values for all fields that neither train nor parameters has. They are
// values as if train had them: none is fitted to others, as a default is, and all cells have the same IDs.
func (p *parser) readPreset(root *node) {
	e := root.get("preset")
	if e == nil || e.value.kind == unreadableNode {
		return
	}
	all := Presets()
	var names []string
	for _, s := range all {
		names = append(names, s.Name)
	}
	if e.value.kind != scalarNode {
		p.wrongKind(e.value, "preset", "want one of "+strings.Join(names, ", "))
		return
	}
	i := slices.Index(names, e.value.text)
	if i < 0 {
		p.errorf(e.value.pos, "preset", "%q is no preset; %s", clip(e.value.text, 64), nearestPreset(e.value.text, names))
		return
	}
	taken := &Preset{Name: names[i], Settings: []PresetSetting{}}
	for _, s := range all[i].Settings {
		if hasKey(root.value("train"), s.Key) || hasKey(root.value("parameters"), s.Key) {
			continue // also if its value is wrong, which has been reported
		}
		f := p.schema.index[s.Key]
		v, err := readValue(p.schema.fields[f], &node{kind: scalarNode, text: s.Value, pos: e.value.pos})
		if err != nil { // which does not occur: a test reads every preset
			p.errorf(e.value.pos, "preset", "%s of %s: %v", s.Key, names[i], err)
			continue
		}
		v.path = presetPath + s.Key
		p.grid.base[f] = v
		taken.Settings = append(taken.Settings, s)
	}
	p.grid.Preset = taken
}

// hasKey reports whether a section, which may be missing or no map, has a key.
func hasKey(section *node, key string) bool { return section != nil && section.get(key) != nil }

// nearestPreset returns what to write instead of a name that no preset has.
func nearestPreset(name string, names []string) string {
	for _, n := range names {
		if spelling.Simplify(n) == spelling.Simplify(name) {
			return fmt.Sprintf("did you mean %s?", n)
		}
	}
	if n := spelling.Nearest(name, names); n != "" {
		return fmt.Sprintf("did you mean %s?", n)
	}
	return "want one of " + strings.Join(names, ", ")
}

// String is the preset in a line, as in "sparsify: k 32, auxk_alpha 0".
func (s Preset) String() string {
	var settings []string
	for _, x := range s.Settings {
		settings = append(settings, x.Key+" "+x.Value)
	}
	if len(settings) == 0 {
		return s.Name + ": the grid gives all its settings itself"
	}
	return s.Name + ": " + strings.Join(settings, ", ")
}
