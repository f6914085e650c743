package trainer

import (
	"context"
	"errors"
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

	batches []*batch // the memory of the batches, kept between runs
}

// Start puts a model on the backend that goes on from s, which is copied.
func Start(b Backend, c Config, s *State, data Batches) (*Loop, error) {
	if c.ActivationDim != data.Dim() {
		return nil, fmt.Errorf("start: activation_dim is %d but the data's rows have width %d", c.ActivationDim, data.Dim())
	}
	m, err := place(b, c, s, data)
	if err != nil {
		return nil, fmt.Errorf("start on %s: %w", b.Name(), err)
	}
	return &Loop{cfg: c, model: m, data: data, step: s.Step, curve: append([]Point(nil), s.Curve...), firstDead: s.FirstDead}, nil
}

// place makes the model, with the data beside it on the device where that can be.
func place(b Backend, c Config, s *State, data Batches) (Model, error) {
	if h, ok := b.(Holder); ok {
		if t, ok := data.(Table); ok {
			return h.Hold(c, s, t)
		}
	}
	return b.New(c, s)
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
	feed, err := l.prefetch(ctx, steps)
	if err != nil {
		stop()
		return l.at(err)
	}
	var staged *batch
	defer func() {
		stop()
		for range feed { // so that nobody reads the data once Run has returned
		}
		if staged != nil {
			l.model.(Stager).Stage(nil) // an error shows in the model's next step
		}
	}()
	for {
		b, ok := staged, true
		if staged = nil; b == nil {
			b, ok = <-feed
		}
		if !ok {
			return context.Cause(ctx)
		}
		if b.err != nil {
			return l.at(b.err)
		}
		if staged, err = l.stage(feed); err != nil {
			return l.at(err)
		}
		s, err := b.train(l.model)
		if err != nil {
			return l.at(err)
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
		b.free <- b
		if err := after(l.step, s); err != nil {
			return err
		}
		if err := ctx.Err(); err != nil {
			return context.Cause(ctx)
		}
	}
}

// stage hands the next batch to a model that takes it ahead, if it is there
// already.
func (l *Loop) stage(feed <-chan *batch) (*batch, error) {
	m, ok := l.model.(Stager)
	if !ok {
		return nil, nil
	}
	select {
	case b := <-feed:
		if b == nil || b.err != nil || b.rows != nil {
			return b, nil
		}
		return b, m.Stage(b.x)
	default:
		return nil, nil
	}
}

// A batch is rows, or the numbers of rows that the device holds.
type batch struct {
	x    []float32
	rows []int64
	err  error
	free chan *batch
}

func (b *batch) train(m Model) (Stats, error) {
	if b.rows != nil {
		return m.(Picker).StepRows(b.rows)
	}
	return m.Step(b.x)
}

// at says in which step an error came, unless the error does.
func (l *Loop) at(err error) error {
	var numeric *NumericError
	if errors.As(err, &numeric) {
		return err
	}
	return fmt.Errorf("step %d: %w", l.step, err)
}

// newBatch makes a batch's memory where the model wants it.
func (l *Loop) newBatch() (*batch, error) {
	if _, ok := l.model.(Picker); ok {
		return &batch{rows: make([]int64, l.cfg.BatchSize)}, nil
	}
	if m, ok := l.model.(Stager); ok {
		x, err := m.Buffer()
		return &batch{x: x}, err
	}
	return &batch{x: make([]float32, l.cfg.BatchSize*l.cfg.ActivationDim)}, nil
}

// fill reads the batch of a step.
func (l *Loop) fill(b *batch, step int64) error {
	if b.rows != nil {
		return l.data.(Table).Pick(l.cfg.Seed, step, b.rows)
	}
	return l.data.Batch(l.cfg.Seed, step, b.x)
}

// prefetch serves the batches from the current step to steps over a few buffers:
// one that is trained on, one that is staged, and one that is being read.
func (l *Loop) prefetch(ctx context.Context, steps int64) (<-chan *batch, error) {
	buffers := 2
	if _, ok := l.model.(Stager); ok {
		buffers = 3
	}
	feed := make(chan *batch)
	free := make(chan *batch, buffers)
	for len(l.batches) < buffers {
		b, err := l.newBatch()
		if err != nil {
			return nil, err
		}
		l.batches = append(l.batches, b)
	}
	for _, b := range l.batches {
		b.err, b.free = nil, free
		free <- b
	}
	first := l.step
	go func() {
		defer close(feed)
		for step := first; step < steps; step++ {
			var b *batch
			select {
			case b = <-free:
			case <-ctx.Done():
				return
			}
			b.err = l.fill(b, step)
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
	return feed, nil
}
