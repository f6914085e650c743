package models

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/topksweep/sweep/trainer"
	"github.com/topksweep/sweep/trainer/safetensors"
)

// The card of each set of formats loads a file that is in the folder, by the names of the tensors in it.
func TestCardOfFormats(t *testing.T) {
	const pre = `pre = torch.relu((x - w["b_dec"]) @ `
	sparsify := []string{`w = load_file("sae.safetensors")`, pre + `w["encoder.weight"].T + w["encoder.bias"])`,
		`x_hat = acts @ w["W_dec"] + w["b_dec"]`, "from safetensors.torch import"}
	dict := []string{pre + `w["encoder.weight"].T + w["encoder.bias"])`,
		`x_hat = acts @ w["decoder.weight"].T + w["b_dec"]`}
	for _, c := range []struct {
		formats    []Format
		want, lack []string
	}{
		{[]Format{Sparsify}, append(sparsify, "\n- sparsify\n"),
			[]string{"library_name", "- saelens", "- dictionary_learning", "In SAELens",
				"In dictionary_learning", "four tensors"}},
		{[]Format{SAELens}, []string{"library_name: saelens\n", `w = load_file("sae_weights.safetensors")`,
			pre + `w["W_enc"] + w["b_enc"])`, `x_hat = acts @ w["W_dec"] + w["b_dec"]`, "In SAELens"},
			[]string{"- saelens", "- sparsify", "In sparsify"}},
		{[]Format{DictionaryLearning}, append(dict, `w = torch.load("ae.pt")`, "\n- dictionary_learning\n"),
			[]string{"safetensors", "library_name", "- sparsify"}},
		{[]Format{Reference}, append(dict, `w = torch.load("reference/ae.pt")`, `from_pretrained("reference/ae.pt", k=4)`),
			[]string{"safetensors", "library_name", "- reference", "- dictionary_learning"}},
		{Formats(), append(sparsify, "library_name: saelens\n", "\n- sparsify\n- dictionary_learning\n", "In SAELens",
			"In dictionary_learning", "four tensors"), []string{"- saelens", "- reference"}},
	} {
		card := string(folder(t, small(8, 32, 4), c.formats...)[readme].Data)
		for _, want := range c.want {
			if !strings.Contains(card, want) {
				t.Errorf("%q: the card lacks %q\n%s", c.formats, want, card)
			}
		}
		for _, lack := range append(c.lack, "base_model", "threshold", "differ from 1", "Settings and metrics", "| | |") {
			if strings.Contains(card, lack) {
				t.Errorf("%q: the card has %q\n%s", c.formats, lack, card)
			}
		}
	}
}

// The card says what a model has besides: a threshold, norms other than 1, facts, and a model of the hub.
func TestCardOfModel(t *testing.T) {
	threshold, no := 0.1234567891234, false
	m := small(8, 32, 4)
	scaleAll(m.W.WDec[:8], 3)
	m.Threshold, m.Names = &threshold, trainer.Names{LMName: "org/lm", PrependBOS: &no}
	m.Facts = []Fact{{"k", "4"}}
	card := string(folder(t, m, Sparsify)[readme].Data)
	for _, want := range []string{
		"base_model: \"org/lm\"\n", "differ from 1 by up to 2.", "the threshold, 0.1234567891234.",
		"acts = pre * (pre > 0.1234567891234)\n", "## Settings and metrics\n\n| | |\n|---|---|\n| k | 4 |\n",
		"adds | no |\n",
	} {
		if !strings.Contains(card, want) {
			t.Errorf("the card lacks %q\n%s", want, card)
		}
	}
	if !strings.HasSuffix(card, "|\n") {
		t.Errorf("the card ends in %q", card[len(card)-5:])
	}
	for _, name := range []string{"/home/someone/lm", "./lm", "a/b/c", "a: b", "org/lm\n---"} {
		m.Names.LMName = name
		if card := string(folder(t, m, Sparsify)[readme].Data); strings.Contains(card, "base_model") {
			t.Errorf("%q is named as a model of the hub", name)
		}
	}
}

// TransformerLens has a name for the places that it hooks, if layer and submodule_name agree.
func TestHookName(t *testing.T) {
	five := 5
	for _, c := range []struct {
		layer           *int
		submodule, hook string
		want            string
	}{
		{nil, "", "", ""}, {nil, "resid_post", "", ""}, {nil, "resid_post", "a.b", "a.b"},
		{&five, "resid_post", "a.b", "a.b"}, {&five, "", "", ""}, {&five, "mlp", "", ""},
		{&five, "resid_post", "", "blocks.5.hook_resid_post"}, {&five, "resid_pre_layer_5", "", "blocks.5.hook_resid_pre"},
		{&five, "resid_pre_layer_6", "", ""}, {&five, "resid_pre_layer_55", "", ""}, {&five, "x_resid_pre", "", ""},
	} {
		n := trainer.Names{Layer: c.layer, SubmoduleName: c.submodule, HookName: c.hook}
		if got := HookName(n); got != c.want {
			t.Errorf("%q, %q: %q, want %q", c.submodule, c.hook, got, c.want)
		}
	}
	// SAELens' class of a model is told from the name of its hook.
	for hook, want := range map[string]bool{
		"": false, "blocks.3": false, "blocks.3.hook_z": false, "hook_embed": false,
		"transformer.h.3": true, "layers.3": true,
	} {
		if got := isPath(hook); got != want {
			t.Errorf("%q is a module's path: %v", hook, got)
		}
	}
}

// What the tools have no key for is in the header of a safetensors file, and in cfg.json.
func TestScaleAndThresholdOfFiles(t *testing.T) {
	m := small(8, 32, 4)
	for i, want := range []string{
		`map[a:b format:pt] <nil> <nil> true`,
		`map[a:b format:pt sweep.scale:1.5 sweep.threshold:0.1] 1.5 0.1 false`,
	} {
		m.Metadata = map[string]string{"a": "b"}
		if i == 1 {
			threshold := 0.1
			m.Scale, m.Threshold = 1.5, &threshold
			scaleAll(m.W.WDec[:8], 2)
		}
		files := folder(t, m, Sparsify, SAELens)
		var cfg map[string]any
		if err := json.Unmarshal(files[toolsConfig].Data, &cfg); err != nil {
			t.Fatal(err)
		}
		for _, name := range []string{sparsifyWeights, saelensWeights} {
			f, err := files.Open(name)
			if err != nil {
				t.Fatal(err)
			}
			h, err := safetensors.ReadHeader(f, int64(len(files[name].Data)))
			if err != nil {
				t.Fatal(err)
			}
			if got := fmt.Sprint(h.Metadata, cfg["scale"], cfg["threshold"], cfg["normalize_decoder"]); got != want {
				t.Errorf("%s: %s, want %s", name, got, want)
			}
		}
		if len(m.Metadata) != 1 {
			t.Errorf("the model's own metadata are now %q", m.Metadata)
		}
	}
}
