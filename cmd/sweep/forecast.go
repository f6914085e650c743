package main

import (
	"context"
	"time"

	"github.com/topksweep/sweep/cmd/sweep/progress"
	"github.com/topksweep/sweep/sweep/ledger"
	"github.com/topksweep/sweep/sweep/observe"
	"github.com/topksweep/sweep/sweep/plan"
	"github.com/topksweep/sweep/sweep/protocol"
)

// maxForecastCells bounds the sweeps of which the end is forecast: their plans are held in memory.
const maxForecastCells = 100_000

// A forecaster forecasts the end of a sweep from what the server tells, one observation after the other. It reads from
// the store what that needs: the plan, and which cells have results or notes when the counts change.
type forecaster struct {
	ledger *ledger.Ledger
	id     string

	estimator *progress.Estimator
	plan      *plan.Plan
	over      map[int]bool
	counted   protocol.Summary // when over was read
	readAgain time.Time        // not before
}

// readShare bounds the share of time that goes into reads of the store.
const readShare = 20

// look returns the forecast. A sweep whose plan or results cannot be read has none: that is not worth an error.
func (f *forecaster) look(ctx context.Context, o observation) progress.Forecast {
	p := o.Progress
	if o.ended() || p.Cells == 0 || p.Cells > maxForecastCells {
		return progress.Forecast{}
	}
	if !f.read(ctx, p.Summary) {
		return progress.Forecast{}
	}
	s := progress.Sample{
		At: time.Now(), Progress: p, Paused: o.state == plan.Paused, Over: func(c int) bool { return f.over[c] },
	}
	for _, a := range o.activities {
		if a.IsStage() && a.State != plan.Paused {
			s.Stages = append(s.Stages, stageAt(a))
		}
	}
	return f.estimator.Observe(s)
}

// stageAt is what an estimator is told of an activity.
func stageAt(a observe.Activity) progress.StageAt {
	at := progress.StageAt{
		Cell: a.Cell, From: int(a.From), To: int(a.Steps), Step: int(a.Step), Attempt: a.Attempt, Dead: a.Dead,
		Started: a.Started, Evaluation: a.Type == protocol.ActivityEval,
	}
	if a.Beat != nil && a.Fresh {
		at.Begun = int(a.Beat.From)
		at.Trains = a.Doing == "" && a.Step > a.Beat.From && !a.Stopping
		at.PerSecond = a.StepsPerSecond
	}
	return at
}

// read reads the plan and what is over of it, where the counts say that they have changed. It reports whether both are
// known.
func (f *forecaster) read(ctx context.Context, now protocol.Summary) bool {
	now.Steps = 0 // they change all the time
	began := time.Now()
	if began.Before(f.readAgain) {
		return f.over != nil
	}
	defer func() { f.readAgain = time.Now().Add(readShare * time.Since(began)) }()
	if f.plan == nil || len(f.plan.Cells) != now.Cells {
		p, err := f.readPlan(ctx)
		if err != nil {
			return false
		}
		f.plan, f.over, f.estimator = p, nil, progress.NewEstimator(p)
	}
	if f.over != nil && f.counted == now {
		return true
	}
	completed, err := f.ledger.CompletedRuns(ctx)
	if err != nil {
		return f.over != nil
	}
	noted := map[string]bool{}
	if now.Failed+now.Canceled > 0 {
		if noted, err = f.ledger.NotedCells(ctx, f.id); err != nil {
			return f.over != nil
		}
	}
	over := map[int]bool{}
	for i, c := range f.plan.Cells {
		if completed[f.plan.RunID(c.ID)] || noted[c.ID] {
			over[i] = true
		}
	}
	f.over, f.counted = over, now
	return true
}

// readPlan reads the plan with its cells and trees.
func (f *forecaster) readPlan(ctx context.Context) (*plan.Plan, error) {
	p, err := f.ledger.Plan(ctx, f.id)
	if err != nil {
		return nil, err
	}
	for chunk := range p.TreeChunks {
		trees, err := f.ledger.TreesOf(ctx, &p.Header, chunk)
		if err != nil {
			return nil, err
		}
		p.Trees = append(p.Trees, trees...)
	}
	return p, nil
}
