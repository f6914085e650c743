package main

import (
	"context"
	"slices"
	"time"

	"github.com/topksweep/sweep/trainer"
)

// An estimator says how long runs take on this machine. It times a few steps of
// each shape, until it has spent its time; what is left, and what is too large to
// try, it scales from the best possible steps by the last shape timed.
type estimator struct {
	ctx     context.Context
	backend trainer.Backend
	slots   int // runs that the machine trains at a time

	roofline *trainer.Roofline  // nil: not known
	known    map[shape]float64  // seconds of a step that has the machine to itself; 0 if it cannot be timed
	ratio    map[string]float64 // by precision: of the last step timed to the best possible one
	left     time.Duration
	notes    []string // why there is no time for some, each reason once
}

// shape is what a step's time depends on.
type shape struct {
	d, f, k, b int
	precision  string
}

const (
	estimateTime  = 2 * time.Second // for all shapes together
	estimateShape = 100 * time.Millisecond
	estimateBytes = 1 << 30 // a larger model takes too long to make
)

func newEstimator(ctx context.Context, b trainer.Backend, slots int) *estimator {
	return &estimator{ctx: ctx, backend: b, slots: slots, known: map[shape]float64{}, ratio: map[string]float64{}, left: estimateTime}
}

// note keeps a reason. A plan may be for other workers, so that it is none to
// refuse the plan.
func (e *estimator) note(err error) {
	if s := err.Error(); !slices.Contains(e.notes, s) {
		e.notes = append(e.notes, s)
	}
}

// seconds estimates the training time of a run among as many as there are slots. It
// is 0 where that is not known.
func (e *estimator) seconds(c trainer.Config) float64 {
	s := shape{c.ActivationDim, c.DictSize, c.K, c.BatchSize, c.Precision}
	step, ok := e.known[s]
	if !ok {
		step = e.step(c)
		e.known[s] = step
	}
	return step * float64(c.Steps) * float64(e.slots)
}

func (e *estimator) step(c trainer.Config) float64 {
	if len(e.known) == 0 {
		var err error
		if e.roofline, err = e.backend.MeasureRoofline(); err != nil {
			e.note(err)
		}
	}
	if e.roofline == nil || e.ctx.Err() != nil {
		return 0
	}
	if bytes, _ := e.backend.Bytes(c); bytes <= estimateBytes && e.left > 0 {
		return e.time(c)
	}
	if e.ratio[c.Precision] == 0 { // nothing was small enough
		small := c
		small.ActivationDim, small.DictSize, small.K, small.KAux, small.BatchSize = 256, 2048, min(c.K, 2048), 128, 256
		e.time(small)
	}
	return e.roofline.StepSeconds(c) * e.ratio[c.Precision]
}

// time times a few steps.
func (e *estimator) time(c trainer.Config) float64 {
	began := time.Now()
	t, err := trainer.TimeSteps(e.ctx, e.backend, c, estimateShape)
	if err != nil {
		e.note(err)
		return 0
	}
	e.left -= time.Since(began)
	e.ratio[c.Precision] = t.Median / e.roofline.StepSeconds(c)
	return t.Median
}
