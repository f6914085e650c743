package progress

import (
	"slices"
	"time"

	"github.com/topksweep/sweep/sweep/plan"
	"github.com/topksweep/sweep/sweep/protocol"
)

// An Estimator forecasts the end of a sweep. It learns from what it sees how long a step takes in each tree, how long a
// stage takes beside its steps, and how many stages train at a time. plan.Schedule then simulates the rest.
//
// Time in which nothing trains, as while the sweep is paused, teaches it nothing.
type Estimator struct {
	schedule *plan.Schedule
	speed    speed

	at     time.Time // of the last sample
	stages map[int]*seenStage
	trunks []int // by tree: the step up to which its trunk was seen to be trained
	slots  int
	recent []int // stages that workers had at the last samples
	dying  bool  // a latent was seen to be dead

	busy   float64 // seconds that slots were seen taken
	beside mean    // seconds of a stage beside its steps
	evals  mean    // seconds of an evaluation

	forecast Forecast
	next     time.Time // when the rest is simulated again
}

// NewEstimator returns an estimator for the sweep of a plan with its cells and trees.
func NewEstimator(p *plan.Plan) *Estimator {
	return &Estimator{
		schedule: plan.NewSchedule(p), speed: newSpeed(p), stages: map[int]*seenStage{}, trunks: make([]int, len(p.Trees)),
	}
}

// A mean is that of what was added.
type mean struct{ sum, n float64 }

func (m *mean) add(x float64) { m.sum, m.n = m.sum+x, m.n+1 }

func (m mean) value() float64 { return m.sum / max(1, m.n) }

// A Sample is what is known of a sweep at one moment.
type Sample struct {
	At       time.Time
	Progress protocol.Progress
	Stages   []StageAt
	Paused   bool                // nothing trains, and nobody knows when that ends
	Over     func(cell int) bool // the cell has its result, failed or was canceled
}

// A StageAt is a stage in flight, or the evaluation at its end.
type StageAt struct {
	Cell       int // the first of the stage; in an evaluation the one that is evaluated
	From, To   int // the steps of the stage; not of an evaluation
	Begun      int // the step with which the attempt began
	Attempt    int // its number
	Step       int
	PerSecond  float64 // steps; 0 if not known
	Dead       int
	Started    bool // a worker has it
	Trains     bool // its steps go on now
	Evaluation bool
}

// A seenStage is what the estimator remembers of a stage in flight, from one sample to the next.
type seenStage struct {
	StageAt
	tree  int
	moved time.Time // when the step was seen to change
	busy  float64   // seconds that a slot was seen taken: by its training, and then by the evaluation of Cell
	whole bool      // that was seen from the beginning
	cells []int
}

const (
	maxGap   = 10 * time.Second // between samples, beyond which nobody knows what happened
	maxAhead = 3 * time.Second  // a step that a worker told is at most so old
	remember = 20               // samples from which the slots are taken

	// leastBusy is how many seconds of work must be seen before there is a forecast, unless a worker says how fast it is.
	leastBusy = 2

	// simulateShare bounds the share of time that goes into simulations.
	simulateShare = 50
)

// Observe learns from a sample and returns the forecast.
func (e *Estimator) Observe(s Sample) Forecast {
	gap := s.At.Sub(e.at)
	first := e.at.IsZero()
	if first || gap < 0 || gap > maxGap {
		gap = 0
	}
	e.at = s.At
	e.see(s, gap.Seconds(), first)
	p := s.Progress
	switch {
	case s.Paused, s.Over == nil, p.Cells == 0:
		e.forecast, e.next = Forecast{}, time.Time{}
	case p.Completed+p.Failed+p.Canceled >= p.Cells:
		e.forecast = Forecast{At: s.At, Finishing: true}
	case !e.speed.known() || e.busy < leastBusy && !e.speed.told:
		e.forecast = Forecast{}
	case s.At.Before(e.next):
		e.forecast.Left, e.forecast.At = max(0, e.forecast.Left-gap), s.At
	default:
		began := time.Now()
		e.forecast = e.simulate(s)
		e.next = s.At.Add(simulateShare * time.Since(began))
	}
	return e.forecast
}

// see takes a sample in; gap is the seconds since the one before.
func (e *Estimator) see(s Sample, gap float64, first bool) {
	cells := map[int][]int{} // of the stages in flight, by their first cell
	lead := map[int]int{}
	for i, c := range s.Progress.Running {
		if i < len(s.Progress.FirstCells) {
			by := s.Progress.FirstCells[i]
			lead[c] = by
			cells[by] = append(cells[by], c)
		}
	}
	if s.Paused { // what was in flight is stopped, and begins again
		clear(e.stages)
		return
	}
	started, waiting := 0, false
	now := map[int]bool{}
	for _, at := range s.Stages {
		by, ok := lead[at.Cell]
		tree, known := e.schedule.TreeOf(at.Cell)
		if !ok || !known {
			continue
		}
		now[by] = true
		e.seeStage(s.At, by, tree, at, first).cells = cells[by]
		if at.Started {
			started++
			e.busy += gap
			e.stages[by].busy += gap
		} else {
			waiting = true
		}
		e.dying = e.dying || at.Dead > 0
	}
	for by, st := range e.stages {
		if !now[by] {
			e.end(s.At, st)
			delete(e.stages, by)
		}
	}
	e.recent = append(e.recent, started)
	if len(e.recent) > remember {
		e.recent = e.recent[1:]
	}
	most := slices.Max(e.recent)
	if !waiting { // all that may train does: there may be more slots
		most = max(most, e.slots)
	}
	e.slots = most
}

// seeStage notes where a stage in flight is.
func (e *Estimator) seeStage(now time.Time, by, tree int, at StageAt, first bool) *seenStage {
	st := e.stages[by]
	evaluates := st != nil && at.Evaluation // what was trained before is known
	if st != nil && st.Attempt != at.Attempt {
		st = nil // it begins again
	}
	if st != nil && (st.Evaluation != at.Evaluation || st.From != at.From && !at.Evaluation ||
		st.Cell != at.Cell && at.Evaluation) {
		e.end(now, st) // the same cell may be the first of the next stage
		st = nil
	}
	if st == nil {
		st = &seenStage{StageAt: at, tree: tree, moved: now, whole: !first}
		st.Step = max(at.From, at.Begun)
		e.stages[by] = st
	}
	if evaluates {
		return st
	}
	if at.PerSecond > 0 && at.Trains {
		e.speed.tell(tree, 1/at.PerSecond)
	}
	if at.Step != st.Step {
		st.moved = now
	}
	st.StageAt = at
	return st
}

// end notes that a stage has ended, or an evaluation.
func (e *Estimator) end(now time.Time, st *seenStage) {
	if !st.Evaluation && len(st.cells) > 0 {
		at := e.schedule.TrunkEnd(st.cells, st.From, int(e.position(now, st)))
		e.trunks[st.tree] = max(e.trunks[st.tree], at)
	}
	if !st.whole || st.busy == 0 {
		return
	}
	if st.Evaluation {
		e.evals.add(st.busy)
		return
	}
	steps := float64(st.To - max(st.From, st.Begun))
	e.speed.stage(st.tree, st.busy, steps)
	e.beside.add(max(0, st.busy-steps*e.speed.step(st.tree)))
}

// position returns the step that a stage has reached, as far as that can be known.
func (e *Estimator) position(now time.Time, st *seenStage) float64 {
	if st.Evaluation {
		return float64(st.To)
	}
	at := float64(st.Step)
	if step := e.speed.step(st.tree); st.Started && st.Trains && step > 0 {
		at += min(now.Sub(st.moved), maxAhead).Seconds() / step
	}
	return min(at, float64(st.To))
}

// simulate makes a forecast of where the sweep stands.
func (e *Estimator) simulate(s Sample) Forecast {
	var stage, run float64
	standing := plan.Standing{
		Over: s.Over, Slots: e.slots, Dying: e.dying, Trunk: func(tree int) int { return e.trunks[tree] },
		Cost: func(tree int) plan.Cost { return plan.Cost{Step: e.speed.step(tree), Stage: stage, Run: run} },
	}
	beside := e.beside
	for _, st := range e.stages {
		f := plan.InFlight{Cells: st.cells, From: st.From, Step: e.position(s.At, st), To: st.To}
		if st.Evaluation {
			f.Evaluation, f.Spent = true, st.busy
		}
		standing.InFlight = append(standing.InFlight, f)
		if begun := max(st.From, st.Begun); !st.Evaluation && st.whole && st.Step > begun { // what it took until it trained
			beside.add(max(0, st.busy-s.At.Sub(st.moved).Seconds()-float64(st.Step-begun)*e.speed.step(st.tree)))
		}
	}
	if e.schedule.Left(standing) <= 0 {
		return Forecast{At: s.At, Finishing: true}
	}
	stage, run = beside.value(), e.evals.value()
	return Forecast{At: s.At, Left: time.Duration(e.schedule.Left(standing) * float64(time.Second))}
}
