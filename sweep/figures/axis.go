package figures

import (
	"math"
	"slices"

	"gonum.org/v1/plot/vg"
)

// An axis is one of a panel's two.
type axis struct {
	label    string // with its unit
	log      bool
	min, max float64 // with log above 0
	// marks are the labelled values, with their labels. If there are none, round values are chosen.
	marks []tick
	// ordinal says that the marks stand for values that no others lie between.
	ordinal bool
}

// A tick is a place on an axis, with a label or "".
type tick struct {
	value float64
	label string
}

// span returns an axis over values, with a margin of a share of its length at both ends. On a logarithmic axis values
// must be above 0. Without values it is from 1 to 10.
func span(label string, log bool, values []float64) axis {
	a := axis{label: label, log: log, min: math.Inf(1), max: math.Inf(-1)}
	for _, v := range values {
		a.min, a.max = min(a.min, v), max(a.max, v)
	}
	if len(values) == 0 {
		a.min, a.max = 1, 10
	}
	const margin = 0.06
	if log {
		low, high := math.Log(a.min), math.Log(a.max)
		pad := max(margin*(high-low), 0.02)
		a.min, a.max = math.Exp(max(low-pad, -700)), math.Exp(min(high+pad, 700))
		return a
	}
	pad := margin * (a.max/2 - a.min/2) * 2
	if !(pad > 0) {
		pad = max(margin*math.Abs(a.max), 1e-3)
	}
	a.min, a.max = max(a.min-pad, -math.MaxFloat64/4), min(a.max+pad, math.MaxFloat64/4)
	return a
}

// at marks some values of an axis with labels.
func (a axis) at(values []float64, label func(float64) string) axis {
	for _, v := range values {
		a.marks = append(a.marks, tick{v, label(v)})
	}
	return a
}

// norm returns where a value lies on the axis: 0 at its beginning and 1 at its end. On a logarithmic axis the value
// must be above 0.
func (a axis) norm(v float64) float64 {
	if a.log {
		return (math.Log(v) - math.Log(a.min)) / (math.Log(a.max) - math.Log(a.min))
	}
	return (v/2 - a.min/2) / (a.max/2 - a.min/2) // halves, as the difference may be out of range
}

// overhang is how far a label may reach beyond an axis: less than half the distance of two panels.
const overhang vg.Length = 4.4

// ticks returns the ticks of an axis of a length, on which a label takes up width. A label that would touch the one
// before, or reach beyond an end by more than overhang, is left out, and its tick stays.
func (a axis) ticks(length vg.Length, width func(string) vg.Length) []tick {
	return a.ticksWithin(overhang, length, width)
}

// ticksWithin is ticks with another overhang.
func (a axis) ticksWithin(over, length vg.Length, width func(string) vg.Length) []tick {
	marks := a.marks
	switch {
	case len(marks) == 0:
		marks = a.roundMarks()
	case len(marks) > maxTicks && !a.ordinal:
		marks = a.powersOfTwo()
	}
	var inside []tick
	for _, m := range marks {
		if pos := a.norm(m.value); pos > -1e-9 && pos < 1+1e-9 {
			inside = append(inside, m)
		}
	}
	fits, touch := a.fitting(inside, 1, over, length, width)
	for every := 2; touch && a.even(inside) && every < len(inside); every++ { // labels at equal distances
		fits, touch = a.fitting(inside, every, over, length, width)
	}
	for i := range inside {
		if !fits[i] {
			inside[i].label = ""
		}
	}
	if len(inside) > maxTicks {
		inside = slices.DeleteFunc(inside, func(t tick) bool { return t.label == "" })
	}
	return inside
}

// maxTicks is how many ticks an axis has at most; more would be a black bar.
const maxTicks = 30

// even says that ticks have equal distances.
func (a axis) even(ticks []tick) bool {
	for i := 2; i < len(ticks); i++ {
		first := a.norm(ticks[1].value) - a.norm(ticks[0].value)
		if d := a.norm(ticks[i].value) - a.norm(ticks[i-1].value); !(math.Abs(d-first) <= 0.01*first) {
			return false
		}
	}
	return true
}

// fitting says which labels, of every so many ticks, neither touch the one before nor reach beyond an end, and whether
// any touched.
func (a axis) fitting(
	ticks []tick, every int, over, length vg.Length, width func(string) vg.Length,
) (fits []bool, touch bool) {
	const gap = 4
	end := vg.Length(math.Inf(-1)) // of the last label
	fits = make([]bool, len(ticks))
	for i, t := range ticks {
		half, at := width(t.label)/2, vg.Length(a.norm(t.value))*length
		switch {
		case i%every != 0 || at-half < -over || at+half > length+over:
		case at-half < end+gap:
			touch = true
		default:
			fits[i], end = true, at+half
		}
	}
	return fits, touch
}

// roundMarks chooses round values on the axis, four or more if there are as many.
func (a axis) roundMarks() []tick {
	if !a.log {
		return a.steps(stepOf(a.max/5 - a.min/5))
	}
	decades := math.Log10(a.max) - math.Log10(a.min)
	for _, digits := range [][]float64{{1}, {1, 2, 5}, {1, 1.5, 2, 3, 4, 5, 7}} {
		if got := a.logMarks(digits); len(got) >= 4 || len(got) == 3 && decades > 1 {
			return got
		}
	}
	for parts := 6.0; ; parts *= 1.5 {
		if got := a.steps(stepOf(a.max/parts - a.min/parts)); len(got) >= 4 || parts > 12 {
			return got
		}
	}
}

// steps returns the multiples of a step on the axis.
func (a axis) steps(step float64) []tick {
	var out []float64
	for i := math.Ceil(a.min / step); i*step <= a.max && len(out) < 20; i++ {
		out = append(out, i*step)
	}
	return axis{}.at(out, rounded).marks
}

// stepOf rounds a distance up to 1, 2 or 5 times a power of ten.
func stepOf(v float64) float64 {
	power := math.Pow(10, math.Floor(math.Log10(v)))
	for _, digit := range []float64{1, 2, 5} {
		if v <= digit*power {
			return digit * power
		}
	}
	return 10 * power
}

// logMarks returns the values digit · 10^i on the axis. Over many decades i is a multiple of a whole number.
func (a axis) logMarks(digits []float64) []tick {
	low, high := math.Floor(math.Log10(a.min)), math.Ceil(math.Log10(a.max))
	every := max(math.Ceil((high-low)/7), 1)
	var out []float64
	for i := low; i <= high; i++ {
		for _, d := range digits {
			v := d * math.Pow(10, i)
			if math.Mod(i, every) == 0 && v >= a.min && v <= a.max {
				out = append(out, v)
			}
		}
	}
	return axis{}.at(out, rounded).marks
}

// powersOfTwo returns the powers of two on the axis, or round values if they are fewer than three.
func (a axis) powersOfTwo() []tick {
	var out []float64
	low, high := math.Ceil(math.Log2(a.min)), math.Floor(math.Log2(a.max))
	every := max(math.Ceil((high-low)/10), 1)
	for i := low; a.log && i <= high; i += every {
		out = append(out, math.Exp2(i))
	}
	if len(out) < 3 {
		return a.roundMarks()
	}
	return axis{}.at(out, size).marks
}
