package plain

import (
	"context"
	"fmt"
	"iter"
	"runtime"

	"github.com/topksweep/sweep/trainer"
)

// Backend trains plain models as a sweep would train them. It checks no Config and
// finds no number that is not finite, and a state that it saves is rounded to
// float32: it is for tests and for reading.
type Backend struct{}

// Name implements trainer.Backend.
func (Backend) Name() string { return "plain" }

// Bytes implements trainer.Backend: weights, both moments and gradients in float64.
func (Backend) Bytes(c trainer.Config) (device, host int64) {
	return 4 * 8 * c.Params(), c.StateBytes()
}

// Unsupported implements trainer.Backend: all is computed in float64, whatever the precision.
func (Backend) Unsupported(trainer.Config) error { return nil }

// OfClass implements trainer.Backend: float64 arithmetic of Go is of one class.
func (b Backend) OfClass(string) (trainer.Backend, error) { return b, nil }

// MeasureRoofline implements trainer.Backend: it is not known.
func (Backend) MeasureRoofline() (*trainer.Roofline, error) { return nil, nil }

// New implements trainer.Backend.
func (Backend) New(c trainer.Config, s *trainer.State, data trainer.Batches) (trainer.Model, error) {
	if data != nil && !s.HasMoments() {
		return nil, trainer.ErrNoMoments
	}
	m, err := New(c, s)
	return &backendModel{m, data, !s.HasMoments()}, err
}

type backendModel struct {
	*Model
	data    trainer.Batches
	encodes bool // it was made of a state without moments
}

// Steps implements trainer.Model.
func (m *backendModel) Steps(_ context.Context, to int64) iter.Seq2[trainer.Stats, error] {
	return func(yield func(trainer.Stats, error) bool) {
		if m.data == nil {
			yield(trainer.Stats{}, trainer.ErrNoData)
			return
		}
		x := make([]float32, m.Config.BatchSize*m.Config.ActivationDim)
		for m.Step < to {
			if err := m.data.Batch(m.Config.Seed, m.Step, x); err != nil {
				yield(trainer.Stats{}, err)
				return
			}
			if !yield(m.Train(Rows(x, m.Config.ActivationDim)), nil) {
				return
			}
		}
	}
}

// Encode implements trainer.Encoder.
func (m *backendModel) Encode(x []float32, k int, among []bool, acts []float32, latents []int32) error {
	x_BD, admitted := Rows(x, m.Config.ActivationDim), m.Config.DictSize
	for _, ok := range among {
		if !ok {
			admitted--
		}
	}
	n := len(x_BD)
	if k < 1 || k > admitted || n*m.Config.ActivationDim != len(x) || len(acts) != n*k || len(latents) != n*k {
		return fmt.Errorf("encode: %d numbers, k %d and room for %d activations do not fit", len(x), k, len(acts))
	}
	for b, x_D := range x_BD {
		pre_F := m.encode(x_D)
		for i, f := range TopK(pre_F, among, k) {
			acts[b*k+i], latents[b*k+i] = float32(pre_F[f]), int32(f)
		}
	}
	return nil
}

// Save implements trainer.Model.
func (m *backendModel) Save(s *trainer.State) error {
	if m.encodes {
		return trainer.ErrNoMoments
	}
	s.Step, s.Threshold = m.Step, float32(m.Threshold)
	narrow(m.W, s.W)
	narrow(m.M, s.M)
	narrow(m.V, s.V)
	copy(s.SinceFired, m.SinceFired_F)
	return nil
}

// DecoderRows implements trainer.Model.
func (m *backendModel) DecoderRows(latents []int32, rows, bDec []float32) error {
	d := m.Config.ActivationDim
	if len(rows) != len(latents)*d || len(bDec) != d {
		return fmt.Errorf("decoder rows: %d latents and room for %d and %d numbers do not fit",
			len(latents), len(rows), len(bDec))
	}
	for i, f := range latents {
		if int(f) < 0 || int(f) >= m.Config.DictSize {
			return fmt.Errorf("decoder rows: latent %d of %d", f, m.Config.DictSize)
		}
		for j, w := range m.W.Dec_FD[f] {
			rows[i*d+j] = float32(w)
		}
	}
	for j, b := range m.W.DecBias_D {
		bDec[j] = float32(b)
	}
	return nil
}

// Hardware implements trainer.Model.
func (m *backendModel) Hardware() trainer.Hardware {
	return trainer.Hardware{Class: "plain " + runtime.GOARCH}
}

// Close implements trainer.Model.
func (m *backendModel) Close() error { return nil }

// Rows returns the rows of width d of x.
func Rows(x []float32, d int) (x_BD [][]float64) {
	for ; len(x) >= d; x = x[d:] {
		row := make([]float64, d)
		for i := range row {
			row[i] = float64(x[i])
		}
		x_BD = append(x_BD, row)
	}
	return x_BD
}
