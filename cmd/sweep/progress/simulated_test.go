package progress

import (
	"slices"
	"time"

	"github.com/topksweep/sweep/sweep/plan"
	"github.com/topksweep/sweep/sweep/protocol"
)

// A simulated sweep trains a plan in simulated time, as the workflow and its workers do: in the order of a
// plan.Frontier, with so many slots. Its costs are not known to the estimator.
type simulated struct {
	plan  *plan.Plan
	slots int

	fixed, each float64 // seconds of a step, and those for each flop
	startup     float64 // seconds of a stage before its first step
	evaluation  float64 // seconds of a cell at its end
	uneven      float64 // share by which the trees differ from that
	dead        int     // the step in which latents die; 0 for none
	reused      func(c int) bool
	paused      [2]float64 // from and to, in seconds

	frontier plan.Frontier
	next     int // tree
	flying   []*simulatedStage
	over     map[int]bool
	at       float64
	progress protocol.Progress
}

type simulatedStage struct {
	plan.ReadyStage
	reached int // where it ends
	step    float64
	waits   float64 // seconds of startup that are left
	cells   []plan.TreeCell
	left    float64 // seconds of the evaluation of cells[0]

	toldAt, toldStep, speed float64 // by the newest heartbeat
	begun                   float64
}

const tick = 0.1 // seconds

// run trains the plan, and calls poll every half second.
func (s *simulated) run(poll func(Sample)) (took float64) {
	s.over = map[int]bool{}
	s.progress.Cells = len(s.plan.Cells)
	for i := 0; ; i++ {
		isPaused := s.at >= s.paused[0] && s.at < s.paused[1]
		if !isPaused {
			s.start()
		}
		if len(s.flying) == 0 && !isPaused {
			return s.at
		}
		if i%5 == 0 {
			poll(s.sample(isPaused))
		}
		s.at += tick
		if isPaused {
			for _, f := range s.flying { // they save their state, and begin again
				f.waits, f.toldAt, f.toldStep, f.begun, f.speed = s.startup, s.at, f.step, f.step, 0
			}
			continue
		}
		for _, f := range slices.Clone(s.flying) {
			s.advance(f)
		}
	}
}

// start starts what there are slots for.
func (s *simulated) start() {
	for len(s.flying) < s.slots {
		if s.next < len(s.plan.Trees) && s.frontier.ShouldStart(s.plan.Trees[s.next], s.slots) {
			t := s.plan.Trees[s.next]
			var cells []plan.TreeCell
			for _, c := range t.Cells {
				if s.reused != nil && s.reused(c.Cell) {
					s.over[c.Cell] = true
					s.progress.Completed++
					s.progress.Reused++
					continue
				}
				cells = append(cells, c)
			}
			s.frontier.Start(s.next, t, cells)
			s.next++
			continue
		}
		r, ok := s.frontier.Next()
		if !ok {
			return
		}
		f := &simulatedStage{
			ReadyStage: r, reached: r.Stage.To, step: float64(r.Stage.From), waits: s.startup, cells: r.Stage.Cells,
			left: s.evaluation, toldAt: s.at, toldStep: float64(r.Stage.From), begun: float64(r.Stage.From),
		}
		if r.Stage.Level.UntilDead() && s.dead > 0 {
			f.reached = max(r.Stage.From, min(f.reached, s.dead))
		}
		s.flying = append(s.flying, f)
	}
}

// perStep is how long a step of a tree takes.
func (s *simulated) perStep(tree int) float64 {
	wobble := 1 + s.uneven*float64(tree%3-1)
	return (s.fixed + s.each*newSpeed(s.plan).flops[tree]) * wobble
}

// advance moves a stage on by a tick.
func (s *simulated) advance(f *simulatedStage) {
	if f.waits > 0 {
		f.waits -= tick
		f.toldAt = s.at + tick // speed is measured from the first step on
		return
	}
	if f.step < float64(f.reached) {
		f.step = min(float64(f.reached), f.step+tick/s.perStep(f.Tree))
		if s.at-f.toldAt >= 2 {
			f.speed = (f.step - f.toldStep) / (s.at - f.toldAt)
			f.toldAt, f.toldStep = s.at, f.step
		}
		return
	}
	if f.Stage.CompletesRuns(f.reached) {
		if f.left -= tick; f.left > 0 {
			return
		}
		s.over[f.cells[0].Cell] = true
		s.progress.Completed++
		s.frontier.CellsDone(f.Tree, 1)
		f.cells, f.left = f.cells[1:], s.evaluation
		if len(f.cells) > 0 {
			return
		}
	}
	s.flying = slices.DeleteFunc(s.flying, func(o *simulatedStage) bool { return o == f })
	s.frontier.StageEnded(f.ReadyStage, f.reached)
}

// sample is what a server tells.
func (s *simulated) sample(isPaused bool) Sample {
	out := Sample{At: time.Unix(0, 0).Add(time.Duration(s.at * float64(time.Second))), Progress: s.progress,
		Paused: isPaused, Over: func(c int) bool { return s.over[c] || s.reused != nil && s.reused(c) }}
	for _, f := range s.flying {
		for _, c := range f.cells {
			out.Progress.Running = append(out.Progress.Running, c.Cell)
			out.Progress.FirstCells = append(out.Progress.FirstCells, f.Stage.Cells[0].Cell)
		}
		if f.step >= float64(f.reached) && f.waits <= 0 && f.Stage.CompletesRuns(f.reached) {
			out.Stages = append(out.Stages, StageAt{Cell: f.cells[0].Cell, Started: true, Evaluation: true})
			continue
		}
		at := StageAt{
			Cell: f.Stage.Cells[0].Cell, From: f.Stage.From, To: f.Stage.To, Begun: int(f.begun),
			Step: int(f.toldStep), PerSecond: f.speed, Started: !isPaused, Trains: !isPaused && f.toldStep > f.begun,
		}
		if s.dead > 0 && f.step > float64(s.dead) {
			at.Dead = 1
		}
		out.Stages = append(out.Stages, at)
	}
	return out
}
