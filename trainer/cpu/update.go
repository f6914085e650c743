package cpu

import (
	"math"

	"github.com/topksweep/sweep/trainer"
)

// The defaults of torch.optim.Adam, which all recipes use.
const (
	beta1 = 0.9
	beta2 = 0.999
	eps   = 1e-8
)

// update takes Adam's step with the gradients g·min(1, 1/‖g‖), and brings the rows
// of W_dec to unit norm or notes the factors that would. Panels go from last to
// first: the gradients written last are still in the cache.
func (m *model) update(st *trainer.Stats) error {
	lr, clip := st.LR, min(1, 1/(st.GradNorm+1e-6))
	t := float64(m.step + 1)
	p := adam{
		weight: 1, beta1: beta1, gain1: float32((1 - beta1) * clip), beta2: beta2, gain2: float32((1 - beta2) * clip * clip),
		step: float32(lr / (1 - math.Pow(beta1, t))), root: float32(1 / math.Sqrt(1-math.Pow(beta2, t))), eps: eps,
	}
	z := m.z
	m.workers.do(z.panels, func(worker, i int) {
		panel := z.panels - 1 - i
		from, to := panel*nr, (panel+1)*nr
		m.kern.adam(m.w.bEnc[from:to], m.m.bEnc[from:to], m.v.bEnc[from:to], m.g.bEnc[from:to], &p)
		for f := from; f < min(to, z.f); f++ {
			var enc, dec []float32
			if tokens, _, _ := m.keptTokens(f); len(tokens) > 0 { // else the gradient is zero
				enc, dec = m.g.encRow(z, f), m.g.decRow(z, f)
			}
			m.kern.adam(m.w.encRow(z, f), m.m.encRow(z, f), m.v.encRow(z, f), enc, &p)
			m.updateDecoder(f, dec, p)
		}
		m.screenPanel(panel, m.scratch[worker]) // overwrites the gradients just used
	})
	m.kern.adam(m.w.bDec, m.m.bDec, m.v.bDec, m.g.bDec, &p)
	return nil
}

// updateDecoder updates latent f's decoder row with its gradient g, nil for zero.
func (m *model) updateDecoder(f int, g []float32, p adam) {
	row := m.w.decRow(m.z, f)
	p.weight = m.decScale[f]
	m.kern.adam(row, m.m.decRow(m.z, f), m.v.decRow(m.z, f), g, &p)
	if m.recipe.NormaliseLast {
		m.kern.scale(row, m.inverseNorm(row))
	}
	m.decScale[f] = m.decScaleOf(row)
}
