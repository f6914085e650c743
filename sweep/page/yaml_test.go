package page

import (
	"reflect"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/topksweep/sweep/sweep/grid"
	"github.com/topksweep/sweep/trainer"
)

// The section data of the commands reads back as the same data.
func TestDataSection(t *testing.T) {
	layer := 0
	for name, d := range map[string]trainer.DataSpec{
		"least": {Source: "acts", Normalize: "none"},
		"all": {
			Source: "/a b/*.safetensors", EvalSource: "/held #1/**",
			Normalize: "mean_square", EvalTokens: 500, MaxNorm: "10x_median", Verify: "sample", Tensor: "blocks.3: #1",
			Names: trainer.Names{
				LMName: "gpt2: #1", Layer: &layer, SubmoduleName: "resid_post", HookName: "blocks.3.hook_resid_post",
				ModulePath: "h.3", ContextLength: 128, PrependBOS: new(false), DropSpecial: new(true),
			},
		},
		"raw": {Source: "acts", Normalize: "none", Raw: &trainer.Raw{DType: "bf16", Width: 768, Offset: 1 << 40}},
		"synthetic": {
			Normalize: "none", Synthetic: &trainer.Synthetic{
				ActivationDim: 8, Directions: 16, Tokens: 1 << 39, Active: 1e-300, Zipf: 0.1, Noise: 1e30, Seed: 1 << 62,
			},
		},
		"hostile": {Source: "yes", Normalize: "none", Names: trainer.Names{
			LMName: "\"'`\\ <&> {[*&!|%@\t\n- a: b ☃ \u2028", SubmoduleName: "~", HookName: "true", ModulePath: "\"",
			PrependBOS: new(true), DropSpecial: new(false),
		}},
	} {
		t.Run(name, func(t *testing.T) { checkSection(t, d) })
	}
}

func FuzzDataSection(f *testing.F) {
	f.Add("acts", "gpt2")
	f.Fuzz(func(t *testing.T, source, model string) {
		if !utf8.ValidString(source) || !utf8.ValidString(model) {
			return // a stored plan, in JSON, has no such text
		}
		d := trainer.DataSpec{Source: source, Normalize: "none", Names: trainer.Names{LMName: model}}
		text := "name: a\n" + dataSection(d) + "train: {steps: 10}\n"
		g, err := grid.Parse("grid.yaml", []byte(text), grid.ParseOptions{})
		if err != nil {
			if strings.TrimSpace(source) != "" && strings.TrimSpace(model) != "" && len(text) < 500 &&
				!strings.ContainsFunc(source+model, unicode.IsControl) {
				t.Errorf("%q: %v", text, err)
			}
			return
		}
		if g.Data.Source != d.Source || g.Data.LMName != d.LMName {
			t.Errorf("%q: read back as %+v", text, g.Data)
		}
	})
}

func checkSection(t *testing.T, d trainer.DataSpec) {
	t.Helper()
	text := "name: a\n" + dataSection(d) + "parameters: {k: [1]}\ntrain: {steps: 10}\n"
	g, err := grid.Parse("grid.yaml", []byte(text), grid.ParseOptions{})
	if err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	if !reflect.DeepEqual(g.Data, d) {
		t.Errorf("%+v, want %+v\n%s", g.Data, d, text)
	}
}
