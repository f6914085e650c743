package plain

import "slices"

// encode returns the pre-activations ReLU(W_enc (x − b_dec) + b_enc) of a token.
func (m *Model) encode(x_D []float64) (pre_F []float64) {
	centred_D := minus(x_D, m.W.DecBias_D)
	pre_F = make([]float64, len(m.W.Enc_FD))
	for f, row_D := range m.W.Enc_FD {
		pre_F[f] = max(0, dot(row_D, centred_D)+m.W.EncBias_F[f])
	}
	return pre_F
}

// TopK returns the latents of the k largest pre-activations, the largest first and
// the lowest latent first among equals. With among_F non-nil only the latents f
// with among_F[f] take part.
func TopK[T float32 | float64](pre_F []T, among_F []bool, k int) (latents_K []int) {
	for f := range pre_F {
		if among_F == nil || among_F[f] {
			latents_K = append(latents_K, f)
		}
	}
	slices.SortStableFunc(latents_K, func(a, b int) int {
		switch {
		case pre_F[a] > pre_F[b]:
			return -1
		case pre_F[a] < pre_F[b]:
			return 1
		}
		return 0
	})
	return latents_K[:k]
}
