package models

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"github.com/topksweep/sweep/trainer"
)

// toolsConfig returns what cfg.json holds: the keys of sparsify and those of SAELens. Each passes over the other's.
//
// sparsify takes the number of latents from num_latents, and looks at expansion_factor only if that is 0. scale and
// threshold are for other readers.
func (m *Model) toolsConfig() map[string]any {
	var scale any
	if m.Scale != 0 {
		scale = m.Scale
	}
	return map[string]any{
		"activation": "topk", "expansion_factor": 32, "normalize_decoder": m.Norms().OffUnit == 0, "num_latents": m.DictSize,
		"k": m.K, "multi_topk": false, "skip_connection": false, "transcode": false, "d_in": m.ActivationDim,

		"scale": scale, "threshold": m.Threshold,

		"architecture": "topk", "d_sae": m.DictSize, "dtype": "float32", "device": "cpu", "apply_b_dec_to_input": true,
		"normalize_activations": "none", "reshape_activations": "none", "rescale_acts_by_decoder_norm": false,
		"metadata": saelensMetadata(m.Names),
	}
}

// saelensMetadata returns SAELens' metadata. What is not known is null, which SAELens asks for by name where it needs
// it. A module's path is no hook_name: SAELens finds modules by their paths in the causal model, and the names have
// those in the model without its head.
//
// SAELens takes a file without sae_lens_version for one of a version before 6. It passes model_from_pretrained_kwargs
// on as arguments, so that null would not do. layer and submodule_name are for other readers.
func saelensMetadata(n trainer.Names) map[string]any {
	hook, class := HookName(n), "HookedTransformer"
	if isPath(hook) {
		class = "AutoModelForCausalLM" // whose hooks are named by the paths of its modules
	}
	return map[string]any{
		"sae_lens_version": "6.0.0", "sae_lens_training_version": nil,
		"model_name": orNil(n.LMName), "model_class_name": class, "model_from_pretrained_kwargs": map[string]any{},
		"hook_name": orNil(hook), "hook_head_index": nil, "hf_hook_name": orNil(n.ModulePath),
		"context_size": orNil(n.ContextLength), "prepend_bos": n.PrependBOS, "exclude_special_tokens": n.DropSpecial,
		"layer": n.Layer, "submodule_name": orNil(n.SubmoduleName),
	}
}

// dictConfig returns what config.json holds. dictionary_learning's loader reads dict_class and k, those of SAELens and
// SAEBench the other keys of trainer and ctx_len too. Both ask lm_name for a text: it is empty where none is known.
// The keys under sweep are for this program, which finds there what the tool has no place for.
func (m *Model) dictConfig() map[string]any {
	n := m.Names
	return map[string]any{
		"trainer": map[string]any{
			"trainer_class": "TopKTrainer", "dict_class": "AutoEncoderTopK", "k": m.K,
			"activation_dim": m.ActivationDim, "dict_size": m.DictSize,
			"layer": n.Layer, "lm_name": n.LMName, "submodule_name": orNil(n.SubmoduleName),
		},
		"buffer": map[string]any{"d_submodule": m.ActivationDim, "ctx_len": orNil(n.ContextLength)},
		"sweep":  ownConfig{n, m.Scale, m.Threshold, m.Metadata},
	}
}

// An ownConfig is what this program keeps in a config.json.
type ownConfig struct {
	trainer.Names
	Scale     float64           `json:"scale,omitzero"`
	Threshold *float64          `json:"threshold,omitempty"`
	Metadata  map[string]string `json:"metadata,omitempty"`
}

// orNil returns nil for the zero value.
func orNil[T comparable](v T) any {
	var zero T
	if v == zero {
		return nil
	}
	return v
}

// hookSuffix matches the names of places that TransformerLens has too, as people write submodule_name: resid_post, or
// resid_post_layer_5.
var hookSuffix = regexp.MustCompile(`^(resid_pre|resid_mid|resid_post|mlp_out|attn_out)(?:_layer_(\d+))?$`)

// isPath reports whether the name of a hook is the path of a module, and none of TransformerLens.
func isPath(hook string) bool {
	return hook != "" && !strings.HasPrefix(hook, "blocks.") && !strings.Contains(hook, "hook_")
}

// HookName returns a place's name in TransformerLens: that of the names, else one made of layer and submodule_name,
// such as blocks.5.hook_resid_post, else "".
func HookName(n trainer.Names) string {
	if n.HookName != "" || n.Layer == nil {
		return n.HookName
	}
	m := hookSuffix.FindStringSubmatch(n.SubmoduleName)
	if m == nil || m[2] != "" && m[2] != strconv.Itoa(*n.Layer) {
		return ""
	}
	return fmt.Sprintf("blocks.%d.hook_%s", *n.Layer, m[1])
}
