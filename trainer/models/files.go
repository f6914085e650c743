package models

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"path"
	"slices"
	"strconv"

	"github.com/topksweep/sweep/trainer/models/torchfile"
	"github.com/topksweep/sweep/trainer/safetensors"
)

// Files of the formats.
const (
	sparsifyWeights = "sae.safetensors"
	saelensWeights  = "sae_weights.safetensors"
	toolsConfig     = "cfg.json" // sparsify's and SAELens'
	dictWeights     = "ae.pt"
	dictConfig      = "config.json"
	referenceFolder = "reference"
	readme          = "README.md"
	resultFile      = "result.json" // beside a model of this program: names
)

// Weights returns the name of the file of weights by which a folder shows the format, with slashes.
func (f Format) Weights() string {
	switch f {
	case Sparsify:
		return sparsifyWeights
	case SAELens:
		return saelensWeights
	case Reference:
		return referenceFolder + "/" + dictWeights
	}
	return dictWeights
}

// Files returns the files of a folder from which the tools of these formats load the model, with a README that is a
// model card. The weights are not copied: the model must stay as it is while the files are read. They are read once
// here, for the checksums of ae.pt. Equal models give equal bytes.
func Files(m *Model, formats ...Format) ([]File, error) {
	if err := m.Check(); err != nil {
		return nil, fmt.Errorf("write a model: %w", err)
	}
	if len(formats) == 0 {
		return nil, fmt.Errorf("write a model: no format is named; there are %q", Formats())
	}
	var out []File
	for _, format := range Formats() {
		if !slices.Contains(formats, format) {
			continue
		}
		files, err := m.filesOf(format)
		if err != nil {
			return nil, fmt.Errorf("write a model for %s: %w", format, err)
		}
		out = append(out, files...)
	}
	for _, format := range formats {
		if !slices.Contains(Formats(), format) {
			return nil, fmt.Errorf("write a model: there is no format %q; there are %q", format, Formats())
		}
	}
	if usesToolsConfig(formats) {
		cfg, err := jsonFile(toolsConfig, m.toolsConfig())
		if err != nil {
			return nil, err
		}
		out = append(out, cfg)
	}
	return append(out, textFile(readme, m.card(formats))), nil
}

// TextFiles returns those of Files that hold names: all but the files of weights, in which there are none. Of the
// weights they tell only whether the rows of W_dec are at unit norm: those of a model without weights count as such.
func TextFiles(m *Model, formats ...Format) (out []File, err error) {
	add := func(name string, v any) {
		f, e := jsonFile(name, v)
		out, err = append(out, f), errors.Join(err, e)
	}
	if slices.Contains(formats, DictionaryLearning) {
		add(dictConfig, m.dictConfig())
	}
	if slices.Contains(formats, Reference) {
		add(path.Join(referenceFolder, dictConfig), m.dictConfig())
	}
	if usesToolsConfig(formats) {
		add(toolsConfig, m.toolsConfig())
	}
	return append(out, textFile(readme, m.card(formats))), err
}

// usesToolsConfig reports whether one of the formats has a cfg.json.
func usesToolsConfig(formats []Format) bool {
	return slices.Contains(formats, Sparsify) || slices.Contains(formats, SAELens)
}

// filesOf returns the files of one format, without those that formats share.
func (m *Model) filesOf(format Format) ([]File, error) {
	d, f := int64(m.ActivationDim), int64(m.DictSize)
	wEnc, bEnc, wDec, bDec := floats(m.W.WEnc), floats(m.W.BEnc), floats(m.W.WDec), floats(m.W.BDec)
	switch format {
	case Sparsify:
		return m.safetensorsFile(sparsifyWeights, []tensor{
			{"encoder.weight", []int64{f, d}, wEnc}, {"encoder.bias", []int64{f}, bEnc},
			{"W_dec", []int64{f, d}, wDec}, {"b_dec", []int64{d}, bDec},
		})
	case SAELens:
		return m.safetensorsFile(saelensWeights, []tensor{
			{"W_enc", []int64{d, f}, newTransposed(wEnc, m.DictSize, m.ActivationDim)}, {"b_enc", []int64{f}, bEnc},
			{"W_dec", []int64{f, d}, wDec}, {"b_dec", []int64{d}, bDec},
		})
	}
	folder, isReference := "", format == Reference
	entries := []torchfile.Entry{
		{Name: "b_dec", DType: "F32", Shape: []int64{d}, Data: bDec},
		{Name: "k", DType: "I32", Data: bytes.NewReader(binary.LittleEndian.AppendUint32(nil, uint32(m.K)))},
		{Name: "threshold", DType: "F32", Data: floats{m.storedThreshold()}},
		{Name: "decoder.weight", DType: "F32", Shape: []int64{d, f}, Data: newTransposed(wDec, m.DictSize, m.ActivationDim)},
		{Name: "encoder.weight", DType: "F32", Shape: []int64{f, d}, Data: wEnc},
		{Name: "encoder.bias", DType: "F32", Shape: []int64{f}, Data: bEnc},
	}
	if isReference {
		folder = referenceFolder
		entries = slices.DeleteFunc(entries, func(e torchfile.Entry) bool { return e.Name == "k" || e.Name == "threshold" })
	}
	body, err := torchfile.NewFile(entries)
	if err != nil {
		return nil, err
	}
	cfg, err := jsonFile(path.Join(folder, dictConfig), m.dictConfig())
	return []File{{path.Join(folder, dictWeights), body, body.Size()}, cfg}, err
}

// storedThreshold returns the threshold as dictionary_learning keeps it: −1 where none is known.
func (m *Model) storedThreshold() float32 {
	if m.Threshold == nil {
		return -1
	}
	return float32(*m.Threshold)
}

// A tensor is a float32 array of a file.
type tensor struct {
	name  string
	shape []int64
	body  io.ReaderAt
}

// safetensorsFile returns a safetensors file of tensors, with the model's metadata.
func (m *Model) safetensorsFile(name string, tensors []tensor) ([]File, error) {
	list := make([]safetensors.Tensor, len(tensors))
	for i, t := range tensors {
		list[i] = safetensors.Tensor{Name: t.name, DType: "F32", Shape: t.shape}
	}
	head, err := safetensors.EncodeHeader(list, m.metadata())
	if err != nil {
		return nil, err
	}
	var body joined
	body.add(bytes.NewReader(head), int64(len(head)))
	for i, t := range tensors {
		body.add(t.body, list[i].End-list[i].Begin)
	}
	return []File{{name, &body, body.length}}, nil
}

// metadata returns the strings of the header of a safetensors file.
func (m *Model) metadata() map[string]string {
	out := maps.Clone(m.Metadata)
	if out == nil {
		out = map[string]string{}
	}
	out["format"] = "pt"
	if m.Scale != 0 {
		out["sweep.scale"] = number(m.Scale)
	}
	if m.Threshold != nil {
		out["sweep.threshold"] = number(*m.Threshold)
	}
	return out
}

// number returns a number in full.
func number(v float64) string { return strconv.FormatFloat(v, 'g', -1, 64) }

// jsonFile returns a file with a value as indented JSON.
func jsonFile(name string, v any) (File, error) {
	b, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return File{}, fmt.Errorf("write %s: %w", name, err)
	}
	return textFile(name, string(b)+"\n"), nil
}

// textFile returns a file with that text.
func textFile(name, text string) File {
	return File{name, bytes.NewReader([]byte(text)), int64(len(text))}
}
