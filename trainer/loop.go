package trainer

import (
	"context"
	"errors"
	"fmt"
)

// A Loop trains one model over the steps of a run.
type Loop struct {
	cfg       Config
	model     Model
	data      Batches
	step      int64
	curve     []Point
	firstDead int64

	heldOut     HeldOut  // nil: the curve has no held-out points
	heldOutStep int64    // the step whose held-out point is measured; −1 before the first
	heldOutNMSE *float64 // of that point

	lastLoss, leastLoss Point // the last and the smallest so far, as far as is known; Step is −1 where none is
}

// Start puts a model on the backend that goes on from s, which is copied, and
// trains on data. If data is a HeldOut too, the loss curve has held-out points (OnHeldOut).
func Start(b Backend, c Config, s *State, data Batches) (*Loop, error) {
	if c.ActivationDim != data.Dim() {
		return nil, fmt.Errorf("start: activation_dim is %d but the data's rows have width %d",
			c.ActivationDim, data.Dim())
	}
	m, err := b.New(c, s, data)
	if err != nil {
		return nil, fmt.Errorf("start on %s: %w", b.Name(), err)
	}
	l := &Loop{
		cfg: c, model: m, data: data, step: s.Step, curve: append([]Point(nil), s.Curve...), firstDead: s.FirstDead,
		heldOutStep: -1, lastLoss: Point{Step: -1}, leastLoss: Point{Step: -1},
	}
	l.heldOut, _ = data.(HeldOut)
	for _, p := range l.curve {
		l.sawLoss(p)
	}
	return l, nil
}

// sawLoss notes a step's loss, for the message if a later one is not finite.
func (l *Loop) sawLoss(p Point) {
	if l.lastLoss = p; l.leastLoss.Step < 0 || p.Loss < l.leastLoss.Loss {
		l.leastLoss = p
	}
}

// Step returns the number of steps done.
func (l *Loop) Step() int64 { return l.step }

// Hardware names what the model trains on.
func (l *Loop) Hardware() Hardware { return l.model.Hardware() }

// Encoder is the model as it is now, between two calls of Run.
func (l *Loop) Encoder() Encoder { return l.model }

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
// then be saved and run further. Nothing reads the data once Run has returned.
func (l *Loop) Run(ctx context.Context, steps int64, after func(done int64, s Stats) error) error {
	if err := l.measureHeldOut(ctx, steps); err != nil {
		return err
	}
	for s, err := range l.model.Steps(ctx, steps) {
		if err != nil {
			return l.at(ctx, err, s)
		}
		if what := outOfRange(s); what != "" {
			return l.explain(&NumericError{What: what}, s)
		}
		if s.Dead > 0 && l.firstDead < 0 {
			l.firstDead = l.step
		}
		p := Point{
			Step: l.step, Loss: s.Loss, L2Loss: s.L2Loss, AuxKLoss: s.AuxKLoss, Dead: s.Dead, GradNorm: s.GradNorm,
		}
		if l.heldOutStep == l.step {
			p.EvalNMSE = l.heldOutNMSE
		}
		if OnCurve(l.step) || l.step == int64(l.cfg.Steps)-1 {
			l.curve = append(l.curve, p)
		}
		l.sawLoss(p)
		l.step++
		if err := after(l.step, s); err != nil {
			return err
		}
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if err := l.measureHeldOut(ctx, steps); err != nil {
			return err
		}
	}
	if l.step < steps {
		return fmt.Errorf("step %d: the backend ended before step %d", l.step, steps)
	}
	return nil
}

// at says in which step an error came and, if a number is not finite, why; unless the
// error is that of a context that is done. s is what is known of the step.
func (l *Loop) at(ctx context.Context, err error, s Stats) error {
	if numeric := (*NumericError)(nil); errors.As(err, &numeric) {
		return l.explain(numeric, s)
	}
	if ctx.Err() != nil && errors.Is(err, context.Cause(ctx)) {
		return err
	}
	return fmt.Errorf("step %d: %w", l.step, err)
}
