package backendtest

import (
	"math"
	"slices"

	"github.com/topksweep/sweep/trainer"
)

// oracle is one training step written down densely in float64, for shapes small
// enough that speed does not matter. It stops before Adam.
type oracle struct {
	c      trainer.Config
	recipe trainer.Recipe
	w      params64
	since  []int64
}

type params64 struct{ wEnc, bEnc, wDec, bDec []float64 } // [F,D] [F] [F,D] [D]

func (p params64) each() [][]float64 { return [][]float64{p.wEnc, p.bEnc, p.wDec, p.bDec} }

func newParams64(d, f int) params64 {
	return params64{make([]float64, f*d), make([]float64, f), make([]float64, f*d), make([]float64, d)}
}

// newOracle starts from a state; where the recipe normalises first, it does so.
func newOracle(c trainer.Config, s *trainer.State) *oracle {
	recipe, _ := trainer.RecipeByName(c.Recipe)
	o := &oracle{c: c, recipe: recipe, w: newParams64(c.ActivationDim, c.DictSize), since: slices.Clone(s.SinceFired)}
	for i, v := range [][]float32{s.W.WEnc, s.W.BEnc, s.W.WDec, s.W.BDec} {
		for j := range v {
			o.w.each()[i][j] = float64(v[j])
		}
	}
	if !recipe.NormaliseLast {
		d := c.ActivationDim
		for f := range c.DictSize {
			row := o.w.wDec[f*d : (f+1)*d]
			norm := math.Sqrt(dot(row, row))
			for i := range row {
				row[i] /= norm + trainer.Eps32
			}
		}
	}
	return o
}

// pass is what one evaluation of the loss computes.
type pass struct {
	l2, auxk, loss float64
	dead           []bool
	nDead          int
	since          []int64
	kept           [][]int // [B] latents kept, best first
	auxKept        [][]int
	pre            []float64 // [B,F]
	e              []float64 // [B,D] x̂ − x
	auxErr         []float64 // [B,D] what AuxK squares
	variance       []float64 // [D] of x, for the inert AuxK
	frozen         *frozen
}

// frozen are the values that the loss holds constant (detach).
type frozen struct {
	r   []float64 // [B,D] residual
	den float64
}

// forward evaluates the loss on x_BD. Finite differences hand in what the
// unperturbed pass held constant.
func (o *oracle) forward(x []float64, held *frozen) *pass {
	d, f, b := o.c.ActivationDim, o.c.DictSize, len(x)/o.c.ActivationDim
	p := &pass{pre: make([]float64, b*f), e: make([]float64, b*d), since: slices.Clone(o.since), dead: make([]bool, f)}
	fired := make([]bool, f)
	for row := range b {
		pre := p.pre[row*f : (row+1)*f]
		xc := o.centred(x, row)
		for j := range pre {
			pre[j] = max(0, dot(xc, o.w.wEnc[j*d:(j+1)*d])+o.w.bEnc[j])
		}
		kept := largest(pre, nil, o.c.K)
		p.kept = append(p.kept, kept)
		e := p.e[row*d : (row+1)*d]
		for i := range e {
			e[i] = o.w.bDec[i] - x[row*d+i]
		}
		o.addDecoded(e, pre, kept)
		p.l2 += dot(e, e) / float64(b)
		for _, j := range kept {
			fired[j] = fired[j] || o.recipe.FiredAtZero || pre[j] > 0
		}
	}
	for j := range p.since {
		p.since[j] += int64(b)
		if fired[j] {
			p.since[j] = 0
		}
		if p.dead[j] = o.recipe.Dead(p.since[j], o.c.DeadFeatureThreshold); p.dead[j] {
			p.nDead++
		}
	}
	p.frozen = held
	if p.nDead > 0 && o.c.AuxKAlpha > 0 {
		if o.recipe.InertAuxK {
			o.inertAuxK(p, x)
		} else {
			o.auxK(p)
		}
	}
	p.loss = p.l2 + o.c.AuxKAlpha*p.auxk
	return p
}

func (o *oracle) auxK(p *pass) {
	d, f := o.c.ActivationDim, o.c.DictSize
	b := len(p.e) / d
	if p.frozen == nil {
		p.frozen = &frozen{r: make([]float64, len(p.e))}
		mean := make([]float64, d)
		for i, e := range p.e {
			p.frozen.r[i] = -e
			mean[i%d] -= e / float64(b)
		}
		for i, r := range p.frozen.r {
			p.frozen.den += (r - mean[i%d]) * (r - mean[i%d]) / float64(b)
		}
	}
	p.auxErr = make([]float64, len(p.e))
	num := 0.0
	for row := range b {
		pre := p.pre[row*f : (row+1)*f]
		kept := largest(pre, p.dead, min(o.c.KAux, p.nDead))
		p.auxKept = append(p.auxKept, kept)
		err := p.auxErr[row*d : (row+1)*d]
		o.addDecoded(err, pre, kept)
		for i := range err {
			err[i] -= p.frozen.r[row*d+i]
		}
		num += dot(err, err) / float64(b)
	}
	if p.frozen.den > 0 {
		p.auxk = num / p.frozen.den
	}
}

func (o *oracle) inertAuxK(p *pass, x []float64) {
	d := o.c.ActivationDim
	b := len(x) / d
	mean, scale := make([]float64, d), min(float64(p.nDead)/float64(o.c.KAux), 1)
	p.variance, p.auxErr = make([]float64, d), make([]float64, len(x))
	for i, v := range x {
		mean[i%d] += v / float64(b)
	}
	for i, v := range x {
		p.variance[i%d] += (v - mean[i%d]) * (v - mean[i%d])
	}
	for i, e := range p.e {
		p.auxErr[i] = o.w.bDec[i%d] - e
		p.auxk += scale * p.auxErr[i] * p.auxErr[i] / p.variance[i%d] / float64(len(x))
	}
}

// gradients differentiates the loss of a pass by hand.
func (o *oracle) gradients(x []float64, p *pass) params64 {
	d, f := o.c.ActivationDim, o.c.DictSize
	b := len(x) / d
	g := newParams64(d, f)
	out := make([]float64, d)
	for row := range b {
		pre := p.pre[row*f : (row+1)*f]
		for i := range out {
			out[i] = 2 / float64(b) * p.e[row*d+i]
			if p.variance != nil {
				// The error reaches the loss as −e; the direct use of b_dec cancels
				// b_dec's part of e.
				scale := min(float64(p.nDead)/float64(o.c.KAux), 1)
				pull := o.c.AuxKAlpha * scale * 2 * p.auxErr[row*d+i] / p.variance[i] / float64(len(x))
				out[i] -= pull
				g.bDec[i] += pull
			}
			g.bDec[i] += out[i]
		}
		o.backDecoded(g, x, row, out, pre, p.kept[row])
		if p.auxKept != nil && p.frozen.den > 0 {
			for i := range out {
				out[i] = o.c.AuxKAlpha * 2 * p.auxErr[row*d+i] / p.frozen.den / float64(b)
			}
			o.backDecoded(g, x, row, out, pre, p.auxKept[row])
		}
	}
	return g
}

// backDecoded carries the gradient of a row's reconstruction to the parameters.
func (o *oracle) backDecoded(g params64, x []float64, row int, out, pre []float64, kept []int) {
	d := o.c.ActivationDim
	xc := o.centred(x, row)
	for _, j := range kept {
		if pre[j] <= 0 {
			continue
		}
		back := dot(out, o.w.wDec[j*d:(j+1)*d])
		g.bEnc[j] += back
		for i := range d {
			g.wDec[j*d+i] += pre[j] * out[i]
			g.wEnc[j*d+i] += back * xc[i]
			g.bDec[i] -= back * o.w.wEnc[j*d+i]
		}
	}
}

// descend clips and projects the gradients as the recipe does and returns the
// norm that it reports.
func (o *oracle) descend(g params64) float64 {
	if o.recipe.ProjectFirst {
		o.project(g.wDec, 1e-6)
	}
	norm := 0.0
	for _, v := range g.each() {
		norm += dot(v, v)
	}
	norm = math.Sqrt(norm)
	for _, v := range g.each() {
		for i := range v {
			v[i] *= min(1, 1/(norm+1e-6))
		}
	}
	if !o.recipe.ProjectFirst {
		o.project(g.wDec, -1)
	}
	return norm
}

// project removes the part along each decoder row, divided by its norm + eps,
// or as it stands where eps is negative.
func (o *oracle) project(g []float64, eps float64) {
	d := o.c.ActivationDim
	for at := 0; at < len(g); at += d {
		row := slices.Clone(o.w.wDec[at : at+d])
		if eps >= 0 {
			norm := math.Sqrt(dot(row, row))
			for i := range row {
				row[i] /= norm + eps
			}
		}
		along := dot(g[at:at+d], row)
		for i := range row {
			g[at+i] -= along * row[i]
		}
	}
}

func (o *oracle) centred(x []float64, row int) []float64 {
	d := o.c.ActivationDim
	xc := slices.Clone(x[row*d : (row+1)*d])
	for i := range xc {
		xc[i] -= o.w.bDec[i]
	}
	return xc
}

func (o *oracle) addDecoded(out, acts []float64, kept []int) {
	d := o.c.ActivationDim
	for _, j := range kept {
		for i := range out {
			out[i] += acts[j] * o.w.wDec[j*d+i]
		}
	}
}

// largest sorts for the k largest values, the lowest index first among equals.
func largest[T float32 | float64](v []T, among []bool, k int) []int {
	var order []int
	for i := range v {
		if among == nil || among[i] {
			order = append(order, i)
		}
	}
	slices.SortStableFunc(order, func(a, b int) int {
		switch {
		case v[a] > v[b]:
			return -1
		case v[a] < v[b]:
			return 1
		}
		return 0
	})
	return order[:k]
}

func dot(a, b []float64) float64 {
	s := 0.0
	for i, v := range a {
		s += v * b[i]
	}
	return s
}

func widen(v []float32) []float64 {
	out := make([]float64, len(v))
	for i := range v {
		out[i] = float64(v[i])
	}
	return out
}
