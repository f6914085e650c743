package scaling

import (
	"fmt"
	"math"
	"slices"
	"strings"
)

// vanishShare is the share of the loss below which a part of the form counts as 0: no measurement resolves less.
const vanishShare = 1e-3

// vagueFactor is how far an interval may reach for a coefficient to be determined: from what it does to its part of the
// loss, over the grid, divided by this to that multiplied by it.
const vagueFactor = 10

func join(names []string) string { return strings.Join(names, ", ") }

// kept lists the coefficients of options that are among names. Without names it lists all.
func (o Options) kept(names ...string) []string {
	var out []string
	for _, name := range o.Form.Coefficients() {
		if !slices.Contains(o.Without, name) && (len(names) == 0 || slices.Contains(names, name)) {
			out = append(out, name)
		}
	}
	return out
}

// undesigned returns the coefficients that no values at these points could determine, and why.
func undesigned(points []Point, o Options) (names []string, why string) {
	ks, sizes := distinct(points, o.Form)
	size := "dict_size"
	if o.Form == C {
		size = "compute"
	}
	floor := slices.ContainsFunc(o.kept(), func(s string) bool { return s == "e" || s == "zeta" })
	slope := len(o.kept("b", "beta_n", "gamma")) > 0
	switch {
	case len(points) == 0:
		return o.kept(), "there are no points"
	case ks == 1 && o.Form == NK:
		why := fmt.Sprintf("all points have k=%d", points[0].K)
		names := o.kept("beta_k", "gamma", "eta")
		if sizes == 1 {
			return o.kept(), why + fmt.Sprintf(" and dict_size=%d", points[0].DictSize)
		}
		return names, why
	case sizes == 1 && slope:
		if floor {
			return o.kept(), fmt.Sprintf("all points have one %s, so that nothing tells the floor from the rest", size)
		}
		return o.kept("b", "beta_n", "gamma"), fmt.Sprintf("all points have one %s", size)
	case sizes == 2 && floor && slope:
		return o.kept(), fmt.Sprintf("the points have two values of %s, and to tell the floor from the rest takes three",
			size)
	}
	if need := len(o.kept()) + 1; len(points) < need {
		return o.kept(), fmt.Sprintf("%d coefficients need %d points or more, and there are %d",
			len(o.kept()), need, len(points))
	}
	return nil, ""
}

// onLine and nearLine are limits of offLine: of points whose k is the same power of n, and of those whose k is that
// rounded to a whole number.
const (
	onLine   = 1e-9
	nearLine = 0.02
)

// offLine returns how far ln k of points is, at most, from the line in ln n between those of the least and the largest
// n, as a share of the range of ln k. It is infinite where k or n is constant.
func offLine(points []Point) float64 {
	if ks, sizes := distinct(points, NK); ks < 2 || sizes < 2 {
		return math.Inf(1)
	}
	from, to := points[0], points[0]
	least, most := points[0].k(), points[0].k()
	for _, p := range points {
		if p.DictSize < from.DictSize {
			from = p
		}
		if p.DictSize > to.DictSize {
			to = p
		}
		least, most = min(least, p.k()), max(most, p.k())
	}
	slope := math.Log(to.k()/from.k()) / math.Log(to.size(NK)/from.size(NK))
	var away float64
	for _, p := range points {
		away = max(away, math.Abs(math.Log(p.k()/from.k())-slope*math.Log(p.size(NK)/from.size(NK))))
	}
	return away / math.Log(most/least)
}

// vanished returns the coefficients of a part of the form that is 0 at all points, and why they are not determined.
func (p *problem) vanished(theta []float64) (names []string, why string) {
	if !p.hasFloor {
		return nil, ""
	}
	var mostPower, mostFloor float64
	for _, x := range p.x {
		power, floor := p.eval(theta, x)
		mostPower, mostFloor = max(mostPower, power/(power+floor)), max(mostFloor, floor/(power+floor))
	}
	switch {
	case !(mostFloor > vanishShare):
		return p.names(true), "the points fit best with a floor of 0"
	case !(mostPower > vanishShare):
		return p.names(false), "the points fit best with the floor alone: the loss does not fall with size"
	}
	return nil, ""
}

// names lists the coefficients of the floor, or of the rest.
func (m *model) names(floor bool) []string {
	var out []string
	for _, t := range m.terms {
		if t.floor == floor {
			out = append(out, t.name)
		}
	}
	return out
}

// named lists the coefficients of the formula that take part in directions of the parameters.
func (m *model) named(directions [][]float64) []string {
	in := make([]bool, len(m.terms))
	for _, scaled := range directions {
		direction, most := m.unscaled(scaled), 0.0
		for _, v := range direction {
			most = max(most, math.Abs(v))
		}
		for j, v := range direction {
			in[j] = in[j] || math.Abs(v) >= 1e-3*most
		}
	}
	var out []string
	for j, t := range m.terms {
		if in[j] {
			out = append(out, t.name)
		}
	}
	return out
}

// vague returns the coefficients whose interval says next to nothing, and why. It looks at the scaled parameters: the
// coefficient alpha itself is about k = 1 and n = 1, which may be far from all points.
func (f *Fit) vague(p *problem) (names []string, why string) {
	gone := map[string]int{} // resamples in which a part is 0
	for _, theta := range f.samples {
		part, _ := p.vanished(theta)
		for _, name := range part {
			gone[name]++
		}
	}
	tail := int(float64(f.Resamples) * (1 - f.Level) / 2)
	for _, floor := range []bool{true, false} {
		part := f.model.names(floor)
		if len(part) == 0 || gone[part[0]] <= tail {
			continue
		}
		what := "the part that falls with size"
		if floor {
			what = "the floor"
		}
		return part, fmt.Sprintf("%s is 0 in %.0f %% of the resamples, so that the interval has no end", what,
			100*float64(gone[part[0]])/float64(f.Resamples))
	}
	worst := 0.0
	for j, t := range f.model.terms {
		values := make([]float64, len(f.samples))
		for i, theta := range f.samples {
			values[i] = theta[j]
		}
		low, high := interval(values, f.Level)
		width := high - low
		if t.k+t.s > 0 {
			width *= 2 // scaled variables go from −1 to 1
		}
		if !(width <= 2*math.Log(vagueFactor)) {
			names, worst = append(names, t.name), max(worst, width)
		}
	}
	if len(names) == 0 {
		return nil, ""
	}
	factor := "over 1,000"
	if worst < math.Log(1000) {
		factor = fmt.Sprintf("%.0f", math.Exp(worst))
	}
	return names, fmt.Sprintf("the ends of their %g %% intervals differ by a factor of %s in what they do over the grid",
		100*f.Level, factor)
}
