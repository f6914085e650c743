package main

import (
	"context"
	"iter"

	"github.com/topksweep/sweep/trainer"
)

// A leasedModel gives its GPU back when it is closed, and sets it aside if it breaks.
type leasedModel struct {
	trainer.Model
	pool    *gpuShare
	gpu     int
	release func()
}

func (m *leasedModel) Steps(ctx context.Context, to int64) iter.Seq2[trainer.Stats, error] {
	return func(yield func(trainer.Stats, error) bool) {
		for stats, err := range m.Model.Steps(ctx, to) {
			if !yield(stats, m.pool.check(m.gpu, err)) {
				return
			}
		}
	}
}

func (m *leasedModel) Save(s *trainer.State) error { return m.pool.check(m.gpu, m.Model.Save(s)) }

func (m *leasedModel) Encode(x []float32, k int, among []bool, acts []float32, latents []int32) error {
	return m.pool.check(m.gpu, m.Model.Encode(x, k, among, acts, latents))
}

func (m *leasedModel) DecoderRows(latents []int32, rows, bDec []float32) error {
	return m.pool.check(m.gpu, m.Model.DecoderRows(latents, rows, bDec))
}

func (m *leasedModel) Close() error {
	defer m.release()
	return m.pool.check(m.gpu, m.Model.Close())
}
