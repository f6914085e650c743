package scaling

import (
	"math"

	"gonum.org/v1/gonum/mat"
)

// A problem is a form, its regressors at the points, and the logarithms of the losses.
type problem struct {
	*model
	x [][]float64 // [points][terms]
	y []float64   // ln L
}

func newProblem(m *model, points []Point) *problem {
	p := &problem{model: m}
	for _, point := range points {
		x := make([]float64, len(m.terms))
		m.regressors(point, x)
		p.x = append(p.x, x)
		p.y = append(p.y, math.Log(point.NMSE))
	}
	return p
}

// A solution is what a problem's least squares came to.
type solution struct {
	theta []float64
	cost  float64 // sum of squares of ln L − ln L̂
}

// residuals writes ln L − ln L̂ to r and, if jac is not nil, the derivatives of ln L̂ to it. It returns the sum of
// squares: NaN or +Inf where L̂ is not a positive number.
func (p *problem) residuals(theta, r []float64, jac *mat.Dense) float64 {
	var sum float64
	for i, x := range p.x {
		power, floor := p.eval(theta, x)
		r[i] = p.y[i] - math.Log(power+floor)
		sum += r[i] * r[i]
		if jac == nil {
			continue
		}
		for j, t := range p.terms {
			part := power
			if t.floor {
				part = floor
			}
			jac.Set(i, j, x[j]*part/(power+floor))
		}
	}
	return sum
}

// Limits of the iterations. A step that changes all parameters by less than stepSmall ends them.
const (
	maxIterations = 200
	stepSmall     = 1e-10
	gainSmall     = 1e-12 // of the sum of squares, thrice in a row: a part of the form goes to 0, which takes for ever
)

// descend goes down from a start by the method of Levenberg and Marquardt, with Marquardt's scaling.
func (p *problem) descend(start []float64) solution {
	n, points := len(start), len(p.x)
	theta, next := append([]float64(nil), start...), make([]float64, n)
	r, tried := make([]float64, points), make([]float64, points)
	jac, jtj, g := mat.NewDense(points, n, nil), mat.NewSymDense(n, nil), mat.NewVecDense(n, nil)
	damped, step := mat.NewSymDense(n, nil), mat.NewVecDense(n, nil)
	var chol mat.Cholesky
	cost := p.residuals(theta, r, jac)
	damping, idle := 1e-3, 0
	for range maxIterations {
		jtj.SymOuterK(1, jac.T())
		g.MulVec(jac.T(), mat.NewVecDense(points, r))
		improved, before := false, cost
		for damping < 1e12 {
			damped.CopySym(jtj)
			for j := range n {
				damped.SetSym(j, j, jtj.At(j, j)*(1+damping)+1e-300)
			}
			if chol.Factorize(damped) && chol.SolveVecTo(step, g) == nil {
				for j := range n {
					next[j] = theta[j] + step.AtVec(j)
				}
				if c := p.residuals(next, tried, nil); c <= cost {
					improved = true
					cost = c
					break
				}
			}
			damping *= 10
		}
		if !improved {
			break
		}
		damping = max(damping/10, 1e-12)
		copy(theta, next)
		cost = p.residuals(theta, r, jac)
		if idle++; before-cost > gainSmall*before {
			idle = 0
		}
		if mat.Norm(step, math.Inf(1)) < stepSmall || idle == 3 {
			break
		}
	}
	return solution{theta, cost}
}

// solve finds the least squares over a grid of starts. Given a floor, the logarithm of what is above it is linear in
// the other parameters. So a start is a floor, and the linear least squares of the rest.
func (p *problem) solve() solution {
	best := solution{cost: math.Inf(1)}
	try := func(floor ...float64) {
		start, ok := p.start(floor)
		if !ok {
			return
		}
		if s := p.descend(start); s.cost < best.cost {
			best = s
		}
	}
	if !p.hasFloor {
		try()
		return best
	}
	lowest := math.Inf(1)
	for _, y := range p.y {
		lowest = min(lowest, y)
	}
	slopes := []float64{0}
	if p.terms[len(p.terms)-1].k == 1 {
		slopes = []float64{-0.6, -0.2, 0, 0.2, 0.6}
	}
	for _, share := range []float64{0.01, 0.1, 0.3, 0.5, 0.7, 0.85, 0.95} {
		for _, slope := range slopes {
			// At the end of the grid where the floor is highest, it is this share of the lowest loss.
			height := lowest + math.Log(share) - math.Abs(slope)
			if len(slopes) == 1 {
				try(height)
			} else {
				try(height, slope)
			}
		}
	}
	return best
}

// start completes the parameters of a floor. The logarithm of what is above the floor is less certain by L/(L − floor),
// so the linear least squares divide by that.
func (p *problem) start(floor []float64) ([]float64, bool) {
	n := len(p.terms) - len(floor)
	a, b := mat.NewDense(len(p.x), n, nil), mat.NewVecDense(len(p.x), nil)
	full := append(make([]float64, n), floor...)
	for i, x := range p.x {
		_, f := p.eval(full, x)
		loss := math.Exp(p.y[i])
		above := loss - f
		if above <= 0 {
			return nil, false
		}
		w := above / loss
		for j := range n {
			a.Set(i, j, w*x[j])
		}
		b.SetVec(i, w*math.Log(above))
	}
	var svd mat.SVD
	if !svd.Factorize(a, mat.SVDThin) {
		return nil, false
	}
	rank := svd.Rank(rankSmall)
	if rank == 0 {
		return nil, false
	}
	var theta mat.VecDense
	svd.SolveVecTo(&theta, b, rank)
	copy(full, theta.RawVector().Data)
	return full, true
}

// rankSmall is the ratio of singular values below which columns count as dependent.
const rankSmall = 1e-9

// leverages returns the diagonal of J(JᵀJ)⁻¹Jᵀ. open are the directions of the parameters that the points say nothing
// about: those of the singular values of J, with columns of length 1, that are 0.
func (p *problem) leverages(theta []float64) (h []float64, open [][]float64) {
	points, n := len(p.x), len(theta)
	jac := mat.NewDense(points, n, nil)
	p.residuals(theta, make([]float64, points), jac)
	h = make([]float64, points)
	for j := range n {
		length := mat.Norm(jac.ColView(j), 2)
		for i := range points {
			if length > 0 {
				jac.Set(i, j, jac.At(i, j)/length)
			}
		}
	}
	var svd mat.SVD
	if !svd.Factorize(jac, mat.SVDThin) { // a derivative is not finite
		all := make([]float64, n)
		for j := range all {
			all[j] = 1
		}
		return h, [][]float64{all}
	}
	s := svd.Values(nil)
	var u, v mat.Dense
	svd.UTo(&u)
	svd.VTo(&v)
	for c := range s {
		if s[c] > rankSmall*s[0] {
			for i := range points {
				h[i] += u.At(i, c) * u.At(i, c)
			}
			continue
		}
		direction := make([]float64, n)
		for j := range n {
			direction[j] = v.At(j, c)
		}
		open = append(open, direction)
	}
	return h, open
}
