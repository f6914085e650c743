package data

import (
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/topksweep/sweep/trainer"
)

// harvested returns a source of folders with one shard and a harvest.json each; where that is "", there is none.
func harvested(t *testing.T, files ...string) *Set {
	t.Helper()
	root := t.TempDir()
	shard, err := os.ReadFile("testdata/minilm-l3/activations-00000.safetensors")
	if err != nil {
		t.Fatal(err)
	}
	for i, content := range files {
		folder := filepath.Join(root, string(rune('a'+i)))
		// One byte more of each shard keeps them from being copies, which are refused.
		body := slices.Clone(shard)
		body[len(body)-1] = byte(i)
		if err := os.Mkdir(folder, 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(folder, "x.safetensors"), body, 0o644); err != nil {
			t.Fatal(err)
		}
		if content != "" {
			if err := os.WriteFile(filepath.Join(folder, harvestFile), []byte(content), 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
	s, err := Open(t.Context(), trainer.DataSpec{Source: root}, Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

// whole is a harvest.json with every name.
const whole = `{"complete": true, "config": {"model": "of config", "layer": 1, "dtype": "f16"}, "names": {
	"lm_name": "gpt2", "layer": 3, "submodule_name": "resid_post", "hook_name": "blocks.3.hook_resid_post",
	"module_path": "h.3", "context_length": 128, "prepend_bos": false, "drop_special": true}}`

// older is one that an earlier version of deploy/harvest wrote.
const older = `{"complete": true, "config": {"model": "gpt2", "layer": 3, "hook": "resid_post", "module": "h.3",
	"context_length": 128, "drop_special": true}}`

func TestNamesOfHarvest(t *testing.T) {
	all := trainer.Names{
		LMName: "gpt2", Layer: new(3), SubmoduleName: "resid_post", HookName: "blocks.3.hook_resid_post",
		ModulePath: "h.3", ContextLength: 128, PrependBOS: new(false), DropSpecial: new(true),
	}
	but := func(change func(n *trainer.Names)) trainer.Names {
		n := all
		change(&n)
		return n
	}
	old := but(func(n *trainer.Names) { n.HookName, n.PrependBOS = "", nil })
	none := trainer.Names{}
	module := strings.NewReplacer(`"layer": 3`, `"layer": null`, `"submodule_name": "resid_post"`,
		`"submodule_name": null`, `"hook_name": "blocks.3.hook_resid_post"`, `"hook_name": null`).Replace(whole)
	for name, c := range map[string]struct {
		files []string
		given trainer.Names
		want  trainer.Names
		note  string // part of it; "" for none
	}{
		"no file":                {[]string{""}, none, none, ""},
		"all names":              {[]string{whole}, none, all, ""},
		"older":                  {[]string{older}, none, old, ""},
		"equal ones":             {[]string{whole, whole}, none, all, ""},
		"an older one beside it": {[]string{whole, older}, none, old, ""},
		"others": {
			[]string{whole, strings.ReplaceAll(strings.ReplaceAll(whole, "128", "64"), `"gpt2"`, `"gpt3"`)}, none,
			but(func(n *trainer.Names) { n.LMName, n.ContextLength = "", 0 }),
			"2 folders do not agree on lm_name, context_length, which stay open"},
		"one has none": {[]string{whole, ""}, none, none, "1 of 2 folders of shards have no usable harvest.json"},
		"a module": {
			[]string{module}, none,
			but(func(n *trainer.Names) { n.Layer, n.SubmoduleName, n.HookName = nil, "", "" }), ""},
		"given": {
			[]string{whole}, trainer.Names{LMName: "openai-community/gpt2", Layer: new(3), PrependBOS: new(false)},
			but(func(n *trainer.Names) { n.LMName = "openai-community/gpt2" }), ""},
		"given otherwise": {
			[]string{whole}, trainer.Names{Layer: new(2)}, trainer.Names{Layer: new(2)},
			"harvest.json says that layer is 3, and the grid says 2: no name is taken from there"},
		"all given":           {[]string{"{"}, all, all, ""},
		"torn":                {[]string{whole[:100]}, none, none, "is not as deploy/harvest writes it (unexpected end"},
		"torn beside another": {[]string{whole, whole[:100]}, none, none, "have no usable"},
		"of another program":  {[]string{`{"crop": "wheat", "config": {"x": [1]}}`}, none, none, "does not say where"},
		"no object":           {[]string{`[1, 2]`}, none, none, "is not as deploy/harvest writes it"},
		"other types":         {[]string{`{"config": "x"}`}, none, none, "is not as deploy/harvest writes it"},
		"empty":               {[]string{" "}, none, none, "is not as deploy/harvest writes it"},
		"long":                {[]string{strings.Repeat(" ", maxHarvest) + whole}, none, none, "(over 16 MiB)"},
		"a text for a number": {
			[]string{strings.Replace(whole, "3,", `"3",`, 1)}, none,
			but(func(n *trainer.Names) { n.Layer = nil }), "value of layer, which"},
		"numbers out of range": {
			[]string{`{"names": {"layer": -1, "context_length": 1e300, "lm_name": "x"}}`}, none,
			trainer.Names{LMName: "x"}, "layer, context_length"},
		"a long name": {
			[]string{`{"names": {"lm_name": "` + strings.Repeat("x", 1001) + `", "layer": 0}}`}, none,
			trainer.Names{Layer: new(0)}, "of lm_name"},
		"a blank name": {
			[]string{`{"names": {"lm_name": " \n", "layer": 0}}`}, none,
			trainer.Names{Layer: new(0)}, "of lm_name"},
		"no name at all": {
			[]string{`{"names": {"lm_name": "", "context_length": 0, "prepend_bos": null}}`}, none, none,
			"does not say where"},
	} {
		t.Run(name, func(t *testing.T) {
			got, notes := harvested(t, c.files...).Names(c.given)
			if !reflect.DeepEqual(got, c.want) {
				t.Errorf("names %v, want %v", nameValues(got), nameValues(c.want))
			}
			if said := strings.Join(notes, "; "); !strings.Contains(said, c.note) || (said == "") != (c.note == "") {
				t.Errorf("notes %q, want %q", said, c.note)
			}
		})
	}
}

// Real shards name their model, and synthetic data name none.
func TestNamesOfRealShards(t *testing.T) {
	s, err := Open(t.Context(), trainer.DataSpec{Source: "testdata/minilm-l3"}, Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	want := trainer.Names{
		LMName: "all-MiniLM-L6-v2", Layer: new(3), SubmoduleName: "resid_post", ModulePath: "encoder.layer.3",
		HookName: "blocks.3.hook_normalized_resid_post", ContextLength: 128, DropSpecial: new(true),
	}
	if got, notes := s.Names(trainer.Names{}); !reflect.DeepEqual(got, want) || notes != nil {
		t.Errorf("%v, %q", nameValues(got), notes)
	}
	synthetic, err := Open(t.Context(), trainer.DataSpec{Synthetic: &trainer.Synthetic{
		ActivationDim: 4, Directions: 4, Tokens: 100, Active: 1,
	}}, Options{})
	if err != nil {
		t.Fatal(err)
	}
	if got, notes := synthetic.Names(trainer.Names{LMName: "x"}); got.LMName != "x" || notes != nil {
		t.Errorf("%v, %q", got, notes)
	}
}

// NameKeys has every key of trainer.Names.
func TestNameKeys(t *testing.T) {
	var want []string
	for f := range reflect.TypeFor[trainer.Names]().NumField() {
		key, _, _ := strings.Cut(reflect.TypeFor[trainer.Names]().Field(f).Tag.Get("json"), ",")
		want = append(want, key)
	}
	if got := trainer.NameKeys(); !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
	for _, key := range slices.Collect(maps.Keys(configKeys())) {
		if !slices.Contains(want, key) {
			t.Errorf("%q is no name", key)
		}
	}
}

func FuzzHarvest(f *testing.F) {
	for _, s := range []string{
		whole, older, "{}", `{"names": null}`, `{"names": {"layer": 1e2}, "config": {"layer": 5}}`,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		values, problem := parseHarvest(b)
		if values == nil && problem == "" {
			t.Fatal("neither names nor a problem")
		}
		n := namesOf(values)
		if again := nameValues(n); !maps.Equal(again, values) {
			t.Errorf("%v come back as %v", values, again)
		}
	})
}
