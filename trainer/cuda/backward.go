//go:build cuda

package cuda

import "github.com/topksweep/sweep/trainer/cuda/kernels"

// backward computes the gradients of all parameters, with the formulas of package cpu. First
// it groups the hits of the batch by latent, and those of AuxK among dead latents.
func (m *model) backward() {
	m.groupHits()
	z, q := m.z, m.q
	q.Backward(kernels.Backward{
		Residual: m.residual, AuxResidual: m.aux.residual, Centred: m.centred,
		WDec: m.w.wDec, DecScale: m.decScale, Dead: m.dead,
		Start: m.group.start, Extra: m.group.extra, Token: m.group.orderedToken, Act: m.group.orderedAct,
		MaxExtras: z.b * (z.k + m.auxKept) / z.segment, Segment: z.segment, F: z.f, D4: z.d4,
		ProjectFirst: m.recipe.ProjectFirst, Totals: m.totals,
		GDec: m.g.wDec, GEnc: m.g.wEnc, GBias: m.g.bEnc, Norm2: m.latentNorm2,
		SegmentSums: m.segmentSums, SegmentBias: m.segmentBias,
	})
	q.ColumnSums(kernels.ColumnSums{Rows: m.w.wEnc, Weight: m.g.bEnc, N: z.f, D4: z.d4, Sums: m.encoderSums})
	q.BiasGradient(kernels.BiasGradient{
		Residual: m.residualSums, B: z.b, Encoder: m.encoderSums, F: z.f, Width: z.width(),
		Gradient: m.g.bDec, Norm2: m.biasNorm2,
	})
}

// groupHits groups the hits by latent, in order of token.
func (m *model) groupHits() {
	z, q := m.z, m.q
	q.Scan(kernels.Scan{
		Hits: m.hits, F: z.f, Segment: z.segment, Sums: m.group.sums,
		Start: m.group.start, Extra: m.group.extra, Totals: m.totals,
	})
	scatter := kernels.Scatter{
		Acts: m.acts, Latents: m.latents, Rows: z.b, K: z.k, Start: m.group.start, Left: m.hits,
		Token: m.group.token, Act: m.group.act,
	}
	q.Scatter(scatter)
	if m.auxKept > 0 {
		scatter.Acts, scatter.Latents, scatter.K = m.aux.acts, m.aux.latents, m.auxKept
		q.Scatter(scatter)
	}
	q.Order(kernels.Order{
		Start: m.group.start, F: z.f, B: z.b, Token: m.group.token, Act: m.group.act,
		ToToken: m.group.orderedToken, ToAct: m.group.orderedAct,
	})
}
