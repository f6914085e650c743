package page

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"

	"github.com/topksweep/sweep/sweep/plan"
	"github.com/topksweep/sweep/trainer"
)

// dataSections writes the section data of a grid that has the data of a plan. The keys of a set are indented further.
func dataSections(h *plan.Header) string {
	if len(h.Sets) == 0 {
		return dataSection(h.Data)
	}
	var b strings.Builder
	b.WriteString("data:\n  sets:\n")
	for _, s := range h.Sets {
		fmt.Fprintf(&b, "    %s:\n", quoted(s.Name))
		for line := range strings.Lines(strings.TrimPrefix(dataSection(s.Data), "data:\n")) {
			b.WriteString("    " + line)
		}
	}
	return b.String()
}

// dataSection writes the section data of a grid that reads the same data. Text is in double quotes, as JSON has them,
// which YAML reads alike.
func dataSection(d trainer.DataSpec) string {
	var b strings.Builder
	text := func(indent, key, value string) {
		if value != "" {
			fmt.Fprintf(&b, "%s%s: %s\n", indent, key, quoted(value))
		}
	}
	b.WriteString("data:\n")
	text("  ", "source", d.Source)
	if s := d.Synthetic; s != nil {
		b.WriteString("  synthetic:\n")
		line := func(key, value string) { fmt.Fprintf(&b, "    %s: %s\n", key, value) }
		line("activation_dim", strconv.Itoa(s.ActivationDim))
		line("directions", strconv.Itoa(s.Directions))
		line("tokens", strconv.FormatInt(s.Tokens, 10))
		line("active", floatText(s.Active))
		line("zipf", floatText(s.Zipf))
		line("noise", floatText(s.Noise))
		line("seed", strconv.FormatInt(s.Seed, 10))
	}
	text("  ", "tensor", d.Tensor)
	if r := d.Raw; r != nil {
		fmt.Fprintf(&b, "  raw: {dtype: %s, width: %d, offset: %d}\n", r.DType, r.Width, r.Offset)
	}
	if d.Normalize != "" {
		fmt.Fprintf(&b, "  normalize: %s\n", d.Normalize)
	}
	if d.EvalTokens > 0 {
		fmt.Fprintf(&b, "  eval_tokens: %d\n", d.EvalTokens)
	}
	text("  ", "eval_source", d.EvalSource)
	if d.MaxNorm != "" {
		fmt.Fprintf(&b, "  max_norm: %s\n", d.MaxNorm)
	}
	if d.Verify != "" {
		fmt.Fprintf(&b, "  verify: %s\n", d.Verify)
	}
	if d.Shuffle != "" {
		fmt.Fprintf(&b, "  shuffle: %s\n", d.Shuffle)
	}
	text("  ", "lm_name", d.LMName)
	if d.Layer != nil {
		fmt.Fprintf(&b, "  layer: %d\n", *d.Layer)
	}
	text("  ", "submodule_name", d.SubmoduleName)
	text("  ", "hook_name", d.HookName)
	text("  ", "module_path", d.ModulePath)
	if d.ContextLength > 0 {
		fmt.Fprintf(&b, "  context_length: %d\n", d.ContextLength)
	}
	truth := func(key string, value *bool) {
		if value != nil {
			fmt.Fprintf(&b, "  %s: %t\n", key, *value)
		}
	}
	truth("prepend_bos", d.PrependBOS)
	truth("drop_special", d.DropSpecial)
	return b.String()
}

// quoted writes a text in double quotes.
func quoted(text string) string {
	var b strings.Builder
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false) // for people to read; the page itself is safe by its own encoding
	if err := e.Encode(text); err != nil {
		return `""` // a text always has a form in JSON
	}
	return strings.TrimSuffix(b.String(), "\n")
}

func floatText(v float64) string { return strconv.FormatFloat(v, 'g', -1, 64) }
