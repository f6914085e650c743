package sweepbench

import (
	"context"
	"iter"
	"time"

	"github.com/topksweep/sweep/trainer"
)

// A backend trains as the one that it holds, and sleeps at each step.
type backend struct {
	trainer.Backend
	probe *Probe
}

// OfClass implements trainer.Backend.
func (b backend) OfClass(class string) (trainer.Backend, error) {
	inner, err := b.Backend.OfClass(class)
	if err != nil {
		return nil, err
	}
	return backend{inner, b.probe}, nil
}

// New implements trainer.Backend.
func (b backend) New(c trainer.Config, s *trainer.State, data trainer.Batches) (trainer.Model, error) {
	m, err := b.Backend.New(c, s, data)
	if err != nil {
		return nil, err
	}
	return &model{Model: m, probe: b.probe, step: b.probe.run / time.Duration(max(1, c.Steps))}, nil
}

// A model notes when it is used first and last.
type model struct {
	trainer.Model
	probe *Probe
	step  time.Duration // that it sleeps at each step
	used  use
}

// using notes a use, and returns a function that notes its end.
func (m *model) using() (end func()) {
	if m.used.begin == 0 {
		m.used.begin = now()
	}
	return func() { m.used.end = now() }
}

// Steps implements trainer.Model.
func (m *model) Steps(ctx context.Context, to int64) iter.Seq2[trainer.Stats, error] {
	return func(yield func(trainer.Stats, error) bool) {
		defer m.using()()
		for stats, err := range m.Model.Steps(ctx, to) {
			if err == nil && !sleep(ctx, m.step) {
				yield(trainer.Stats{}, context.Cause(ctx))
				return
			}
			if !yield(stats, err) {
				return
			}
		}
	}
}

// Save implements trainer.Model.
func (m *model) Save(s *trainer.State) error {
	defer m.using()()
	return m.Model.Save(s)
}

// Encode implements trainer.Encoder.
func (m *model) Encode(x []float32, k int, among []bool, acts []float32, latents []int32) error {
	defer m.using()()
	return m.Model.Encode(x, k, among, acts, latents)
}

// DecoderRows implements trainer.Model.
func (m *model) DecoderRows(latents []int32, rows, bDec []float32) error {
	defer m.using()()
	return m.Model.DecoderRows(latents, rows, bDec)
}

// Close implements trainer.Model.
func (m *model) Close() error {
	if m.used.begin != 0 {
		m.probe.note(m.used)
	}
	return m.Model.Close()
}

// sleep returns false if ctx is done before d is over.
func sleep(ctx context.Context, d time.Duration) bool {
	if d <= 0 {
		return true
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
