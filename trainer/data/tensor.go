package data

import (
	"cmp"
	"fmt"
	"strings"

	"github.com/topksweep/sweep/trainer/safetensors"
)

// defaultName is the name of the tensor or column that holds the rows, if a file has it and the spec says nothing.
const defaultName = "activations"

// An array is a tensor or a column of a file, of which one holds the rows.
type array struct {
	name  string
	shape string // for people, such as [32 128 768]
	rows  bool   // it holds floating-point numbers in two or more dimensions, so that it may be the one
}

// chooseRows returns the index of the array that holds the rows: the one that the spec names, or else that with the
// default name, or else the only one that may hold rows. kind is what the file calls an array.
func chooseRows(kind, named string, all []array) (int, error) {
	var could []array
	only := -1
	for i, a := range all {
		switch {
		case a.name == named && named != "":
			return i, nil
		case a.name == defaultName && named == "":
			return i, nil
		case a.rows:
			could, only = append(could, a), i
		}
	}
	switch {
	case named != "":
		return -1, fmt.Errorf("no %s has the name %s, which data.tensor gives; it holds %s", kind, named, describe(all))
	case len(could) == 1:
		return only, nil
	case len(could) > 1:
		return -1, fmt.Errorf("several %ss could be the rows, and none has the name %s: %s: say which with data.tensor",
			kind, defaultName, describe(could))
	case len(all) == 0:
		return -1, fmt.Errorf("it holds no %s: write one of [rows, width] under the name %s", kind, defaultName)
	}
	return -1, fmt.Errorf("no %s holds floating-point numbers in two or more dimensions; it holds %s: "+
		"write [rows, width] under the name %s", kind, describe(all), defaultName)
}

// describe lists names and shapes, of ten arrays at most.
func describe(arrays []array) string {
	const most = 10
	var words []string
	for _, a := range arrays[:min(most, len(arrays))] {
		words = append(words, a.name+" "+a.shape)
	}
	if len(arrays) > most {
		words = append(words, fmt.Sprintf("and %d more", len(arrays)-most))
	}
	return cmp.Or(strings.Join(words, ", "), "nothing")
}

// isFloat reports whether the name of a dtype in safetensors is one of floating-point numbers: F16, BF16, F8_E4M3.
func isFloat(dtype string) bool { return strings.HasPrefix(strings.TrimPrefix(dtype, "B"), "F") }

// tensorLayout returns where the rows are of the tensor that holds them.
func (f form) tensorLayout(h *safetensors.Header) (l layout, err error) {
	all := make([]array, len(h.Tensors))
	for i, t := range h.Tensors {
		all[i] = array{t.Name, fmt.Sprintf("%v", t.Shape), isFloat(t.DType) && len(t.Shape) >= 2}
	}
	i, err := chooseRows("tensor", f.tensor, all)
	if err != nil {
		if len(all) == 0 || f.tensor != "" {
			return l, err
		}
		return l, asActivations(largest(h.Tensors), h.Tensors, "%w", err)
	}
	t := h.Tensors[i]
	switch l.dtype = dtype(t.DType); l.dtype {
	case f32, f16, bf16, f64:
	default:
		return l, asActivations(t, h.Tensors, "tensor %s has dtype %s: store it as F32, F16 or BF16", t.Name, t.DType)
	}
	if len(t.Shape) < 2 {
		return l, asActivations(t, h.Tensors, "%s has shape %v: reshape it to [rows, width]", t.Name, t.Shape)
	}
	if err := l.setShape(t.Shape); err != nil {
		return l, fmt.Errorf("tensor %s: %w", t.Name, err)
	}
	l.start = h.DataStart + t.Begin
	return l, nil
}
