package plain

// A pass is what computing the loss of a batch leaves for the gradients.
type pass struct {
	pre_BF  [][]float64
	kept_BK [][]int     // latents
	e_BD    [][]float64 // the error x̂ − x

	sinceFired_F []int64
	dead_F       []bool
	nDead        int

	auxKept_BK [][]int     // dead latents; nil where AuxK does not act
	auxErr_BD  [][]float64 // what AuxK squares
	variance_D []float64   // what the reference's AuxK divides by; else nil
	detached   *detached

	l2, auxK, loss float64 // loss = l2 + auxk_alpha · auxK
}

// detached is what AuxK holds constant: no gradient goes through it.
type detached struct {
	r_BD     [][]float64 // the residual x − x̂
	variance float64     // of r_BD, summed over its dimensions
}

// forward computes the loss of a batch. held, where not nil, stands for what AuxK
// holds constant: the test of the gradients moves weights, and holds it still.
func (m *Model) forward(x_BD [][]float64, held *detached) *pass {
	p := &pass{detached: held}
	for _, x_D := range x_BD {
		pre_F := m.encode(x_D)
		kept_K := TopK(pre_F, nil, m.Config.K)
		e_D := minus(m.decode(pre_F, kept_K), x_D)
		addScaled(e_D, 1, m.W.DecBias_D)
		p.pre_BF, p.kept_BK, p.e_BD = append(p.pre_BF, pre_F), append(p.kept_BK, kept_K), append(p.e_BD, e_D)
		p.l2 += dot(e_D, e_D) / float64(len(x_BD))
	}
	m.countFired(p)
	if p.nDead > 0 && m.Config.AuxKAlpha > 0 {
		if m.Recipe.InertAuxK {
			m.inertAuxK(p, x_BD)
		} else {
			m.auxK(p)
		}
	}
	p.loss = p.l2 + m.Config.AuxKAlpha*p.auxK
	return p
}

// auxK lets the k_aux largest dead latents of each token predict the residual that
// the living ones leave: ‖prediction − r‖² ÷ variance of r (appendix A.2). It is 0
// where the variance is.
func (m *Model) auxK(p *pass) {
	if p.detached == nil {
		p.detached = &detached{}
		for _, e_D := range p.e_BD {
			p.detached.r_BD = append(p.detached.r_BD, scaled(-1, e_D))
		}
		for _, v := range columnVariances(p.detached.r_BD) {
			p.detached.variance += v
		}
	}
	if p.detached.variance == 0 {
		return
	}
	for b, pre_F := range p.pre_BF {
		kept_K := TopK(pre_F, p.dead_F, min(m.Config.KAux, p.nDead))
		err_D := minus(m.decode(pre_F, kept_K), p.detached.r_BD[b])
		p.auxKept_BK, p.auxErr_BD = append(p.auxKept_BK, kept_K), append(p.auxErr_BD, err_D)
		p.auxK += dot(err_D, err_D) / p.detached.variance
	}
}

// inertAuxK is the reference's AuxK (TrainerTopK.loss). It masks the activations
// after top-k, where dead latents are 0, so that they decode to b_dec; and compares
// that with e = x̂ − x, which it does not hold constant.
func (m *Model) inertAuxK(p *pass, x_BD [][]float64) {
	p.variance_D = columnVariances(x_BD)
	for _, e_D := range p.e_BD {
		err_D := minus(m.W.DecBias_D, e_D)
		p.auxErr_BD = append(p.auxErr_BD, err_D)
		for d, err := range err_D {
			p.auxK += m.inertScale(p) * err * err / p.variance_D[d]
		}
	}
}

// inertScale is min(dead ÷ k_aux, 1), over the B·D numbers that are averaged.
func (m *Model) inertScale(p *pass) float64 {
	return min(float64(p.nDead)/float64(m.Config.KAux), 1) / float64(len(p.e_BD)*m.Config.ActivationDim)
}

// columnVariances returns Σ_B (x − mean)² of each dimension.
func columnVariances(x_BD [][]float64) (sum_D []float64) {
	mean_D := weightedMean(x_BD, func([]float64) float64 { return 1 })
	sum_D = make([]float64, len(mean_D))
	for _, x_D := range x_BD {
		for d, v := range minus(x_D, mean_D) {
			sum_D[d] += v * v
		}
	}
	return sum_D
}
