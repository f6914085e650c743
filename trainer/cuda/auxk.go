//go:build cuda

package cuda

import "github.com/topksweep/sweep/trainer/cuda/kernels"

// auxK puts the AuxK loss on the queue, where a latent may be dead, and returns
// how many latents it chose for each token. Which ones are dead is known on the
// GPU alone; the host knows those that were dead unless they fired.
func (m *model) auxK() int {
	if m.dying == 0 {
		return 0
	}
	if m.z.inert {
		m.inertAuxK()
	}
	if m.z.kAux == 0 {
		return 0
	}
	z, q := m.z, m.q
	k := min(z.kAux, m.dying)
	q.ColumnTotals(kernels.ColumnTotals{Sums: m.part, N: z.b, Width: 4 * z.d4, Scale: 1 / float64(z.b), Out: m.mean})
	m.choose(z.b, selection{k: k, n: m.dying, names: m.list, allowed: m.dead, out: kernels.Selected{
		Acts: m.auxActs, Latents: m.auxChosen, Hits: m.hits, NaNRow: m.totals.Add(kernels.AuxNaNRowOffset),
	}})
	q.Decode(kernels.Decode{
		From: m.residual, Out: m.left, WDec: m.w.wDec, DecScale: m.unit, Acts: m.auxActs, Latents: m.auxChosen, K: k, Stride: k,
		Rows: z.b, D4: z.d4, Norm2: m.left2, Mean: m.mean, Spread2: m.spread2,
	})
	q.AuxKTotal(kernels.AuxKTotal{Error2: m.left2, Spread2: m.spread2, Rows: z.b, Alpha: m.c.AuxKAlpha, Totals: m.totals})
	return k
}

// inertAuxK is the reference's AuxK (TrainerTopK.loss), which reaches no dead
// latent but pulls the reconstruction.
func (m *model) inertAuxK() {
	z, q := m.z, m.q
	width := 4 * z.d4
	// The parts of the residual's sums are needed later; those of W_enc's are not
	// there yet.
	q.ColumnSums(kernels.ColumnSums{Rows: m.centred, N: z.b, D4: z.d4, Sums: m.encPart})
	q.ColumnTotals(kernels.ColumnTotals{Sums: m.encPart, N: z.b, Width: width, Scale: 1 / float64(z.b), Out: m.mean})
	q.ColumnSums(kernels.ColumnSums{Rows: m.centred, Mean: m.mean, N: z.b, D4: z.d4, Sums: m.encPart})
	q.ColumnTotals(kernels.ColumnTotals{Sums: m.encPart, N: z.b, Width: width, Scale: 1, Out: m.variance})
	q.InertAuxK(kernels.InertAuxK{
		Residual: m.residual, BDec: m.w.bDec, Variance: m.variance, B: z.b, D: z.d, D4: z.d4, KAux: m.c.KAux, Alpha: m.c.AuxKAlpha,
		Totals: m.totals, Gradient: m.left, RowSum: m.left2,
	})
}
