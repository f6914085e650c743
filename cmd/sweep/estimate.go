package main

import (
	"context"
	"runtime"
	"slices"
	"time"

	"github.com/topksweep/sweep/sweep/plan"
	"github.com/topksweep/sweep/trainer"
)

// An estimator says how long runs take on this machine. Of a grid of a few shapes it times steps of each. Of a larger
// one it times a few shapes, smaller ones where those of the grid are large, and fits trainer.FitCosts to them: that
// gives the steps of all others, and all evaluations.
type estimator struct {
	ctx     context.Context
	backend trainer.Backend
	share   int // runs that share the machine, or each of its GPUs, when all slots train

	slots       int // runs at a time for which the estimates hold
	workerSlots int // of a worker on this machine without flags

	timed []stepSizes // shapes of which steps were timed
	notes []string    // why some have no time, each reason once
}

// stepSizes are what the time of a step depends on.
type stepSizes struct {
	activationDim, dictSize, k, batchSize int
	precision                             string
}

func sizesOf(c trainer.Config) stepSizes {
	return stepSizes{c.ActivationDim, c.DictSize, c.K, c.BatchSize, c.Precision}
}

const (
	fewShapes = 16     // of a grid that is timed shape by shape,
	fewCells  = 10_000 // if it has no more cells than that

	estimateTime      = 2 * time.Second // for all shapes of such a grid together
	estimateModelTime = 100 * time.Millisecond
	estimateMaxBytes  = 1 << 30 // a larger model takes too long to make

	sampleTime      = 400 * time.Millisecond // of processors, for the samples of a precision
	sampleModelTime = 10 * time.Millisecond
)

func newEstimator(ctx context.Context, b trainer.Backend, share int) *estimator {
	return &estimator{ctx: ctx, backend: b, share: share}
}

// note keeps a reason. It does not refuse the plan, which may be for other workers.
func (e *estimator) note(err error) {
	if s := err.Error(); !slices.Contains(e.notes, s) {
		e.notes = append(e.notes, s)
	}
}

// costs is plan.Estimates.Costs. The cost of a model that cannot be timed here is 0.
func (e *estimator) costs(w plan.Work) func(c trainer.Config, evalRows int64) plan.Cost {
	shapes := map[string][]trainer.Config{} // by precision
	seen := map[stepSizes]bool{}
	var precisions []string
	for c := range w.Models {
		if sizes := sizesOf(c); !seen[sizes] {
			seen[sizes] = true
			if shapes[c.Precision] == nil {
				precisions = append(precisions, c.Precision)
			}
			shapes[c.Precision] = append(shapes[c.Precision], c)
		}
	}
	each := len(seen) <= fewShapes && w.Cells <= fewCells
	byPrecision := map[string]*timings{}
	left := estimateTime
	for _, p := range precisions {
		t := &timings{known: map[stepSizes]float64{}}
		if each {
			left = e.timeEach(t, shapes[p], left)
		}
		e.timeSamples(t, shapes[p], w.EvalRows)
		t.fit()
		byPrecision[p] = t
	}
	share := float64(e.share)
	return func(c trainer.Config, evalRows int64) plan.Cost {
		step, evaluation := byPrecision[c.Precision].of(c, evalRows)
		if step == 0 {
			return plan.Cost{}
		}
		return plan.Cost{Step: step * share, Run: evaluation * share}.Besides(c)
	}
}

// timeEach times steps of each shape that is not too large to try, as long as there is time left. It returns what is
// left then.
func (e *estimator) timeEach(t *timings, shapes []trainer.Config, left time.Duration) time.Duration {
	for _, c := range shapes {
		if bytes, _ := e.backend.Bytes(c); bytes <= estimateMaxBytes && left > 0 {
			began := time.Now()
			e.timeSteps(t, c, estimateModelTime)
			left -= time.Since(began)
		}
	}
	return left
}

// timeSamples times steps and evaluations of some shapes that are quick to try and span those of a grid. Where steps of
// all of the grid were timed, it times evaluations alone.
func (e *estimator) timeSamples(t *timings, shapes []trainer.Config, evalRows int64) {
	isKnown := func(c trainer.Config) bool { return t.known[sizesOf(c)] > 0 }
	steps := slices.ContainsFunc(shapes, func(c trainer.Config) bool { return !isKnown(c) })
	began := time.Now()
	for _, c := range sampleShapes(shapes) {
		if e.ctx.Err() != nil || time.Since(began) > sampleTime/time.Duration(runtime.GOMAXPROCS(0)) {
			return
		}
		if steps && !isKnown(c) && !e.timeSteps(t, c, sampleModelTime) {
			continue
		}
		c, rows := quickEvaluation(c, evalRows)
		seconds, err := trainer.TimeEvaluation(e.ctx, e.backend, c, rows)
		if err != nil {
			e.note(err)
			continue
		}
		t.evaluations = append(t.evaluations, trainer.Sample{Terms: c.EvaluateTerms(rows), Seconds: seconds})
	}
}

// timeSteps times a few steps. If they cannot be trained here, it notes why.
func (e *estimator) timeSteps(t *timings, c trainer.Config, about time.Duration) bool {
	timing, err := trainer.TimeSteps(e.ctx, e.backend, c, about)
	if err != nil {
		e.note(err)
		return false
	}
	e.timed = append(e.timed, sizesOf(c))
	t.known[sizesOf(c)] = timing.Median
	t.steps = append(t.steps, trainer.Sample{Terms: c.StepTerms(), Seconds: timing.Median})
	return true
}

// timings are those of one precision. A run has the machine to itself in them.
type timings struct {
	known map[stepSizes]float64 // seconds of a step that was timed

	steps, evaluations         []trainer.Sample
	stepCosts, evaluationCosts []float64 // fitted to them; nil: none could be timed
}

func (t *timings) fit() {
	t.stepCosts = trainer.FitCosts(t.steps, trainer.StepProfile())
	t.evaluationCosts = trainer.FitCosts(t.evaluations, trainer.EvaluateProfile())
}

// of returns the seconds of a step and of an evaluation; 0 where that is not known.
func (t *timings) of(c trainer.Config, evalRows int64) (step, evaluation float64) {
	step, ok := t.known[sizesOf(c)]
	if !ok {
		step = trainer.SumCosts(t.stepCosts, c.StepTerms())
	}
	return step, trainer.SumCosts(t.evaluationCosts, c.EvaluateTerms(evalRows))
}
