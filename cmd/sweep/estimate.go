package main

import (
	"context"
	"slices"
	"time"

	"github.com/topksweep/sweep/trainer"
)

// An estimator says how long runs take on this machine. It times a few steps of
// each model until its time is spent. For the models that are left, and those that
// are too large to try, it takes the best possible step and the ratio of the last
// step timed to its own best possible one.
//
// For example, if a step of the last model timed took 1.5 times what the roofline
// says, and the roofline says 40 ms for the next model, then its steps take 60 ms.
type estimator struct {
	ctx     context.Context
	backend trainer.Backend
	share   int // runs that share the machine, or each of its GPUs, when all slots train

	slots       int // runs at a time for which the estimates hold
	workerSlots int // of a worker on this machine without flags

	roofline *trainer.Roofline     // nil: not known
	known    map[stepSizes]float64 // seconds of a step that has the machine to itself; 0 if it cannot be timed
	ratio    map[string]float64    // by precision: of the last step timed to the best possible one
	left     time.Duration         // to time steps in
	notes    []string              // why some have no time, each reason once
}

// stepSizes are what the time of a step depends on.
type stepSizes struct {
	activationDim, dictSize, k, batchSize int
	precision                             string
}

const (
	estimateTime      = 2 * time.Second // for all models together
	estimateModelTime = 100 * time.Millisecond
	estimateMaxBytes  = 1 << 30 // a larger model takes too long to make
)

func newEstimator(ctx context.Context, b trainer.Backend, share int) *estimator {
	return &estimator{
		ctx: ctx, backend: b, share: share,
		known: map[stepSizes]float64{}, ratio: map[string]float64{}, left: estimateTime,
	}
}

// note keeps a reason. It does not refuse the plan, which may be for other workers.
func (e *estimator) note(err error) {
	if s := err.Error(); !slices.Contains(e.notes, s) {
		e.notes = append(e.notes, s)
	}
}

// seconds estimates the training time of a run when all slots train. It is 0 if that
// is not known.
func (e *estimator) seconds(c trainer.Config) float64 {
	sizes := stepSizes{c.ActivationDim, c.DictSize, c.K, c.BatchSize, c.Precision}
	step, ok := e.known[sizes]
	if !ok {
		step = e.step(c)
		e.known[sizes] = step
	}
	return step * float64(c.Steps) * float64(e.share)
}

// step times a step or estimates its time, in seconds.
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
	if bytes, _ := e.backend.Bytes(c); bytes <= estimateMaxBytes && e.left > 0 {
		return e.time(c)
	}
	if e.ratio[c.Precision] == 0 { // no model of this precision was small enough
		small := c
		small.ActivationDim, small.DictSize, small.K, small.KAux, small.BatchSize = 256, 2048, min(c.K, 2048), 128, 256
		e.time(small)
	}
	return e.roofline.StepSeconds(c) * e.ratio[c.Precision]
}

// time times a few steps. It is 0, with a note, if they cannot be trained here.
func (e *estimator) time(c trainer.Config) float64 {
	began := time.Now()
	t, err := trainer.TimeSteps(e.ctx, e.backend, c, estimateModelTime)
	if err != nil {
		e.note(err)
		return 0
	}
	e.left -= time.Since(began)
	e.ratio[c.Precision] = t.Median / e.roofline.StepSeconds(c)
	return t.Median
}
