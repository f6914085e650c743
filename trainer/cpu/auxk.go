package cpu

import "github.com/topksweep/sweep/trainer"

// auxBatch holds the values of a step that belong to AuxK.
type auxBatch struct {
	on    bool    // dead latents have a gradient from AuxK in this step
	deads []int32 // the dead latents, rising
	index []int32 // [F] index of a dead latent in deads

	candidates auxCandidates

	acts     []float32 // [B,k]
	latents  []int32   // [B,k], as indices in deads
	residual []float32 // [B,dPad] what AuxK's reconstruction leaves of the residual
	num      []float64 // [B] its squared norms
	den      []float64 // [B] squared distance of the residual from its mean
	byLatent byLatent  // acts > 0, by index in deads
	grad     gradient  // by AuxK's reconstruction
}

// auxLoss adds the AuxK loss of the dead latents to the loss, and sets the gradient
// that they have from it. The AuxK loss is 0 without dead latents or with α = 0.
func (m *model) auxLoss(st *trainer.Stats) error {
	m.aux.on = false
	if m.c.AuxKAlpha > 0 && len(m.aux.deads) > 0 {
		if m.recipe.InertAuxK {
			st.AuxKLoss = m.inertAuxK()
		} else {
			var err error
			if st.AuxKLoss, err = m.auxK(); err != nil {
				return err
			}
		}
	}
	st.Loss = st.L2Loss + m.c.AuxKAlpha*st.AuxKLoss
	return m.finite("the loss", st.Loss)
}

// auxK returns the AuxK loss of recipes corrected and upstream. With r_BD = x − x̂
// held constant, and acts_Bk of each token the k = k_aux largest ReLU pre-activations
// of the dead latents (all of them where there are fewer),
//
//	loss = Σ (r − acts·W_dec)² / Σ (r − mean of r over the tokens)²
//
// A quotient that is NaN counts as 0 and has no gradient. So does a quotient by 0,
// for which the original has the largest float.
func (m *model) auxK() (float64, error) {
	a, b, z, deads := &m.aux, &m.batch, m.z, m.aux.deads
	k := min(m.c.KAux, len(deads))
	a.index = resize(a.index, z.f)
	for i, f := range deads {
		a.index[f] = int32(i)
	}
	a.acts, a.latents = resize(a.acts, z.b*k), resize(a.latents, z.b*k)
	if !m.selectDead(k) {
		if err := m.encodeDead(k); err != nil {
			return 0, err
		}
	}
	mean := m.columnMeans(b.residual)
	a.residual, a.num, a.den = resize(a.residual, len(b.residual)), resize(a.num, z.b), resize(a.den, z.b)
	parts := min(2*int(m.workers), z.b) // few: a tile of latents should serve many tokens
	m.workers.do(parts+1, func(worker, task int) {
		if task == 0 {
			a.byLatent.group(a.acts, a.latents, k, len(deads))
			return
		}
		w := m.scratch[worker]
		from, to := span(task-1, parts, z.b)
		for row := from; row < to; row++ {
			r, den := b.row(b.residual, row), 0.0
			for j, v := range r {
				den += (float64(v) - mean[j]) * (float64(v) - mean[j])
			}
			a.den[row] = den
		}
		m.subtractDead(w, from, to, k)
		for row := from; row < to; row++ {
			a.num[row] = m.kern.sumSquares(b.row(a.residual, row))
		}
	})
	num, den := sum(a.num), sum(a.den)
	if den == 0 {
		return 0, nil
	}
	loss := num / den
	if err := m.finite("the AuxK loss", loss); err != nil {
		return 0, err
	}
	a.on = true
	a.grad = gradient{a.residual, float32(-2 * m.c.AuxKAlpha / den)}
	return loss, nil
}

// inertAuxK returns the AuxK loss of the reference (TrainerTopK.loss). The dead
// latents' activations after top-k are always zero, so that they decode to b_dec:
//
//	u_BD = b_dec − (x̂ − x)
//	loss = min(dead/k_aux, 1) · mean over B and D of u² / Σ_tokens (x − mean of x)²
//
// It sets the gradient of the whole loss by x̂: −2/B·r for the L2 loss, and
// −2·α·min(dead/k_aux, 1)/(B·D) · u / Σ_tokens (x − mean of x)².
func (m *model) inertAuxK() float64 {
	a, b, z, deads := &m.aux, &m.batch, m.z, len(m.aux.deads)
	variance := m.columnVariance(b.centred)
	a.residual, a.num = resize(a.residual, len(b.residual)), resize(a.num, z.b)
	scale := min(float64(deads)/float64(m.c.KAux), 1)
	pull := m.c.AuxKAlpha * 2 * scale / float64(z.b*z.d)
	m.workers.do(z.b, func(_, row int) {
		out, sum := b.row(a.residual, row), 0.0
		for j, r := range b.row(b.residual, row)[:z.d] {
			u := float64(m.w.bDec[j]) + float64(r)
			sum += u * u / variance[j]
			out[j] = float32(-2/float64(z.b)*float64(r) - pull*u/variance[j])
		}
		clear(out[z.d:])
		a.num[row] = sum
	})
	b.grad = gradient{a.residual, 1}
	return scale * sum(a.num) / float64(z.b*z.d)
}

// columnVariance returns, for each column of rows_B,dPad, the sum over the tokens of
// the squared distance from the column's mean.
func (m *model) columnVariance(rows []float32) []float64 {
	mean := m.columnMeans(rows)
	b, parts := &m.batch, min(maxParts, m.z.b)
	m.workers.do(parts, func(_, p int) {
		sum := b.part[p*m.z.dPad : (p+1)*m.z.dPad]
		clear(sum)
		from, to := span(p, parts, m.z.b)
		for r := from; r < to; r++ {
			for j, v := range rows[r*m.z.dPad:][:len(sum)] {
				sum[j] += (float64(v) - mean[j]) * (float64(v) - mean[j])
			}
		}
	})
	out := m.meanOfParts(parts)
	for j := range out {
		out[j] *= float64(m.z.b)
	}
	return out
}
