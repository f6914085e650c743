package trainer

// auxSums are what the AuxK loss is made of beside evaluation.r, over all held-out rows. r
// is the residual x − x̂.
type auxSums struct {
	err   float64   // Σ ‖AuxK's reconstruction of r − r‖²
	inert []float64 // [D] of the reference's AuxK: Σ (b_dec + r)²
}

// auxKWidth returns how many dead latents of each row the AuxK loss is made of. It is measured whatever auxk_alpha is,
// so that runs with and without AuxK can be compared.
func (e *evaluation) auxKWidth() int {
	if e.recipe.InertAuxK {
		return 0
	}
	return min(e.c.KAux, e.nDead)
}

// addAuxK adds a group of rows, of which e has the residuals, to the sums of the AuxK loss.
func (e *evaluation) addAuxK(g *heldGroup) {
	d, k, residual := e.c.ActivationDim, e.auxKWidth(), e.residual
	switch {
	case e.nDead == 0:
		return
	case e.recipe.InertAuxK:
		e.auxk.addInert(e.s.W.BDec, residual)
		return
	}
	for _, err := range eachBlock(len(g.x)/d, func(from, to int, err *float64) {
		y := make([]float64, d)
		for r := from; r < to; r++ {
			clear(y)
			decode(e.wDec, g.auxActs[r*k:(r+1)*k], g.auxLatents[r*k:(r+1)*k], y)
			for i, v := range residual[r*d : (r+1)*d] {
				*err += (y[i] - v) * (y[i] - v)
			}
		}
	}) {
		e.auxk.err += err
	}
}

// addInert adds residuals r_nD to the sums of the reference's AuxK, in the order of
// the rows.
func (a *auxSums) addInert(bDec []float32, residual []float64) {
	d := len(bDec)
	if a.inert == nil {
		a.inert = make([]float64, d)
	}
	for at := 0; at < len(residual); at += d {
		for j, r := range residual[at : at+d] {
			u := float64(bDec[j]) + r
			a.inert[j] += u * u
		}
	}
}

// auxKLoss returns the recipe's AuxK loss with all N held-out rows as one batch: 0
// without dead latents, and nil where there is nothing to divide by. It is
//
//	Σ_N ‖x̂_dead − r‖² ÷ Σ_N ‖r − r̄‖²
//
// with r = x − x̂ and x̂_dead the reconstruction of r by dead latents, or in recipe
// reference
//
//	min(dead ÷ k_aux, 1) · 1/(N·D) · Σ_D (Σ_N (b_dec + r)² ÷ Σ_N (x − x̄)²).
func (e *evaluation) auxKLoss() *float64 {
	switch {
	case e.nDead == 0:
		return new(float64)
	case !e.recipe.InertAuxK:
		return quotient(e.auxk.err, e.r.variance())
	}
	sum := 0.0
	for j, err := range e.auxk.inert {
		q := quotient(err, e.x.m2[j])
		if q == nil {
			return nil
		}
		sum += *q
	}
	scale := min(float64(e.nDead)/float64(e.c.KAux), 1)
	return quotient(scale*sum, e.x.n*float64(e.c.ActivationDim))
}
