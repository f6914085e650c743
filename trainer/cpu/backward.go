package cpu

import (
	"math"

	"github.com/topksweep/sweep/trainer"
)

// gradient is the gradient of the loss by the tokens' reconstructions: scale·rows.
type gradient struct {
	rows  []float32 // [B,dPad]
	scale float32
}

// columnMeans returns the mean over the tokens of each column of rows_B,dPad, as
// [dPad].
func (m *model) columnMeans(rows []float32) []float64 {
	b, parts := &m.batch, min(maxParts, m.z.b)
	m.workers.do(parts, func(_, p int) {
		sum := b.part[p*m.z.dPad : (p+1)*m.z.dPad]
		clear(sum)
		from, to := span(p, parts, m.z.b)
		for r := from; r < to; r++ {
			for j, v := range rows[r*m.z.dPad:][:len(sum)] {
				sum[j] += float64(v)
			}
		}
	})
	return m.meanOfParts(parts)
}

// meanOfParts returns the sum of the first parts rows of batch.part, over B.
func (m *model) meanOfParts(parts int) []float64 {
	mean := make([]float64, m.z.dPad)
	for p := range parts {
		for j := range mean {
			mean[j] += m.batch.part[p*m.z.dPad+j]
		}
	}
	for j := range mean {
		mean[j] /= float64(m.z.b)
	}
	return mean
}

// backward fills m.g with the gradients of all parameters, and sets the norm of
// all of them together:
//
//	p_tf            = ∂loss/∂pre_tf = W_dec[f]·∂loss/∂x̂[t] of a kept (token t, latent f)
//	∂loss/∂b_enc[f] = Σ_t p_tf
//	∂loss/∂W_enc[f] = Σ_t p_tf·centred[t]
//	∂loss/∂W_dec[f] = Σ_t acts_tf·∂loss/∂x̂[t], less its component along W_dec[f]
//	∂loss/∂b_dec    = Σ_t −2/B·residual[t] − Σ_f ∂loss/∂b_enc[f]·W_enc[f]
//
// For a dead latent that has a gradient from AuxK, acts and ∂loss/∂x̂ are AuxK's.
// The norm is taken before the component is removed or after it, as the recipe
// says. Clipping is left to Adam: it commutes with the projection. The rows of a
// latent without a kept activation are not written: their gradient is zero.
func (m *model) backward(st *trainer.Stats) error {
	b, z := &m.batch, m.z
	parts := min(maxParts, z.f)
	m.workers.do(parts, func(worker, p int) {
		w := m.scratch[worker]
		clear(w.bDec)
		norm := 0.0
		from, to := span(p, parts, z.f)
		for f := from; f < to; f++ {
			norm += m.backwardLatent(w, f)
		}
		b.norms[p] = norm
		// The encoder's input is x − b_dec: hence the minus.
		for d, v := range w.bDec {
			b.bDec[p*z.dPad+d] = -v
		}
	})
	// b_dec is a term of x̂, and so has the sum over the tokens of −2/B·residual. Inert
	// AuxK adds nothing: b_dec cancels in its u = b_dec − (x̂−x).
	for d, mean := range m.columnMeans(b.residual) {
		total := -2 * mean
		for p := range parts {
			total += float64(b.bDec[p*z.dPad+d])
		}
		m.g.bDec[d] = float32(total)
	}
	st.GradNorm = math.Sqrt(sum(b.norms[:parts]) + m.kern.sumSquares(m.g.bDec))
	return m.finite("the gradient's norm", st.GradNorm)
}

// backwardLatent computes a latent's gradients and returns their squared norm.
func (m *model) backwardLatent(w *scratch, f int) float64 {
	tokens, acts, grad := m.keptTokens(f)
	m.g.bEnc[f] = 0
	if len(tokens) == 0 {
		return 0
	}
	enc, bias := m.g.encRow(m.z, f), m.rowGradients(grad, f, tokens, acts)
	m.g.bEnc[f] = bias
	m.kern.axpy(w.bDec, bias, m.w.encRow(m.z, f))
	return m.kern.sumSquares(enc) + float64(bias)*float64(bias) + m.project(f)
}

// keptTokens returns the tokens that latent f was kept for, its activations there
// and the gradient by the tokens' reconstruction. For a dead latent that AuxK has a
// gradient for, all three are AuxK's.
func (m *model) keptTokens(f int) ([]int32, []float32, gradient) {
	if m.aux.on && m.batch.dead[f] {
		tokens, acts := m.aux.byLatent.of(int(m.aux.index[f]))
		return tokens, acts, m.aux.grad
	}
	tokens, acts := m.batch.byLatent.of(f)
	return tokens, acts, m.batch.grad
}

// rowGradients computes the gradients of latent f's rows of W_enc and W_dec in m.g,
// the latter not yet projected, and returns the gradient of its bias.
func (m *model) rowGradients(grad gradient, f int, tokens []int32, acts []float32) float32 {
	row, enc, dec := m.w.decRow(m.z, f), m.g.encRow(m.z, f), m.g.decRow(m.z, f)
	back, total := grad.scale*m.decScale[f], 0.0
	var dots, coef [tokensPerPass]float32
	var encSoFar, decSoFar []float32
	for len(tokens) > 0 {
		n := min(tokensPerPass, len(tokens))
		m.kern.dots(dots[:n], row, grad.rows, tokens[:n])
		for i := range n {
			dots[i] *= back
			total += float64(dots[i])
			coef[i] = acts[i] * grad.scale
		}
		m.kern.combine(dec, decSoFar, coef[:n], grad.rows, tokens[:n])
		m.kern.combine(enc, encSoFar, dots[:n], m.batch.centred, tokens[:n])
		tokens, acts, encSoFar, decSoFar = tokens[n:], acts[n:], enc, dec
	}
	return float32(total)
}

// tokensPerPass is how many of a latent's tokens rowGradients takes at a time: their
// rows, read for the dot products, are then still in the L1 cache for the sums.
const tokensPerPass = 8

// project removes from latent f's decoder gradient the component along its decoder
// row, and returns the gradient's squared norm: after that in the recipe that projects
// first, else before.
func (m *model) project(f int) float64 {
	g, row := m.g.decRow(m.z, f), m.w.decRow(m.z, f)
	norm, scale := 0.0, m.decScale[f] // scale·row has unit norm
	if m.recipe.ProjectFirst {
		scale = float32(1 / (math.Sqrt(m.kern.sumSquares(row)) + 1e-6))
	} else {
		norm = m.kern.sumSquares(g)
	}
	var along [1]float32
	m.kern.dots(along[:], g, row, []int32{0})
	m.kern.axpy(g, -along[0]*scale*scale, row)
	if m.recipe.ProjectFirst {
		norm = m.kern.sumSquares(g)
	}
	return norm
}
