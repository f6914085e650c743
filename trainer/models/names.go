package models

import "github.com/topksweep/sweep/trainer"

// Names are for people and for other tools: a model is read without those that are no text, number or boolean.

// savedNames reads the names as this program writes them.
func savedNames(c config) (n trainer.Names) {
	n.LMName, _ = c.text("lm_name")
	n.SubmoduleName, _ = c.text("submodule_name")
	n.HookName, _ = c.text("hook_name")
	n.ModulePath, _ = c.text("module_path")
	n.ContextLength, _, _ = c.count("context_length")
	n.Layer = c.layer()
	n.PrependBOS, n.DropSpecial = c.answer("prepend_bos"), c.answer("drop_special")
	return n
}

// saelensNames reads SAELens' metadata, in which this program also writes layer and submodule_name.
func saelensNames(meta config) (n trainer.Names) {
	n.LMName, _ = meta.text("model_name")
	n.SubmoduleName, _ = meta.text("submodule_name")
	n.HookName, _ = meta.text("hook_name")
	n.ModulePath, _ = meta.text("hf_hook_name")
	n.ContextLength, _, _ = meta.count("context_size")
	n.Layer = meta.layer()
	n.PrependBOS = meta.answer("prepend_bos")
	n.DropSpecial = meta.answer("exclude_special_tokens") // SAELens also allows a list of tokens: nil
	return n
}

// dictNames reads where the activations come from: from the names that this program writes, else from the keys of
// dictionary_learning.
func dictNames(c, train config) (n trainer.Names) {
	if own, err := c.object("sweep"); err == nil && own.keys != nil {
		return savedNames(own)
	}
	n.LMName, _ = train.text("lm_name")
	n.SubmoduleName, _ = train.text("submodule_name")
	n.Layer = train.layer()
	if buffer, err := c.object("buffer"); err == nil {
		n.ContextLength, _, _ = buffer.count("ctx_len")
	}
	return n
}

// layer returns the number under the key layer, or nil.
func (c config) layer() *int {
	if v, ok, err := c.count("layer"); ok && err == nil {
		return &v
	}
	return nil
}

// answer returns a boolean, or nil.
func (c config) answer(key string) *bool {
	var v bool
	if ok, err := get(c, key, &v); ok && err == nil {
		return &v
	}
	return nil
}
