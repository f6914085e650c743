package models

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"unicode"

	"github.com/topksweep/sweep/trainer"
)

// hubName matches the names of models on the Hugging Face hub.
var hubName = regexp.MustCompile(`^[A-Za-z0-9][\w.-]*(/[A-Za-z0-9][\w.-]*)?$`)

// card returns README.md: a model card with the header that the Hugging Face hub reads. It says what the model is
// and how it is loaded.
func (m *Model) card(formats []Format) string {
	var b strings.Builder
	line := func(format string, a ...any) { fmt.Fprintf(&b, format+"\n", a...) }
	line("---")
	if slices.Contains(formats, SAELens) {
		line("library_name: saelens")
	}
	line("tags:\n- sparse-autoencoder\n- top-k\n- interpretability")
	for _, f := range Formats() {
		if slices.Contains(formats, f) && f != Reference && f != SAELens {
			line("- %s", f)
		}
	}
	if hubName.MatchString(m.Names.LMName) {
		line("base_model: %q", m.Names.LMName)
	}
	line("---\n")
	line("# Top-K sparse autoencoder\n")
	line("It reconstructs activations of width %d with %d latents. Of each token it keeps the %d with the largest\n"+
		"activations. Its input is not scaled: activations are as the language model puts them out.\n",
		m.ActivationDim, m.DictSize, m.K)
	factTable(line, nameFacts(m.Names))
	line("## Loading it\n")
	line("In plain torch, in this folder. `x` holds activations, float32 [tokens, %d]:\n", m.ActivationDim)
	line("```python\n%s```\n", m.torchLines(formats))
	line("`acts`, [tokens, %d], are the activations of the latents, and `x_hat` is the reconstruction.\n", m.DictSize)
	if n := m.Norms(); n.OffUnit > 0 {
		line("The norms of the decoder's rows differ from 1 by up to %.3g. SAEBench does not take such a model.\n", n.Off())
	}
	if m.Threshold != nil {
		line("Instead of the %d largest, a model can keep all activations above the threshold, %s. Then a latent does not\n"+
			"depend on the others of its token:\n", m.K, number(*m.Threshold))
		line("```python\nacts = pre * (pre > %s)\n```\n", number(*m.Threshold))
	}
	for _, f := range Formats() {
		if slices.Contains(formats, f) {
			line("%s", m.toolLines(f))
		}
	}
	if len(m.Facts) > 0 {
		line("## Settings and metrics\n")
		factTable(line, m.Facts)
	}
	return strings.TrimRight(b.String(), "\n") + "\n"
}

// factTable writes facts as a Markdown table.
func factTable(line func(string, ...any), facts []Fact) {
	if len(facts) == 0 {
		return
	}
	line("| | |\n|---|---|")
	text := cardTexts()
	for _, f := range facts {
		line("| %s | %s |", text(f.Name), text(f.Value))
	}
	line("")
}

// nameFacts returns the names as facts, in words.
func nameFacts(n trainer.Names) (out []Fact) {
	n.HookName = HookName(n)
	hook := "hook in TransformerLens"
	if isPath(n.HookName) {
		hook = "hook in SAELens"
	}
	known := map[string]string{}
	n.Each(func(key string, v any) {
		switch v {
		case true:
			v = "yes"
		case false:
			v = "no"
		}
		known[key] = fmt.Sprint(v)
	})
	for _, f := range []struct{ key, words string }{
		{"lm_name", "language model"},
		{"layer", "layer, from 0"},
		{"submodule_name", "place"},
		{"module_path", "module"},
		{"hook_name", hook},
		{"context_length", "tokens per context"},
		{"prepend_bos", "contexts begin with a token that the tokenizer adds"},
		{"drop_special", "special tokens are left out"},
	} {
		if v, ok := known[f.key]; ok {
			out = append(out, Fact{f.words, v})
		}
	}
	return out
}

// cardText is cardTexts for one text.
func cardText(s string) string { return cardTexts()(s) }

// cardTexts returns what makes texts fields of a Markdown table: in one line, no part of them is markup, and none acts
// on a terminal.
func cardTexts() func(string) string {
	markup := strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;", "|", "\\|", "\\", "\\\\", "`", "\\`", "*", "\\*",
		"[", "\\[", "]", "\\]", "~", "\\~")
	return func(s string) string {
		s = strings.Join(strings.Fields(s), " ")
		s = strings.Map(func(r rune) rune {
			if !unicode.IsPrint(r) {
				return unicode.ReplacementChar
			}
			return r
		}, strings.ToValidUTF8(s, string(unicode.ReplacementChar)))
		return markup.Replace(s)
	}
}

// torchLines returns lines of Python that load the model and compute acts and x_hat of x.
func (m *Model) torchLines(formats []Format) string {
	load, file := "load_file", sparsifyWeights
	enc, bias, dec := `w["encoder.weight"].T`, `w["encoder.bias"]`, `w["W_dec"]`
	switch {
	case slices.Contains(formats, Sparsify):
	case slices.Contains(formats, SAELens):
		file, enc, bias = saelensWeights, `w["W_enc"]`, `w["b_enc"]`
	default:
		load, file, dec = "torch.load", dictWeights, `w["decoder.weight"].T`
		if !slices.Contains(formats, DictionaryLearning) {
			file = Reference.Weights()
		}
	}
	var b strings.Builder
	b.WriteString("import torch\n")
	if load == "load_file" {
		b.WriteString("from safetensors.torch import load_file\n")
	}
	fmt.Fprintf(&b, "w = %s(%q)\n", load, file)
	fmt.Fprintf(&b, "pre = torch.relu((x - w[\"b_dec\"]) @ %s + %s)\n", enc, bias)
	fmt.Fprintf(&b, "top = pre.topk(%d, dim=-1)\n", m.K)
	b.WriteString("acts = torch.zeros_like(pre).scatter(-1, top.indices, top.values)\n")
	fmt.Fprintf(&b, "x_hat = acts @ %s + w[\"b_dec\"]\n", dec)
	return b.String()
}

// toolLines says how a tool's own loader loads the model.
func (m *Model) toolLines(f Format) string {
	block := func(intro, code string) string { return intro + ":\n\n```python\n" + code + "\n```\n" }
	switch f {
	case Sparsify:
		return block("In sparsify. Without a GPU, set `SPARSIFY_DISABLE_TRITON=1` before Python starts",
			"from sparsify import SparseCoder\nsae = SparseCoder.load_from_disk(\".\")")
	case SAELens:
		return block("In SAELens", "from sae_lens import SAE\nsae = SAE.load_from_disk(\".\")")
	case DictionaryLearning:
		return block("In dictionary_learning", "from dictionary_learning.utils import load_dictionary\n"+
			"sae, config = load_dictionary(\".\", device=\"cpu\")")
	}
	return block("In the first versions of dictionary_learning, whose `AutoEncoderTopK` has four tensors",
		fmt.Sprintf("from dictionary_learning.trainers.top_k import AutoEncoderTopK\n"+
			"sae = AutoEncoderTopK.from_pretrained(%q, k=%d)", f.Weights(), m.K))
}
