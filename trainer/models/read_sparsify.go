package models

import (
	"fmt"
	"io/fs"
	"path"
	"regexp"
	"slices"

	"github.com/topksweep/sweep/trainer"
)

// readSparsify reads sae.safetensors and its cfg.json.
func readSparsify(fsys fs.FS, at place) (*Model, string, error) {
	c, err := readConfig(fsys, path.Join(at.folder, toolsConfig))
	if err != nil {
		return nil, "", fmt.Errorf("the config of %s: %w", at.path(), err)
	}
	if err := onlySparsifyTopK(c); err != nil {
		return nil, "", err
	}
	names := layout{"encoder.weight", "encoder.bias", "W_dec", "b_dec", false, false}
	tensors, metadata, err := readSafetensors(fsys, at.path(), names, nil)
	if err != nil {
		return nil, "", err
	}
	m, err := assemble(tensors, at.path(), names)
	if err != nil {
		return nil, "", err
	}
	latents := size{"num_latents", m.DictSize}
	if string(c.keys["num_latents"]) == "0" { // sparsify: the width times expansion_factor
		latents = size{"expansion_factor", m.DictSize / m.ActivationDim}
	}
	if err := c.sizes(size{"d_in", m.ActivationDim}, latents); err != nil {
		return nil, "", err
	}
	if m.K, err = c.k("sparsify would take 32"); err != nil {
		return nil, "", err
	}
	if err := m.own(c, metadata); err != nil {
		return nil, "", err
	}
	m.names(fsys, at, c)
	return m, "sparsify: " + at.path(), nil
}

// onlySparsifyTopK returns an error for a config of anything but a Top-K autoencoder.
func onlySparsifyTopK(c config) error {
	activation, err := c.text("activation")
	if err != nil {
		return err
	}
	if activation != "" && activation != "topk" {
		return fmt.Errorf("%s: activation is %q: only the models of the activation topk are read", c.file, activation)
	}
	for _, key := range []string{"transcode", "skip_connection"} {
		switch yes, err := c.flag(key, false); {
		case err != nil:
			return err
		case yes:
			return fmt.Errorf("%s: %s is true: this is a transcoder, and only autoencoders are read", c.file, key)
		}
	}
	// The first versions, named sae, had signed: the largest activations by size, without ReLU.
	if signed, err := c.flag("signed", false); err != nil || signed {
		if err == nil {
			err = fmt.Errorf("%s: signed is true: only models that keep positive activations are read", c.file)
		}
		return err
	}
	return nil
}

// k returns the number of latents that are kept. silently says what the tool does where it is missing.
func (c config) k(silently string) (int, error) {
	k, ok, err := c.count("k")
	if err == nil && !ok {
		err = fmt.Errorf("%s: k is missing. %s without a word, which need not be what the model was trained with: "+
			"write that into the file", c.file, silently)
	}
	return k, err
}

// A layout names the four tensors of a file, and says which matrices are transposed there.
type layout struct {
	wEnc, bEnc, wDec, bDec string
	encDF, decDF           bool // [D,F] instead of [F,D]
}

// names lists the tensors.
func (l layout) names() []string { return []string{l.wEnc, l.bEnc, l.wDec, l.bDec} }

// checkShapes returns the number of latents and the width that the tensors of a file have. The error says which shapes
// do not agree, or that the weights do not fit into memory. It looks at shapes alone.
func checkShapes(tensors map[string]array, file string, l layout) (latents, width int, err error) {
	for _, name := range []string{l.bEnc, l.bDec} {
		if len(tensors[name].shape) != 1 {
			return 0, 0, fmt.Errorf("%s: the tensor %s has the shape %v, not one axis", file, name, tensors[name].shape)
		}
	}
	f, d := tensors[l.bEnc].shape[0], tensors[l.bDec].shape[0]
	if f < 1 || f > maxDictSize || d < 1 || d > maxActivationDim {
		return 0, 0, fmt.Errorf("%s: %d latents and activations of the width %d: not 1 to %d, and 1 to %d",
			file, f, d, maxDictSize, maxActivationDim)
	}
	for _, x := range []struct {
		name string
		df   bool
	}{{l.wEnc, l.encDF}, {l.wDec, l.decDF}} {
		shape := []int64{f, d}
		if x.df {
			shape = []int64{d, f}
		}
		if have := tensors[x.name].shape; !slices.Equal(have, shape) {
			return 0, 0, fmt.Errorf("%s: the tensor %s has the shape %v, not %v as the others ask for",
				file, x.name, have, shape)
		}
	}
	if need, most := 4*(2*f*d+f+d), memory(); need > most {
		return 0, 0, fmt.Errorf("%s: its weights take %d MiB of memory, and there are %d MiB", file, need>>20, most>>20)
	}
	return int(f), int(d), nil
}

// assemble makes a model without K of the tensors of a file.
func assemble(tensors map[string]array, file string, l layout) (*Model, error) {
	f, d, err := checkShapes(tensors, file, l)
	if err != nil {
		return nil, err
	}
	m := &Model{ActivationDim: d, DictSize: f}
	m.W = trainer.Params{
		WEnc: tensors[l.wEnc].v, BEnc: tensors[l.bEnc].v, WDec: tensors[l.wDec].v, BDec: tensors[l.bDec].v,
	}
	if l.encDF {
		m.W.WEnc = turned(m.W.WEnc, d, f)
	}
	if l.decDF {
		m.W.WDec = turned(m.W.WDec, d, f)
	}
	for _, name := range l.names() {
		if tensors[name].dtype == "F64" {
			m.fact("rounded", "the numbers are stored as F64; they are rounded to float32")
			break
		}
	}
	return m, nil
}

// fact adds a line to the model's facts.
func (m *Model) fact(name, value string) { m.Facts = append(m.Facts, Fact{name, value}) }

// own reads what this program's files say besides the keys of the tools.
func (m *Model) own(c config, metadata map[string]string) error {
	var threshold, scale float64
	ok, err := get(c, "threshold", &threshold)
	if err != nil {
		return err
	}
	if ok && threshold >= 0 { // −1 says that none is set
		m.Threshold = &threshold
	}
	if _, err := get(c, "scale", &scale); err != nil {
		return err
	}
	m.Scale = scale
	for key, v := range metadata {
		if key == "format" || key == "sweep.scale" || key == "sweep.threshold" {
			continue // Files writes them
		}
		if m.Metadata == nil {
			m.Metadata = map[string]string{}
		}
		m.Metadata[key] = v
	}
	return nil
}

// names reads where the activations come from: from SAELens' metadata in cfg.json, else from this program's
// result.json, else from the name of sparsify's folder and the config of its run.
func (m *Model) names(fsys fs.FS, at place, c config) {
	if meta, err := c.object("metadata"); err == nil && meta.keys != nil {
		m.Names = saelensNames(meta)
		return
	}
	if result, err := readConfig(fsys, path.Join(at.folder, resultFile)); err == nil {
		m.Names = savedNames(result)
		return
	}
	if hookpoint.MatchString(path.Base(at.folder)) {
		m.Names.ModulePath = path.Base(at.folder)
	}
	if at.folder == "." {
		return
	}
	if run, err := readConfig(fsys, path.Join(path.Dir(at.folder), dictConfig)); err == nil {
		m.Names.LMName, _ = run.text("model")
		m.Names.ContextLength, _, _ = run.count("ctx_len")
	}
}

// hookpoint matches the folders of sparsify's models that are named by the path of a module, such as layers.5.mlp.
var hookpoint = regexp.MustCompile(`^[A-Za-z_]\w*(\.\w+)*\.\d+(\.\w+)*$`)
