package trainer

import (
	"fmt"
	"math"
	"strings"
)

// A Locator says where rows are stored. A Dataset or a HeldOut may be one: the
// messages about its rows then name the file.
type Locator interface {
	// Locate names the place of a row of Dataset, as "shard a.npy, row 17".
	Locate(row int64) string

	// LocateEval names the place of a held-out row.
	LocateEval(row int64) string
}

// explain says of an error of step l.step why a number is not finite. Backends differ
// in where they notice it; so the causes are looked for here, in the batch, and all
// backends say the same. s is what is known of the step.
func (l *Loop) explain(e *NumericError, s Stats) *NumericError {
	out := &NumericError{Step: l.step, What: e.What, Why: e.Why}
	x := make([]float32, l.cfg.BatchSize*l.cfg.ActivationDim)
	if err := l.data.Batch(l.cfg.Seed, l.step, x); err != nil {
		return out // the numbers of the batch are not known
	}
	at, bad := badNumber(x)
	if bad {
		row, col := at/l.cfg.ActivationDim, at%l.cfg.ActivationDim
		out.What, out.Why = describeBad(fmt.Sprintf("row %d of the batch", row), l.locate(row), x[at], col)
		return out
	}
	if l.dividesByVariance(s) {
		hardly := !(l.cfg.AuxKAlpha*s.AuxKLoss <= 1e6*s.L2Loss) // also where they are NaN
		if why := constantDimensions(x, l.cfg.ActivationDim, hardly); why != "" {
			out.What, out.Why = "the AuxK loss is not finite", why
			if hardly && isFinite(s.AuxKLoss) {
				out.What = fmt.Sprintf("%s, and the AuxK loss is %.3g", e.What, s.AuxKLoss)
			}
			return out
		}
	}
	if largest := math.Abs(float64(x[at])); largest > 0 && largest < tooSmall {
		out.Why = fmt.Sprintf("the largest number of the batch is %.3g, which is too small to train on; set normalize to "+
			"mean_square", largest)
		return out
	}
	out.Why = l.diverged()
	return out
}

// diverged says how the loss came to be what it is, if steps were taken before.
func (l *Loop) diverged() string {
	if l.lastLoss.Step < 0 {
		return fmt.Sprintf("no step was taken before, and lr was %g", l.cfg.LRAt(l.step))
	}
	grown := ""
	if l.lastLoss.Loss > l.leastLoss.Loss {
		grown = fmt.Sprintf(", after %.4g in step %d", l.leastLoss.Loss, l.leastLoss.Step)
	}
	return fmt.Sprintf("the run has diverged; the last finite loss was %.4g, in step %d%s, and lr was %g: lower lr?",
		l.lastLoss.Loss, l.lastLoss.Step, grown, l.cfg.LRAt(l.lastLoss.Step))
}

// dividesByVariance reports whether the step divides by the variance of each dimension
// in the batch, as the reference's AuxK does.
func (l *Loop) dividesByVariance(s Stats) bool {
	r, err := RecipeByName(l.cfg.Recipe)
	return err == nil && r.InertAuxK && l.cfg.AuxKAlpha > 0 && (s.Dead > 0 || l.firstDead >= 0)
}

// locate names the place of a row of the batch, or returns "" where it is not known.
func (l *Loop) locate(row int) string {
	set := l.data.Dataset()
	places, ok := set.(Locator)
	if !ok {
		return ""
	}
	numbers := make([]int64, l.cfg.BatchSize)
	if err := set.BatchRows(l.cfg.Seed, l.step, numbers); err != nil {
		return ""
	}
	return places.Locate(numbers[row])
}

// tooLarge is the size from which on a number makes float32 arithmetic overflow: a
// gradient has products of two of them, and Adam its square. With numbers below tooSmall
// gradients are far below Adam's ε, and their products underflow.
const (
	tooLarge = 1e8
	tooSmall = 1e-6
)

// badNumber returns the index of the first number that is not finite, or else of the
// largest, if that is so large that float32 overflows.
func badNumber(x []float32) (at int, bad bool) {
	largest := 0.0
	for i, v := range x {
		size := math.Abs(float64(v))
		if !(size <= math.MaxFloat32) {
			return i, true
		}
		if size > largest {
			largest, at = size, i
		}
	}
	return at, largest >= tooLarge
}

// describeBad says of a number that badNumber has found what it is and what to do. name
// names its row, and place where that is stored, or is empty.
func describeBad(name, place string, v float32, col int) (what, why string) {
	if place != "" {
		name += " (" + place + ")"
	}
	what = fmt.Sprintf("%s has %g in column %d", name, v, col)
	if !isFinite(float64(v)) {
		return what, "leave such rows out when you write shards"
	}
	return what, "float32 arithmetic overflows with numbers as large as that; set normalize to mean_square, or leave " +
		"such rows out (data.max_norm)"
}

// constantDimensions names the dimensions of x_BD that do not vary, for a recipe that
// divides by their variance; with hardly also those that vary much less than others. It
// returns "" if there are none.
func constantDimensions(x []float32, d int, hardly bool) string {
	const divides = "recipe reference divides by the variance of each dimension in the batch, and "
	if len(x) == d {
		return divides + "a batch of one row has none: raise batch_size, or use another recipe"
	}
	shift := make([]float64, d)
	for j, v := range x[:d] {
		shift[j] = float64(v)
	}
	m, least, varies := momentsOf(x, shift), 0.0, "constant"
	if hardly {
		least = 1e-12 * m.variance() / float64(d)
	}
	const most = 5
	var names []string
	count := 0
	for j, v := range m.m2 {
		if v > least {
			continue
		}
		if v > 0 {
			varies = "nearly constant"
		}
		if count++; count <= most {
			names = append(names, fmt.Sprint(j))
		}
	}
	switch {
	case count == 0:
		return ""
	case count > most:
		names = append(names, fmt.Sprintf("%d more", count-most))
	}
	what := "dimension %s is %s there"
	if count > 1 {
		what = "dimensions %s are %s there"
	}
	return divides + fmt.Sprintf(what, strings.Join(names, ", "), varies) +
		": use another recipe, or leave such dimensions out of the data"
}
