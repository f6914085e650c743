package models

import (
	"encoding/json"
	"fmt"
	"io/fs"
	"maps"
	"math"
	"path"
	"strconv"
	"strings"
)

// readSAELens reads sae_weights.safetensors and its cfg.json, which an inference model or a training model has left.
func readSAELens(fsys fs.FS, at place) (*Model, string, error) {
	c, err := readConfig(fsys, path.Join(at.folder, toolsConfig))
	if err != nil {
		return nil, "", fmt.Errorf("the config of %s: %w", at.path(), err)
	}
	if c, err = modernSAELens(c); err != nil {
		return nil, "", err
	}
	if err := onlySAELensTopK(c); err != nil {
		return nil, "", err
	}
	names := layout{"W_enc", "b_enc", "W_dec", "b_dec", true, false}
	tensors, metadata, err := readSafetensors(fsys, at.path(), names, []string{"scaling_factor"})
	if err != nil {
		return nil, "", err
	}
	for _, v := range tensors["scaling_factor"].v {
		if v != 1 {
			return nil, "", fmt.Errorf("%s: scaling_factor has a %v: models that were fine-tuned so are not read",
				at.path(), v)
		}
	}
	m, err := assemble(tensors, at.path(), names)
	if err != nil {
		return nil, "", err
	}
	if err := c.sizes(size{"d_in", m.ActivationDim}, size{"d_sae", m.DictSize}); err != nil {
		return nil, "", err
	}
	if m.K, err = c.k("SAELens would take 100"); err != nil {
		return nil, "", err
	}
	if err := m.own(c, metadata); err != nil {
		return nil, "", err
	}
	if err := m.foldSAELens(fsys, at, c); err != nil {
		return nil, "", err
	}
	if meta, err := c.object("metadata"); err == nil {
		m.Names = saelensNames(meta)
	}
	return m, "SAELens: " + at.path(), nil
}

// modernSAELens returns a config in the form of SAELens 6. The versions before it have no metadata, and name the
// architecture topk by its activation function.
func modernSAELens(c config) (config, error) {
	meta, err := c.object("metadata")
	if err != nil {
		return c, err
	}
	version, err := c.text("sae_lens_version")
	if err == nil && version == "" {
		version, err = meta.text("sae_lens_version")
	}
	if err != nil {
		return c, err
	}
	if major, err := strconv.Atoi(strings.SplitN(version, ".", 2)[0]); err == nil && major >= 6 {
		return c, nil
	}
	out := config{c.file, maps.Clone(c.keys)}
	for old, key := range map[string]string{"hook_point": "hook_name", "activation_fn_str": "activation_fn"} {
		if v, ok := out.keys[old]; ok && !out.has(key) {
			out.keys[key] = v
		}
	}
	fn, err := out.text("activation_fn")
	if err != nil {
		return c, err
	}
	if fn == "topk" {
		kwargs, err := out.object("activation_fn_kwargs")
		if err != nil {
			return c, err
		}
		if kwargs.has("k") {
			out.keys["k"], out.keys["architecture"] = kwargs.keys["k"], json.RawMessage(`"topk"`)
		}
	}
	if !out.has("architecture") {
		out.keys["architecture"] = json.RawMessage(`"standard"`)
	}
	switch string(out.keys["normalize_activations"]) {
	case "false":
		out.keys["normalize_activations"] = json.RawMessage(`"none"`)
	case "true":
		out.keys["normalize_activations"] = json.RawMessage(`"expected_average_only_in"`)
	}
	if !out.has("metadata") {
		flat, err := json.Marshal(out.keys)
		if err != nil {
			return c, err
		}
		out.keys["metadata"] = flat // its keys lay beside the others
	}
	return out, nil
}

// onlySAELensTopK returns an error for a config of anything but a Top-K autoencoder of activations as they are.
func onlySAELensTopK(c config) error {
	architecture, err := c.text("architecture")
	if err != nil {
		return err
	}
	if architecture != "topk" {
		return fmt.Errorf("%s: architecture is %q: only topk is read", c.file, architecture)
	}
	if tuned, err := c.flag("finetuning_scaling_factor", false); err != nil || tuned {
		if err == nil {
			err = fmt.Errorf("%s: finetuning_scaling_factor is true: such models are not read", c.file)
		}
		return err
	}
	normalize, err := c.text("normalize_activations")
	if err != nil {
		return err
	}
	switch normalize {
	case "", "none", expectedAverage:
	default:
		return fmt.Errorf("%s: normalize_activations is %q: the model sees each row scaled by a number of its own or "+
			"mixed, which weights cannot express: only none and %s are read", c.file, normalize, expectedAverage)
	}
	switch reshape, err := c.text("reshape_activations"); {
	case err != nil:
		return err
	case reshape != "" && reshape != "none" && reshape != "hook_z":
		return fmt.Errorf("%s: reshape_activations is %q: only none and hook_z are read", c.file, reshape)
	}
	return nil
}

// expectedAverage is the normalization of SAELens that multiplies all activations by one factor.
const expectedAverage = "expected_average_only_in"

// scalerFile has the factor of expectedAverage in the checkpoints of SAELens; a finished model has it folded.
const scalerFile = "activation_scaler.json"

// foldSAELens changes the weights so that the model computes in our form what the config says. Sums are in float64.
func (m *Model) foldSAELens(fsys fs.FS, at place, c config) error {
	subtract, err := c.flag("apply_b_dec_to_input", true)
	if err != nil {
		return err
	}
	if !subtract {
		m.foldBDec()
		m.fact("folded", "apply_b_dec_to_input false: b_enc + W_enc·b_dec")
	}
	if rescale, err := c.flag("rescale_acts_by_decoder_norm", false); err != nil {
		return err
	} else if rescale {
		// SAELens keeps by activation times norm, and divides the row by its norm. A row of zeros is never used.
		m.scaleActs(0)
		m.fact("folded", "rescale_acts_by_decoder_norm true, n = norm of a row of W_dec: W_enc·n, b_enc·n, W_dec/n")
	}
	if reshape, err := c.text("reshape_activations"); err != nil {
		return err
	} else if reshape == "hook_z" {
		m.fact("rows", "the heads of a token one after the other (reshape_activations hook_z)")
	}
	normalize, err := c.text("normalize_activations")
	if err != nil || normalize != expectedAverage {
		return err
	}
	s, err := optional(readConfig(fsys, path.Join(at.folder, scalerFile)))
	if err != nil {
		return err
	}
	var factor float64
	if ok, err := get(s, "scaling_factor", &factor); err != nil {
		return err
	} else if !ok {
		return fmt.Errorf("%s: normalize_activations is %s, and the factor is not in the folder: SAELens writes it to %s "+
			"beside a checkpoint, and folds it into a finished model", c.file, expectedAverage, scalerFile)
	}
	if !(factor > 0 && factor <= math.MaxFloat32) {
		return fmt.Errorf("%s: scaling_factor is %v, not a positive number", s.file, factor)
	}
	// acts = W_enc·(s·x − b_dec) + b_enc, and x̂ = (W_decᵀ·acts + b_dec)/s.
	scaleAll(m.W.WEnc, factor)
	scaleAll(m.W.WDec, 1/factor)
	scaleAll(m.W.BDec, 1/factor)
	m.fact("folded", fmt.Sprintf("normalize_activations %s, s = %v: W_enc·s, W_dec/s, b_dec/s", expectedAverage, factor))
	return nil
}

// foldBDec makes a model of one that does not subtract b_dec from its input: b_enc + W_enc·b_dec.
func (m *Model) foldBDec() {
	d := m.ActivationDim
	for f := range m.W.BEnc {
		sum := float64(m.W.BEnc[f])
		for i, w := range m.W.WEnc[f*d : (f+1)*d] {
			sum += float64(w) * float64(m.W.BDec[i])
		}
		m.W.BEnc[f] = float32(sum)
	}
}

// scaleAll multiplies all numbers by c.
func scaleAll(v []float32, c float64) {
	for i, x := range v {
		v[i] = float32(float64(x) * c)
	}
}
