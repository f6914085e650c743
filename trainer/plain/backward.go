package plain

// backward returns the gradients of the loss by all parameters.
func (m *Model) backward(x_BD [][]float64, p *pass) Params {
	g := zeros(m.Config)
	for b, x_D := range x_BD {
		// l2 is mean_B ‖e‖², and e = x̂ − x.
		out_D := scaled(2/float64(len(x_BD)), p.e_BD[b])
		if p.variance_D != nil {
			// The reference's AuxK squares b_dec − e. It pulls at b_dec itself, and
			// at x̂ the other way.
			for d, err := range p.auxErr_BD[b] {
				pull := m.Config.AuxKAlpha * m.inertScale(p) * 2 * err / p.variance_D[d]
				g.DecBias_D[d] += pull
				out_D[d] -= pull
			}
		}
		addScaled(g.DecBias_D, 1, out_D) // x̂ is what is decoded, and b_dec
		m.backwardDecoded(g, x_D, out_D, p.pre_BF[b], p.kept_BK[b])
		if p.auxKept_BK != nil {
			aux_D := scaled(m.Config.AuxKAlpha*2/p.detached.variance, p.auxErr_BD[b])
			m.backwardDecoded(g, x_D, aux_D, p.pre_BF[b], p.auxKept_BK[b])
		}
	}
	return g
}

// backwardDecoded adds to g what the gradient out_D, by what some latents of a token
// decode to, comes to for their weights.
func (m *Model) backwardDecoded(g Params, x_D, out_D, pre_F []float64, latents_K []int) {
	centred_D := minus(x_D, m.W.DecBias_D)
	for _, f := range latents_K {
		if pre_F[f] <= 0 {
			continue // ReLU is flat there, and nothing is decoded
		}
		addScaled(g.Dec_FD[f], pre_F[f], out_D)
		byPre := dot(out_D, m.W.Dec_FD[f])
		addScaled(g.Enc_FD[f], byPre, centred_D)
		g.EncBias_F[f] += byPre
		addScaled(g.DecBias_D, -byPre, m.W.Enc_FD[f]) // through x − b_dec
	}
}
