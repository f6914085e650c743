package activities

import (
	"context"
	"iter"

	"github.com/topksweep/sweep/trainer"
)

// hooks is a backend that calls a function before or after each step.
type hooks struct {
	trainer.Backend
	before func(step int64)
	after  func(done int64)      // so many steps are done
	stats  func(s trainer.Stats) // of a step that is done
	encode func()                // before rows are encoded for an evaluation
	close  func()                // before a model is closed
}

// OfClass implements trainer.Backend: it keeps the hooks.
func (h *hooks) OfClass(class string) (trainer.Backend, error) {
	if _, err := h.Backend.OfClass(class); err != nil {
		return nil, err
	}
	return h, nil
}

func (h *hooks) New(c trainer.Config, s *trainer.State, data trainer.Batches) (trainer.Model, error) {
	m, err := h.Backend.New(c, s, data)
	return &hookedModel{Model: m, h: h, step: s.Step}, err
}

type hookedModel struct {
	trainer.Model
	h    *hooks
	step int64
}

func (m *hookedModel) Steps(ctx context.Context, to int64) iter.Seq2[trainer.Stats, error] {
	return func(yield func(trainer.Stats, error) bool) {
		m.before(to)
		for s, err := range m.Model.Steps(ctx, to) {
			m.step++
			if m.h.stats != nil && err == nil {
				m.h.stats(s)
			}
			if m.h.after != nil {
				m.h.after(m.step)
			}
			if !yield(s, err) {
				return
			}
			m.before(to)
		}
	}
}

func (m *hookedModel) Encode(x []float32, k int, only []bool, acts []float32, latents []int32) error {
	if m.h.encode != nil {
		m.h.encode()
	}
	return m.Model.Encode(x, k, only, acts, latents)
}

func (m *hookedModel) Close() error {
	if m.h.close != nil {
		m.h.close()
	}
	return m.Model.Close()
}

func (m *hookedModel) before(to int64) {
	if m.step < to && m.h.before != nil {
		m.h.before(m.step)
	}
}
