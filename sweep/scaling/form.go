package scaling

import (
	"fmt"
	"math"
	"slices"
	"strings"
)

// A Form names a scaling law.
type Form string

// The forms. L is the nmse, n is dict_size, C is the compute in dense-equivalent flops.
const (
	N  Form = "n"  // L(n) = e + a·n^−b, for one k
	C  Form = "c"  // L(C) = e + a·C^−b, over the lower envelope of the curves of one k
	NK Form = "nk" // L(n,k) = exp(α + β_k ln k + β_n ln n + γ ln k ln n) + exp(ζ + η ln k)
)

// Forms lists the forms.
func Forms() []Form { return []Form{N, C, NK} }

// A term is one product in an exponent: its coefficient times (ln k)^k · (ln s)^s, where s is n or C.
type term struct {
	name  string // of the coefficient
	k, s  int    // 0 or 1
	floor bool   // in the exponent of the floor, which is the part that does not fall with n or C
	sign  float64
	exp   bool // the coefficient is the exponential of what is fitted
}

// terms lists the terms of a form. Each exponent begins with its constant.
func (f Form) terms() []term {
	if f == NK {
		return []term{
			{name: "alpha", sign: 1}, {name: "beta_k", k: 1, sign: 1}, {name: "beta_n", s: 1, sign: 1},
			{name: "gamma", k: 1, s: 1, sign: 1},
			{name: "zeta", floor: true, sign: 1}, {name: "eta", k: 1, floor: true, sign: 1},
		}
	}
	return []term{
		{name: "a", sign: 1, exp: true}, {name: "b", s: 1, sign: -1}, {name: "e", floor: true, sign: 1, exp: true},
	}
}

// Coefficients lists the names of a form's coefficients, in order.
func (f Form) Coefficients() []string {
	var names []string
	for _, t := range f.terms() {
		names = append(names, t.name)
	}
	return names
}

// smaller lists what may be left out of a form, from the fewest coefficients to the most.
func (f Form) smaller() [][]string {
	if f == NK {
		return [][]string{{"eta"}, {"zeta", "eta"}, {"gamma", "zeta", "eta"}, {"beta_n", "gamma", "zeta", "eta"}}
	}
	return [][]string{{"e"}}
}

// smallerOnLine lists what may be left out of form nk where k is the same power of n at all points. Then the points
// tell of one variable only.
func smallerOnLine() [][]string {
	return [][]string{{"beta_k", "gamma", "eta"}, {"beta_k", "gamma", "zeta", "eta"}}
}

// CheckWithout checks that a form may be fitted without some of its coefficients.
func (f Form) CheckWithout(without []string) error {
	if !slices.Contains(Forms(), f) {
		return fmt.Errorf("form %q: want one of n, c, nk", f)
	}
	if len(without) == 0 {
		return nil
	}
	for i, name := range without {
		if slices.Contains(without[:i], name) {
			return fmt.Errorf("form %s without %s: %s is there twice", f, strings.Join(without, ","), name)
		}
	}
	allowed := f.smaller()
	if f == NK {
		allowed = append(allowed, []string{"gamma"}, []string{"gamma", "eta"})
		allowed = append(allowed, smallerOnLine()...)
	}
	var want []string
	for _, names := range allowed {
		if len(names) == len(without) && !slices.ContainsFunc(without, func(s string) bool {
			return !slices.Contains(names, s)
		}) {
			return nil
		}
		want = append(want, strings.Join(names, ","))
	}
	return fmt.Errorf("form %s without %s: want one of %s", f, strings.Join(without, ","), strings.Join(want, "  "))
}

// Formula returns the formula of a form without some of its coefficients.
func (f Form) Formula(without []string) string {
	has := func(name string) bool { return !slices.Contains(without, name) }
	if f != NK {
		s := strings.ToUpper(string(f))
		if f == N {
			s = "n"
		}
		if has("e") {
			return fmt.Sprintf("L(%s) = e + a·%s^−b", s, s)
		}
		return fmt.Sprintf("L(%s) = a·%s^−b", s, s)
	}
	out := "L(n,k) = exp(α"
	if has("beta_k") {
		out += " + β_k ln k"
	}
	if has("beta_n") {
		out += " + β_n ln n"
	}
	if has("gamma") {
		out += " + γ ln k ln n"
	}
	out += ")"
	switch {
	case has("eta"):
		out += " + exp(ζ + η ln k)"
	case has("zeta"):
		out += " + exp(ζ)"
	}
	return out
}

// A model is the sum of one or two exponentials of terms that are scaled to the points: ln k and ln s are shifted and
// divided so that they lie in −1 to 1. So the terms are nearly independent, and 2·θ is what a slope does over the grid.
type model struct {
	form     Form
	terms    []term
	mk, sk   float64 // ln k is mk + sk·z
	ms, ss   float64
	hasFloor bool
}

func newModel(f Form, without []string, points []Point) model {
	m := model{form: f}
	for _, t := range f.terms() {
		if !slices.Contains(without, t.name) {
			m.terms = append(m.terms, t)
			m.hasFloor = m.hasFloor || t.floor
		}
	}
	m.mk, m.sk = spread(points, func(p Point) float64 { return math.Log(p.k()) })
	m.ms, m.ss = spread(points, func(p Point) float64 { return math.Log(p.size(f)) })
	return m
}

// spread returns the middle and half the range of a variable. Half the range is 1 where the variable does not vary.
func spread(points []Point, of func(p Point) float64) (middle, half float64) {
	low, high := math.Inf(1), math.Inf(-1)
	for _, p := range points {
		low, high = min(low, of(p)), max(high, of(p))
	}
	middle, half = (low+high)/2, (high-low)/2
	if half == 0 {
		half = 1
	}
	return middle, half
}

// regressors writes the values of the terms at a point.
func (m *model) regressors(p Point, out []float64) {
	zk, zs := (math.Log(p.k())-m.mk)/m.sk, (math.Log(p.size(m.form))-m.ms)/m.ss
	for j, t := range m.terms {
		out[j] = math.Pow(zk, float64(t.k)) * math.Pow(zs, float64(t.s))
	}
}

// eval returns the two parts of the loss at the regressors x.
func (m *model) eval(theta, x []float64) (power, floor float64) {
	var p, f float64
	for j, t := range m.terms {
		if t.floor {
			f += theta[j] * x[j]
		} else {
			p += theta[j] * x[j]
		}
	}
	power = math.Exp(p)
	if m.hasFloor {
		floor = math.Exp(f)
	}
	return power, floor
}

// coefficients converts fitted parameters to those of the formula.
func (m *model) coefficients(theta []float64) []float64 {
	out := m.unscaled(theta)
	for j, t := range m.terms {
		out[j] *= t.sign
		if t.exp {
			out[j] = math.Exp(out[j])
		}
	}
	return out
}

// unscaled converts parameters of scaled terms to those of terms in ln k and ln s. A scaled term is
// θ · ((ln k − mk)/sk)^k · ((ln s − ms)/ss)^s. Multiplied out, it adds to the term itself and to those of lower powers.
func (m *model) unscaled(theta []float64) []float64 {
	out := make([]float64, len(theta))
	for j, t := range m.terms {
		scaled := theta[j] / (math.Pow(m.sk, float64(t.k)) * math.Pow(m.ss, float64(t.s)))
		for i, to := range m.terms {
			if to.floor == t.floor && to.k <= t.k && to.s <= t.s {
				out[i] += scaled * math.Pow(-m.mk, float64(t.k-to.k)) * math.Pow(-m.ms, float64(t.s-to.s))
			}
		}
	}
	return out
}
