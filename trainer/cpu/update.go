package cpu

import "math"

// torch.optim.Adam's defaults, which all recipes use.
const (
	beta1 = 0.9
	beta2 = 0.999
	eps   = 1e-8
)

// update takes Adam's step with the gradients times clip, and brings the decoder
// to unit norm or notes what would. Panels go from last to first: the gradients
// written last are still in the cache.
func (m *model) update(lr, clip float64) {
	t := float64(m.step + 1)
	p := adam{
		weight: 1, beta1: beta1, gain1: float32((1 - beta1) * clip), beta2: beta2, gain2: float32((1 - beta2) * clip * clip),
		step: float32(lr / (1 - math.Pow(beta1, t))), root: float32(1 / math.Sqrt(1-math.Pow(beta2, t))), eps: eps,
	}
	z := m.z
	m.crew.do(z.panels, func(_, i int) {
		panel := z.panels - 1 - i
		var g []float32
		for f := panel * nr; f < min((panel+1)*nr, z.f); f++ {
			var dec []float32
			if tokens, _, _ := m.hitsOf(f, gradient{}); len(tokens) > 0 {
				g, dec = m.g.panel(z, panel), m.g.row(z, f)
			}
			m.updateRow(f, dec, p)
		}
		m.kern.adam(m.w.panel(z, panel), m.m.panel(z, panel), m.v.panel(z, panel), g, &p)
		from, to := panel*nr, (panel+1)*nr
		m.kern.adam(m.w.bEnc[from:to], m.m.bEnc[from:to], m.v.bEnc[from:to], m.g.bEnc[from:to], &p)
	})
	m.kern.adam(m.w.bDec, m.m.bDec, m.v.bDec, m.g.bDec, &p)
}

// updateRow updates latent f's decoder row.
func (m *model) updateRow(f int, g []float32, p adam) {
	row := m.w.row(m.z, f)
	p.weight = m.unit[f]
	m.kern.adam(row, m.m.row(m.z, f), m.v.row(m.z, f), g, &p)
	if m.recipe.NormaliseLast {
		m.kern.scale(row, m.toUnit(row))
	}
	m.unit[f] = m.unitOf(row)
}
