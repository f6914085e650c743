package models

import (
	"fmt"
	"io/fs"
	"path"
	"regexp"

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
	tensors, metadata, err := readSafetensors(fsys, at.path(),
		[]string{"encoder.weight", "encoder.bias", "W_dec", "b_dec"}, nil)
	if err != nil {
		return nil, "", err
	}
	m, err := assemble(tensors, at.path(), layout{"encoder.weight", "encoder.bias", "W_dec", "b_dec", false, false})
	if err != nil {
		return nil, "", err
	}
	for key, want := range map[string]int{"d_in": m.ActivationDim, "num_latents": m.DictSize} {
		if key == "num_latents" && string(c.keys[key]) == "0" {
			key, want = "expansion_factor", m.DictSize/m.ActivationDim // sparsify: num_latents = d_in · expansion_factor
		}
		if err := c.size(key, want); err != nil {
			return nil, "", err
		}
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

// assemble makes a model without K of the tensors of a file.
func assemble(tensors map[string]array, file string, l layout) (*Model, error) {
	for _, name := range []string{l.bEnc, l.bDec} {
		if len(tensors[name].shape) != 1 {
			return nil, fmt.Errorf("%s: the tensor %s has the shape %v, not one axis", file, name, tensors[name].shape)
		}
	}
	f, d := tensors[l.bEnc].shape[0], tensors[l.bDec].shape[0]
	if f < 1 || f > maxDictSize || d < 1 || d > maxActivationDim {
		return nil, fmt.Errorf("%s: %d latents and activations of the width %d: not 1 to %d, and 1 to %d",
			file, f, d, maxDictSize, maxActivationDim)
	}
	m := &Model{ActivationDim: int(d), DictSize: int(f)}
	m.W = trainer.Params{BEnc: tensors[l.bEnc].v, BDec: tensors[l.bDec].v}
	for _, x := range []struct {
		name string
		df   bool
		to   *[]float32
	}{{l.wEnc, l.encDF, &m.W.WEnc}, {l.wDec, l.decDF, &m.W.WDec}} {
		shape := []int64{f, d}
		if x.df {
			shape = []int64{d, f}
		}
		v, err := take(tensors, file, x.name, shape...)
		if err != nil {
			return nil, err
		}
		if x.df {
			v = turned(v, int(d), int(f))
		}
		*x.to = v
	}
	for _, name := range []string{l.wEnc, l.bEnc, l.wDec, l.bDec} {
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
	if ok {
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

// names reads where the activations come from: from SAELens' metadata in cfg.json, else from this program's result.json,
// else from the name of sparsify's folder and the config of its run.
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

