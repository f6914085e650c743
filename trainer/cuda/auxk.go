//go:build cuda

package cuda

import "github.com/topksweep/sweep/trainer/cuda/kernels"

// usesAuxK reports whether the model has an AuxK loss, of whichever recipe.
func (m *model) usesAuxK() bool { return m.z.kAux > 0 || m.z.inert }

// auxLoss computes the AuxK loss of the dead latents and its gradient by the reconstruction.
//
// Only the GPU knows which latents are dead. The host knows how many would be dead if none of
// them fired in this step (m.dyingCount), from the totals of the last step. Without any there is
// nothing to do.
func (m *model) auxLoss() {
	m.auxKept = 0
	switch {
	case m.dyingCount == 0:
	case m.z.inert:
		m.inertAuxK()
	case m.z.kAux > 0:
		m.auxK()
	}
}

// auxK is the AuxK loss of recipes corrected and upstream. It selects the largest
// pre-activations of each token among the dying latents that did not fire, and subtracts what
// they decode to from the residual.
func (m *model) auxK() {
	z, q := m.z, m.q
	m.auxKept = min(z.kAux, m.dyingCount)
	q.ColumnTotals(kernels.ColumnTotals{
		Sums: m.residualSums, N: z.b, Width: z.width(), Scale: 1 / float64(z.b), Out: m.aux.mean,
	})
	m.topK(z.b, selection{k: m.auxKept, among: m.dyingCount, allowed: m.dead, again: true, out: kernels.Selected{
		Acts: m.aux.acts, Latents: m.aux.latents, Hits: m.hits, NaNRow: m.totals.Add(kernels.AuxNaNRowOffset),
	}})
	q.Decode(kernels.Decode{
		From: m.residual, Out: m.aux.residual, WDec: m.w.wDec, DecScale: m.decScale,
		Acts: m.aux.acts, Latents: m.aux.latents, K: m.auxKept, Stride: m.auxKept, Rows: z.b, D4: z.d4,
		Norm2: m.aux.error2, Mean: m.aux.mean, Spread2: m.aux.spread2,
	})
	q.AuxKTotal(kernels.AuxKTotal{
		Error2: m.aux.error2, Spread2: m.aux.spread2, Rows: z.b, Alpha: m.c.AuxKAlpha, Totals: m.totals,
	})
}

// inertAuxK is the AuxK loss of recipe reference (TrainerTopK.loss). It does not reach the
// dead latents, but it changes the gradient by the reconstruction.
func (m *model) inertAuxK() {
	z, q := m.z, m.q
	// residualSums is still needed. encoderSums is free until backward.
	sums := kernels.ColumnSums{Rows: m.centred, N: z.b, D4: z.d4, Sums: m.encoderSums}
	totals := kernels.ColumnTotals{Sums: m.encoderSums, N: z.b, Width: z.width()}
	q.ColumnSums(sums)
	totals.Scale, totals.Out = 1/float64(z.b), m.aux.mean
	q.ColumnTotals(totals)
	sums.Mean = m.aux.mean
	q.ColumnSums(sums)
	totals.Scale, totals.Out = 1, m.aux.variance
	q.ColumnTotals(totals)
	q.InertAuxK(kernels.InertAuxK{
		Residual: m.residual, BDec: m.w.bDec, Variance: m.aux.variance, B: z.b, D: z.d, D4: z.d4,
		KAux: m.c.KAux, Alpha: m.c.AuxKAlpha, Totals: m.totals, Gradient: m.aux.residual, RowSum: m.aux.error2,
	})
}
