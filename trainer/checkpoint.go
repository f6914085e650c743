package trainer

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"

	"github.com/topksweep/sweep/trainer/safetensors"
)

// FormatVersion is the version of the checkpoint format that Encode writes. A
// checkpoint is a safetensors file, so that any tool of the field opens it: the
// weights W_enc, b_enc, W_dec, b_dec, Adam's moments of each as exp_avg.* and
// exp_avg_sq.*, tokens_since_fired and threshold, with the step, the loss curve,
// the first step in which a latent was dead and this version in its metadata.
const FormatVersion = 1

// ErrFormat is wrapped by errors about a checkpoint's content.
var ErrFormat = errors.New("not a checkpoint that this build reads")

const (
	metaVersion = "sweep.checkpoint"
	metaStep    = "step"
	metaCurve   = "curve"
	metaConfig  = "config"
	metaDead    = "first_dead_step" // absent while no latent was ever dead
)

// Encode returns a checkpoint of s as a reader over s's own memory: s must not
// change while it is read. Equal states give equal bytes.
func Encode(c Config, s *State) (*Body, error) {
	curve, err := json.Marshal(s.Curve)
	if err != nil {
		return nil, fmt.Errorf("encode checkpoint: %w", err)
	}
	config, err := json.Marshal(c)
	if err != nil {
		return nil, fmt.Errorf("encode checkpoint: %w", err)
	}
	meta := map[string]string{
		metaVersion: strconv.Itoa(FormatVersion), metaStep: strconv.FormatInt(s.Step, 10),
		metaCurve: string(curve), metaConfig: string(config),
	}
	if s.FirstDead >= 0 {
		meta[metaDead] = strconv.FormatInt(s.FirstDead, 10)
	}
	return NewBody(tensorsOf(c, s), meta)
}

// A NamedTensor is a tensor in memory: []float32 or []int64.
type NamedTensor struct {
	Name  string
	Shape []int
	Data  any
}

func tensorsOf(c Config, s *State) []NamedTensor {
	var out []NamedTensor
	for _, g := range []struct {
		prefix string
		p      *Params
	}{{"", &s.W}, {"exp_avg.", &s.M}, {"exp_avg_sq.", &s.V}} {
		g.p.Each(c.ActivationDim, c.DictSize, func(name string, shape []int, v []float32) {
			out = append(out, NamedTensor{g.prefix + name, shape, v})
		})
	}
	threshold := []float32{s.Threshold}
	return append(out,
		NamedTensor{"tokens_since_fired", []int{c.DictSize}, s.SinceFired},
		NamedTensor{"threshold", []int{1}, threshold})
}

// Decode reads a checkpoint of size bytes from r, streaming, into s, made by
// NewState(c). After an error, what s holds is undefined. The error wraps ErrFormat if the
// bytes are no checkpoint that this build reads, and else the error of r. Only who knows
// that the bytes are those that were written can tell the first from a read gone wrong.
func Decode(r io.Reader, size int64, c Config, s *State) error {
	h, err := safetensors.ReadHeader(r, size)
	if errors.Is(err, safetensors.ErrFormat) {
		return fmt.Errorf("decode checkpoint: %w: %w", ErrFormat, err)
	}
	if err != nil {
		return fmt.Errorf("decode checkpoint: %w", err)
	}
	version, err := strconv.Atoi(h.Metadata[metaVersion])
	switch {
	case err != nil:
		return fmt.Errorf("decode checkpoint: %w: its metadata has no %s version", ErrFormat, metaVersion)
	case version > FormatVersion:
		return fmt.Errorf("decode checkpoint: %w: it has format version %d, this build reads up to %d; "+
			"use a newer build of sweep", ErrFormat, version, FormatVersion)
	}
	if s.Step, err = strconv.ParseInt(h.Metadata[metaStep], 10, 64); err != nil || s.Step < 0 {
		return fmt.Errorf("decode checkpoint: %w: step %q", ErrFormat, h.Metadata[metaStep])
	}
	s.Curve = nil
	if err := json.Unmarshal([]byte(h.Metadata[metaCurve]), &s.Curve); err != nil {
		return fmt.Errorf("decode checkpoint: %w: curve: %v", ErrFormat, err)
	}
	s.FirstDead = -1
	if text, ok := h.Metadata[metaDead]; ok {
		if s.FirstDead, err = strconv.ParseInt(text, 10, 64); err != nil || s.FirstDead < 0 || s.FirstDead >= s.Step {
			return fmt.Errorf("decode checkpoint: %w: %s %q", ErrFormat, metaDead, text)
		}
	}
	want := tensorsOf(c, s)
	if len(h.Tensors) != len(want) {
		return fmt.Errorf("decode checkpoint: %w: %d tensors, want %d", ErrFormat, len(h.Tensors), len(want))
	}
	// The tensors of a file may come in any order: they are read in the file's.
	buf := make([]byte, 1<<16)
	for _, t := range h.Tensors {
		i := slices.IndexFunc(want, func(w NamedTensor) bool { return w.Name == t.Name })
		if i < 0 {
			return fmt.Errorf("decode checkpoint: %w: unknown tensor %q", ErrFormat, t.Name)
		}
		if dtype, shape := want[i].describe(); t.DType != dtype || !slices.Equal(t.Shape, shape) {
			return fmt.Errorf("decode checkpoint: %w: %s is %s %v, want %s %v",
				ErrFormat, t.Name, t.DType, t.Shape, dtype, shape)
		}
		if err := readInto(r, want[i].Data, buf); err != nil {
			return fmt.Errorf("decode checkpoint: %s: %w", t.Name, err)
		}
		if t.Name == "threshold" {
			s.Threshold = want[i].Data.([]float32)[0]
		}
	}
	return nil
}

func (t NamedTensor) describe() (dtype string, shape []int64) {
	for _, n := range t.Shape {
		shape = append(shape, int64(n))
	}
	if _, ok := t.Data.([]int64); ok {
		return "I64", shape
	}
	return "F32", shape
}

func readInto(r io.Reader, data any, buf []byte) error {
	switch v := data.(type) {
	case []float32:
		for len(v) > 0 {
			n := min(len(v), len(buf)/4)
			if _, err := io.ReadFull(r, buf[:n*4]); err != nil {
				return err
			}
			getFloats(v[:n], buf)
			v = v[n:]
		}
	case []int64:
		for len(v) > 0 {
			n := min(len(v), len(buf)/8)
			if _, err := io.ReadFull(r, buf[:n*8]); err != nil {
				return err
			}
			for i := range v[:n] {
				v[i] = int64(binary.LittleEndian.Uint64(buf[i*8:]))
			}
			v = v[n:]
		}
	}
	return nil
}
