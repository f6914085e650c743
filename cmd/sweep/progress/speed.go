package progress

import "github.com/topksweep/sweep/sweep/plan"

// A speed knows how long a step takes in each tree. Where no step was seen, it takes a line through what was seen: a
// constant, and a share that grows with the floating-point operations of a step.
type speed struct {
	flops   []float64 // of a step, by tree
	seconds []float64 // of a step, by tree; 0 if none was seen
	told    bool      // a worker said how fast it is; else seconds are of whole stages, with all that they take
	whole   []mean    // by tree: seconds of whole stages, and their steps

	fixed, each float64 // of the line: seconds, and seconds for each flop
}

// smoothing is the weight of what a worker says now, against what it said before.
const smoothing = 0.2

func newSpeed(p *plan.Plan) speed {
	s := speed{
		flops:   make([]float64, len(p.Trees)),
		seconds: make([]float64, len(p.Trees)),
		whole:   make([]mean, len(p.Trees)),
	}
	for i, t := range p.Trees {
		c := p.Cells[t.Cells[0].Cell].Config
		d, f := float64(c.ActivationDim), float64(c.DictSize)
		// Without AuxK, as the column flops_executed counts it.
		s.flops[i] = float64(c.BatchSize) * (2*d*f + 8*d*float64(c.K))
	}
	return s
}

// known says that some step was seen.
func (s *speed) known() bool { return s.fixed > 0 || s.each > 0 }

// tell notes what a worker says of the steps of a tree.
func (s *speed) tell(tree int, seconds float64) {
	if !s.told { // what whole stages took is worse
		clear(s.seconds)
		s.told = true
	}
	if s.seconds[tree] > 0 {
		seconds = smoothing*seconds + (1-smoothing)*s.seconds[tree]
	}
	s.seconds[tree] = seconds
	s.fit()
}

// stage notes how long a whole stage took. That counts while no worker says how fast it is: where all stages end too
// soon for that.
func (s *speed) stage(tree int, seconds, steps float64) {
	if s.told {
		return
	}
	s.whole[tree].sum += seconds
	s.whole[tree].n += steps
	s.seconds[tree] = s.whole[tree].value()
	s.fit()
}

// step returns the seconds of a step of a tree; 0 if nothing is known.
func (s *speed) step(tree int) float64 {
	if s.seconds[tree] > 0 {
		return s.seconds[tree]
	}
	return s.fixed + s.each*s.flops[tree]
}

// fit lays the line, by least squares. What is seen first are often trees that cost about the same. They say little of
// the slope, so that it is drawn to one at which fixedShare of what was seen is fixed. Neither part is negative.
func (s *speed) fit() {
	var n, x, y float64
	for i, seconds := range s.seconds {
		if seconds > 0 {
			n, x, y = n+1, x+s.flops[i], y+seconds
		}
	}
	x, y = x/n, y/n
	pull := n * slopePull * x * x
	xx, xy := pull, pull*(1-fixedShare)*y/x
	for i, seconds := range s.seconds {
		if seconds > 0 {
			dx := s.flops[i] - x
			xx, xy = xx+dx*dx, xy+dx*(seconds-y)
		}
	}
	s.each = min(max(0, xy/xx), y/x)
	s.fixed = y - s.each*x
}

const (
	fixedShare = 0.3
	slopePull  = 0.02
)
