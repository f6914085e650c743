package trainer

import "reflect"

// Names say where activations come from: the language model, and the place in it. harvest.json has them, and the data
// section of grid.yaml, which goes first. They are recorded in results and exports, and change nothing that is trained.
type Names struct {
	LMName        string `json:"lm_name,omitempty"` // as on the Hugging Face hub, or of a folder
	Layer         *int   `json:"layer,omitempty"`   // block, counted from 0
	SubmoduleName string `json:"submodule_name,omitempty"`

	// HookName is what TransformerLens calls the place, such as blocks.5.hook_resid_post. Where it has no name, it is
	// the path of the module in the causal model, by which SAELens finds it: transformer.h.5.mlp.
	HookName      string `json:"hook_name,omitempty"`
	ModulePath    string `json:"module_path,omitempty"`    // in the model without its head: h.5.mlp
	ContextLength int    `json:"context_length,omitempty"` // tokens that the model sees at once, special ones included
	PrependBOS    *bool  `json:"prepend_bos,omitempty"`    // each context begins with a token that the tokenizer adds
	DropSpecial   *bool  `json:"drop_special,omitempty"`   // special tokens have no rows
}

// Bounds of Names.Layer and Names.ContextLength.
const (
	MaxLayer         = 1 << 20
	MaxContextLength = 1 << 30
)

// NameKeys lists the keys of Names in JSON, in their order.
func NameKeys() []string {
	return []string{
		"lm_name", "layer", "submodule_name", "hook_name", "module_path", "context_length", "prepend_bos", "drop_special",
	}
}

// Equal reports whether two places have the same names.
func (n Names) Equal(o Names) bool { return reflect.DeepEqual(n, o) }

// Each calls fn with each name that is known, by its key in JSON. A value is a string, an int or a bool.
func (n Names) Each(fn func(key string, value any)) {
	text := func(key, v string) {
		if v != "" {
			fn(key, v)
		}
	}
	answer := func(key string, v *bool) {
		if v != nil {
			fn(key, *v)
		}
	}
	text("lm_name", n.LMName)
	if n.Layer != nil {
		fn("layer", *n.Layer)
	}
	text("submodule_name", n.SubmoduleName)
	text("hook_name", n.HookName)
	text("module_path", n.ModulePath)
	if n.ContextLength != 0 {
		fn("context_length", n.ContextLength)
	}
	answer("prepend_bos", n.PrependBOS)
	answer("drop_special", n.DropSpecial)
}
