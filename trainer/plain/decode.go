package plain

// decode returns Σ pre · row of W_dec over the latents kept, without b_dec.
func (m *Model) decode(pre_F []float64, latents_K []int) (out_D []float64) {
	out_D = make([]float64, len(m.W.DecBias_D))
	for _, f := range latents_K {
		addScaled(out_D, pre_F[f], m.W.Dec_FD[f])
	}
	return out_D
}

// unitRows divides each row by its norm + ε (reference: set_decoder_norm_to_unit_norm).
func unitRows(w_FD [][]float64) {
	for _, row_D := range w_FD {
		length := norm(row_D) + eps32
		for i := range row_D {
			row_D[i] /= length
		}
	}
}
