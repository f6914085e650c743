//go:build cuda

package cuda

import "github.com/topksweep/sweep/trainer/cuda/kernels"

// update takes Adam's step with the clipped gradients, and brings the rows of W_dec to unit
// norm or computes the factors that do.
func (m *model) update() {
	m.q.Update(kernels.Update{
		WEnc: m.w.wEnc, MEnc: m.m.wEnc, VEnc: m.v.wEnc, GEnc: m.g.wEnc,
		WDec: m.w.wDec, MDec: m.m.wDec, VDec: m.v.wDec, GDec: m.g.wDec,
		DecScale: m.decScale, EncHalf: m.encHalf, EncRounding: m.encRounding, Start: m.group.start, F: m.z.f, D4: m.z.d4,
		NormaliseLast: m.recipe.NormaliseLast,
		WBias:         m.w.bEnc, MBias: m.m.bEnc, VBias: m.v.bEnc, GBias: m.g.bEnc, Biases: m.z.biases(),
		Input: m.input, Totals: m.totals,
	})
}
