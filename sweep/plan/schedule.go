package plan

import (
	"container/heap"
	"math"
	"slices"
)

// A Schedule knows the trees of a plan, and says how long what is left of them takes.
type Schedule struct {
	trees  []forecast
	treeOf map[int]int // by cell
}

// NewSchedule returns the schedule of a plan with its cells and trees.
func NewSchedule(p *Plan) *Schedule {
	s := &Schedule{trees: make([]forecast, len(p.Trees)), treeOf: make(map[int]int, len(p.Cells))}
	for i, t := range p.Trees {
		t.Cells = slices.SortedFunc(slices.Values(t.Cells), TreeCell.compare)
		s.trees[i] = forecast{Tree: t, dead: firstDead(p.Cells[t.Cells[0].Cell].Config)}
		for _, c := range t.Cells {
			s.treeOf[c.Cell] = i
		}
	}
	return s
}

// TreeOf returns the number of the tree that has a cell.
func (s *Schedule) TreeOf(cell int) (tree int, ok bool) {
	tree, ok = s.treeOf[cell]
	return tree, ok
}

// TrunkEnd returns the step up to which cells are on the trunk of their tree that were trained in one stage from a step
// to another: its end, if they go different ways from there on, else its beginning.
func (s *Schedule) TrunkEnd(cells []int, from, to int) int {
	tree, ok := s.treeOf[cells[0]]
	if !ok {
		return from
	}
	if stageOf(s.trees[tree].pick(cells), from, false).Level < LevelSchedule {
		return to
	}
	return from
}

// pick returns those cells of a tree that have these numbers.
func (t *Tree) pick(numbers []int) []TreeCell {
	wanted := make(map[int]bool, len(numbers))
	for _, n := range numbers {
		wanted[n] = true
	}
	return slices.DeleteFunc(slices.Clone(t.Cells), func(c TreeCell) bool { return !wanted[c.Cell] })
}

// An InFlight is a stage that a worker has, or that waits for one.
type InFlight struct {
	Cells []int   // whose runs pass through it and are not over
	From  int     // the step at which it begins
	Step  float64 // steps that are done, counted from 0
	To    int     // the step at which it ends

	Evaluation bool    // it is trained; From, Step and To do not matter
	Spent      float64 // seconds that its evaluation takes already
}

// A Standing is where a sweep stands at one moment, and how fast it goes.
type Standing struct {
	Over     func(cell int) bool // the cell has its result, or is not to be trained any more
	InFlight []InFlight
	Slots    int  // stages that train at a time; less than 1 counts as 1
	Dying    bool // latents die in this sweep: trunks fork as early as that can be

	Trunk func(tree int) int // the step up to which the trunk of a tree was trained, as far as that is known

	Cost func(tree int) Cost // of the stages and runs of a tree
}

// Left returns how many seconds a sweep takes from now on. It simulates the workflow from where the sweep stands: it
// starts stages by the same Frontier, and time moves on to the moment at which the next of them ends. Which stages of a
// tree have ended is concluded from those in flight and from the cells that are over: what waits begins where it parts
// from them.
//
// Example: two cells share 51 steps and end at steps 100 and 200. If the second one is in flight from step 51 on, the
// first one waits at step 51 too.
func (s *Schedule) Left(now Standing) float64 {
	sim := simulation{now: now, slots: max(1, now.Slots), trees: slices.Clone(s.trees)}
	if !now.Dying {
		for i := range sim.trees {
			sim.trees[i].dead = math.MaxInt
		}
	}
	inFlight := map[int][]InFlight{}
	for _, f := range now.InFlight {
		if len(f.Cells) > 0 {
			if tree, ok := s.treeOf[f.Cells[0]]; ok {
				inFlight[tree] = append(inFlight[tree], f)
			}
		}
	}
	for i := range sim.trees {
		sim.begin(i, inFlight[i])
	}
	return sim.run()
}

// A simulation is what a sweep is to do, as time goes on.
type simulation struct {
	now      Standing
	slots    int
	trees    []forecast
	frontier Frontier
	training endings
	fresh    []int // numbers of trees of which nothing has begun, in the order in which they start
}

// begin lays out what is left of a tree.
func (s *simulation) begin(tree int, inFlight []InFlight) {
	t := &s.trees[tree]
	flies := map[int]int{}      // index of the stage in flight by cell
	parted := s.now.Trunk(tree) // the last step at which cells can have parted from others
	for i, f := range inFlight {
		parted = max(parted, f.From)
		for _, c := range f.Cells {
			flies[c] = i
		}
	}
	var waiting []TreeCell
	flying := make([][]TreeCell, len(inFlight))
	for _, c := range t.Cells {
		i, ok := flies[c.Cell]
		switch {
		case ok:
			flying[i] = append(flying[i], c)
		case s.now.Over(c.Cell):
			parted = max(parted, c.prefixSteps())
		default:
			waiting = append(waiting, c)
		}
	}
	if parted == 0 && len(flies) == 0 {
		s.fresh = append(s.fresh, tree)
		return
	}
	if len(waiting)+len(flies) == 0 {
		return
	}
	s.frontier.activate(tree, t.Tree, len(waiting)+len(flies))
	for i, f := range inFlight {
		if len(flying[i]) > 0 {
			s.resume(tree, f, stageOf(flying[i], f.From, false))
		}
	}
	s.frontier.push(tree, waitingStages(waiting, parted), false)
}

// resume puts a stage in flight among those in training.
func (s *simulation) resume(tree int, f InFlight, stage Stage) {
	if f.Evaluation {
		stage = Stage{Level: LevelRun, To: stage.Cells[0].Steps, Cells: stage.Cells}
		left := max(0, float64(len(stage.Cells))*s.now.Cost(tree).Run-f.Spent)
		heap.Push(&s.training, ending{left, ReadyStage{Tree: tree, Stage: stage}, stage.To})
		return
	}
	reached := min(f.To, stage.To)
	if dead := s.trees[tree].dead; stage.Level.UntilDead() && float64(dead) > f.Step {
		reached = min(reached, dead)
	}
	left := max(0, float64(reached)-f.Step)*s.now.Cost(tree).Step + s.beside(tree, stage, reached)
	heap.Push(&s.training, ending{left, ReadyStage{Tree: tree, Stage: stage}, reached})
}

// beside is how long a stage takes beside its steps: with the evaluations of the runs that it completes, or the fork
// that it leaves.
func (s *simulation) beside(tree int, stage Stage, reached int) float64 {
	cost := s.now.Cost(tree)
	if stage.CompletesRuns(reached) {
		return cost.Stage + float64(len(stage.Cells))*cost.Run
	}
	return cost.Stage + cost.Fork
}

// waitingStages returns the stages in which cells wait that have parted from others of their tree, at a step or before.
func waitingStages(waiting []TreeCell, parted int) []Stage {
	type group struct {
		from int
		TreeCell
	}
	groups := map[group][]TreeCell{}
	var order []group
	for _, c := range waiting {
		k := group{from: min(c.prefixSteps(), parted)}
		if k.from == c.prefixSteps() {
			k.Decay, k.Steps = c.Decay, c.Steps
		} else {
			k.AuxK = c.AuxK
		}
		if groups[k] == nil {
			order = append(order, k)
		}
		groups[k] = append(groups[k], c)
	}
	var out []Stage
	for _, k := range order {
		out = append(out, stageOf(groups[k], k.from, false))
	}
	return out
}

// run returns the seconds until all is done.
func (s *simulation) run() float64 {
	at := 0.0
	for {
		s.start(at)
		if len(s.training) == 0 {
			return at
		}
		e := heap.Pop(&s.training).(ending)
		at = max(at, e.at)
		s.frontier.StageEnded(e.ReadyStage, e.reached)
		if e.Stage.CompletesRuns(e.reached) {
			s.frontier.CellsDone(e.Tree, len(e.Stage.Cells))
		}
	}
}

// start starts stages while there are slots for them.
func (s *simulation) start(at float64) {
	for len(s.training) < s.slots {
		if len(s.fresh) > 0 && s.frontier.ShouldStart(s.trees[s.fresh[0]].Tree, s.slots) {
			tree := s.fresh[0]
			s.fresh = s.fresh[1:]
			s.frontier.Start(tree, s.trees[tree].Tree, s.trees[tree].Cells)
			continue
		}
		r, ok := s.frontier.Next()
		if !ok {
			return
		}
		t := &s.trees[r.Tree]
		reached := t.reaches(r.Stage)
		takes := 0.0
		if reached > r.Stage.From { // else nothing is trained, and its fork is the one that it begins at
			takes = float64(reached-r.Stage.From)*s.now.Cost(r.Tree).Step + s.beside(r.Tree, r.Stage, reached)
		}
		heap.Push(&s.training, ending{at + takes, r, reached})
	}
}
