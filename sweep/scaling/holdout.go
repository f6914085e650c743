package scaling

import (
	"math"
	"slices"
)

// A Holdout is the prediction of the largest point by a fit to the others.
type Holdout struct {
	Point     Point   `json:"point"`
	Predicted float64 `json:"predicted"`
	Error     float64 `json:"error"` // predicted ÷ measured − 1
}

// holdOut fits all points but the largest, and predicts that one.
func (f *Fit) holdOut() {
	last := len(f.Points) - 1
	if f.Form != C { // the largest n, and of these the largest k: the last in order
		for i, p := range f.Points {
			if p.DictSize > f.Points[last].DictSize {
				last = i
			}
		}
	}
	rest := slices.Delete(slices.Clone(f.Points), last, last+1)
	o := Options{Form: f.Form, Without: f.Without}
	if names, why := undesigned(rest, o); len(names) > 0 {
		f.HoldoutError = why
		return
	}
	m := newModel(f.Form, f.Without, rest)
	p := newProblem(&m, rest)
	s := p.solve()
	if s.theta == nil {
		f.HoldoutError = "no start of the least squares gives a finite loss"
		return
	}
	if names, why := p.vanished(s.theta); len(names) > 0 {
		f.HoldoutError = why
		return
	}
	if _, open := p.leverages(s.theta); len(open) > 0 {
		f.HoldoutError = join(m.named(open)) + " would not be determined"
		return
	}
	x := make([]float64, len(m.terms))
	m.regressors(f.Points[last], x)
	power, floor := m.eval(s.theta, x)
	off := (power+floor)/f.Points[last].NMSE - 1
	if math.IsInf(off, 0) || math.IsNaN(off) {
		f.HoldoutError = "its prediction is too large for any number"
		return
	}
	f.Holdout = &Holdout{f.Points[last], power + floor, off}
}
