package trainer

import (
	"context"
	"fmt"
	"math"
)

// A Loop trains one model over the steps of a run. It reads the next batch
// while the model works on the current one.
type Loop struct {
	cfg       Config
	model     Model
	data      Batches
	step      int64
	curve     []Point
	firstDead int64
}

// Start puts a model on the backend that goes on from s, which is copied.
func Start(b Backend, c Config, s *State, data Batches) (*Loop, error) {
	if c.ActivationDim != data.Dim() {
		return nil, fmt.Errorf("start: activation_dim is %d but the data's rows have width %d", c.ActivationDim, data.Dim())
	}
	m, err := b.New(c, s)
	if err != nil {
		return nil, fmt.Errorf("start on %s: %w", b.Name(), err)
	}
	return &Loop{cfg: c, model: m, data: data, step: s.Step, curve: append([]Point(nil), s.Curve...), firstDead: s.FirstDead}, nil
}

// Step returns the number of steps done.
func (l *Loop) Step() int64 { return l.step }

// Model returns the model, for evaluation.
func (l *Loop) Model() Model { return l.model }

// Close frees the model.
func (l *Loop) Close() error { return l.model.Close() }

// Save copies the whole training state into s, made by NewState.
func (l *Loop) Save(s *State) error {
	if err := l.model.Save(s); err != nil {
		return fmt.Errorf("save step %d: %w", l.step, err)
	}
	s.Step = l.step
	s.Curve = append(s.Curve[:0], l.curve...)
	s.FirstDead = l.firstDead
	return nil
}

// Run trains until steps are done, calling after behind each step with the
// number of steps done and that step's stats. An error of after, or a context
// that is done, stops the loop between two steps and is returned; the loop can
// then be saved and run further.
func (l *Loop) Run(ctx context.Context, steps int64, after func(done int64, s Stats) error) error {
	if l.step >= steps {
		return nil
	}
	ctx, stop := context.WithCancel(ctx)
	feed := l.prefetch(ctx, steps)
	defer func() {
		stop()
		for range feed { // so that nobody reads the data once Run has returned
		}
	}()
	for b := range feed {
		if b.err != nil {
			return fmt.Errorf("step %d: %w", l.step, b.err)
		}
		s, err := l.model.Step(b.x)
		if err != nil {
			return fmt.Errorf("step %d: %w", l.step, err)
		}
		if math.IsNaN(s.Loss) || math.IsInf(s.Loss, 0) {
			return &NumericError{Step: l.step, What: fmt.Sprintf("the loss is %v", s.Loss)}
		}
		if s.Dead > 0 && l.firstDead < 0 {
			l.firstDead = l.step
		}
		if OnCurve(l.step) || l.step == int64(l.cfg.Steps)-1 {
			l.curve = append(l.curve, Point{l.step, s.Loss, s.L2Loss, s.AuxKLoss, s.Dead})
		}
		l.step++
		b.free <- b.x
		if err := after(l.step, s); err != nil {
			return err
		}
		if err := ctx.Err(); err != nil {
			return context.Cause(ctx)
		}
	}
	return context.Cause(ctx)
}

type batch struct {
	x    []float32
	err  error
	free chan []float32
}

// prefetch serves the batches from the current step to steps over two buffers.
func (l *Loop) prefetch(ctx context.Context, steps int64) <-chan batch {
	feed := make(chan batch)
	free := make(chan []float32, 2)
	for range 2 {
		free <- make([]float32, l.cfg.BatchSize*l.cfg.ActivationDim)
	}
	first := l.step
	go func() {
		defer close(feed)
		for step := first; step < steps; step++ {
			b := batch{free: free}
			select {
			case b.x = <-free:
			case <-ctx.Done():
				return
			}
			b.err = l.data.Batch(l.cfg.Seed, step, b.x)
			select {
			case feed <- b:
			case <-ctx.Done():
				return
			}
			if b.err != nil {
				return
			}
		}
	}()
	return feed
}
