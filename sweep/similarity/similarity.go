// Package similarity compares the decoders of trained models: how far do runs that differ in their seed alone find the
// same latents?
//
// It reads models as streams of safetensors, so it imports only that format. A decoder need not fit in memory.
package similarity

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"slices"

	"github.com/topksweep/sweep/trainer/safetensors"
)

const (
	maxLatents = 4096      // of a decoder that are compared with all of another
	sampleSeed = 0         // of their choice
	blockRows  = 32        // of a decoder that are in memory at a time
	maxSamples = 512 << 20 // bytes of chosen rows that are in memory at a time, or those of one model
	decoder    = "W_dec"   // [F,D]
)

// ErrMissing is what Model.Open returns, wrapped or not, if there is no such model.
var ErrMissing = errors.New("no model")

// A Model is one run's exported weights.
type Model struct {
	Name string // for errors
	Seed int64

	// Open opens the safetensors file and returns its size in bytes.
	Open func(ctx context.Context) (io.ReadCloser, int64, error)
}

// MCC returns for each of several models of equal settings the mean correlation of its latents with those of the models
// with another seed, in the range -1 to 1:
//
//	MCC(a) = mean over b of ½·(best(a, b) + best(b, a))
//	best(a, b) = mean over the chosen latents i of a of max over all latents j of b of cos(a_i, b_j)
//
// with a_i a row of W_dec. Chosen are min(F, 4,096) latents, the same of each model. A row of zeros has cosine 0 with
// any other. The value is nil for a model that is missing and for one without another seed.
//
// The bits do not depend on the number of threads. progress, if it is not nil, is called with the rows compared so far
// and with their total.
func MCC(ctx context.Context, models []Model, threads int, progress func(done, total int64)) ([]*float64, error) {
	out := make([]*float64, len(models))
	isMissing := make([]bool, len(models))
	var rows, width int64 // F and D, which all have
	for i, m := range models {
		d, err := open(ctx, m)
		if errors.Is(err, ErrMissing) {
			isMissing[i] = true
			continue
		}
		if err != nil {
			return nil, err
		}
		d.close()
		if rows == 0 {
			rows, width = d.rows, d.width
		}
		if rows != d.rows || width != d.width {
			return nil, fmt.Errorf("model %s: %s has %d rows of %d numbers, that of another model of equal settings %d of %d",
				m.Name, decoder, d.rows, d.width, rows, width)
		}
	}
	others := func(i int) (list []int) {
		for j, m := range models {
			if !isMissing[i] && !isMissing[j] && m.Seed != models[i].Seed {
				list = append(list, j)
			}
		}
		return list
	}
	total, done := int64(0), int64(0)
	for i := range models {
		total += int64(len(others(i))) * rows
	}
	tell := func(n int64) {
		if done += n; progress != nil {
			progress(done, total)
		}
	}
	best := map[[2]int]float64{} // best(a, b)
	chosen := choose(rows)
	atOnce := max(1, maxSamples/max(1, len(chosen)*int(width)*8))
	for first := 0; first < len(models); first += atOnce {
		group := seq(first, min(first+atOnce, len(models)))
		samples := map[int]*sample{}
		for _, a := range group {
			if len(others(a)) == 0 {
				continue
			}
			s, err := readSample(ctx, models[a], chosen)
			if err != nil {
				return nil, err
			}
			samples[a] = s
		}
		for b := range models {
			var with []int // of the group
			for _, a := range group {
				if slices.Contains(others(b), a) {
					with = append(with, a)
				}
			}
			if len(with) == 0 {
				continue
			}
			if err := compare(ctx, models[b], with, samples, threads, tell); err != nil {
				return nil, err
			}
			for _, a := range with {
				best[[2]int{a, b}] = samples[a].mean()
				samples[a].forget()
			}
		}
	}
	for a := range models {
		if list := others(a); len(list) > 0 {
			sum := 0.0
			for _, b := range list {
				sum += (best[[2]int{a, b}] + best[[2]int{b, a}]) / 2
			}
			mean := sum / float64(len(list))
			out[a] = &mean
		}
	}
	return out, nil
}

// seq returns from, from+1, … to−1.
func seq(from, to int) (out []int) {
	for i := from; i < to; i++ {
		out = append(out, i)
	}
	return out
}

// choose returns min(rows, maxLatents) of the numbers 0 to rows−1, in ascending order.
func choose(rows int64) []int64 {
	out := make([]int64, 0, min(rows, maxLatents))
	r := rand.New(rand.NewPCG(sampleSeed, uint64(rows)))
	for i := range rows { // Knuth's selection sampling: each subset is as likely as any other
		if r.Int64N(rows-i) < int64(cap(out)-len(out)) {
			out = append(out, i)
		}
	}
	return out
}

// A reader reads the rows of a model's decoder in order.
type reader struct {
	model       string
	body        io.ReadCloser
	rows, width int64
	left        int64
	raw         []byte
}

// open opens a model at the first row of its decoder.
func open(ctx context.Context, m Model) (*reader, error) {
	body, size, err := m.Open(ctx)
	if err != nil {
		return nil, fmt.Errorf("model %s: %w", m.Name, err)
	}
	d, err := newReader(m.Name, body, size)
	if err != nil {
		body.Close()
		return nil, fmt.Errorf("model %s: %w", m.Name, err)
	}
	return d, nil
}

func newReader(model string, body io.ReadCloser, size int64) (*reader, error) {
	h, err := safetensors.ReadHeader(body, size)
	if err != nil {
		return nil, err
	}
	t, ok := h.Tensor(decoder)
	if !ok || t.DType != "F32" || len(t.Shape) != 2 || t.Elems() == 0 {
		return nil, fmt.Errorf("it has no %s of two dimensions in F32", decoder)
	}
	if _, err := io.CopyN(io.Discard, body, t.Begin); err != nil {
		return nil, err
	}
	return &reader{model: model, body: body, rows: t.Shape[0], width: t.Shape[1], left: t.Shape[0]}, nil
}

func (d *reader) close() { d.body.Close() }

// read reads the next rows, at most as many as fit in dst, and returns their number: 0 at the end.
func (d *reader) read(dst []float64) (rows int64, err error) {
	rows = min(d.left, int64(len(dst))/d.width)
	n := int(rows * d.width)
	if cap(d.raw) < 4*n {
		d.raw = make([]byte, 4*n)
	}
	raw := d.raw[:4*n]
	if _, err := io.ReadFull(d.body, raw); err != nil {
		return 0, fmt.Errorf("model %s: read %s: %w", d.model, decoder, err)
	}
	for i := range n {
		v := float64(math.Float32frombits(uint32(raw[4*i]) | uint32(raw[4*i+1])<<8 |
			uint32(raw[4*i+2])<<16 | uint32(raw[4*i+3])<<24))
		if math.IsNaN(v) || math.IsInf(v, 0) {
			return 0, fmt.Errorf("model %s: %s: row %d holds %v", d.model, decoder, d.rows-d.left+int64(i)/d.width, v)
		}
		dst[i] = v
	}
	d.left -= rows
	return rows, nil
}
