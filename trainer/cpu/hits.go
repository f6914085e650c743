package cpu

// hits group kept activations > 0 by latent: those of latent f are entries
// start[f] … start[f+1]-1, in order of token.
type hits struct {
	start []int32   // [n+1]
	token []int32   // [hits]
	act   []float32 // [hits]
}

// group sorts the hits of [rows,k] by latent, of which there are n: a counting
// sort, stable, so that each latent's tokens are in order. Zero activations
// carry no gradient and are left out.
func (h *hits) group(acts []float32, latents []int32, k, n int) {
	h.start = resize(h.start, n+2)
	clear(h.start)
	// start is filled one place on and moves back while the hits are placed.
	at := h.start[1:]
	for i, a := range acts {
		if a > 0 {
			at[latents[i]+1]++
		}
	}
	for f := range n {
		at[f+1] += at[f]
	}
	total := int(at[n])
	h.token, h.act = resize(h.token, total), resize(h.act, total)
	for i, a := range acts {
		if a > 0 {
			f := latents[i]
			j := at[f]
			h.token[j], h.act[j] = int32(i/k), a
			at[f] = j + 1
		}
	}
	h.start = h.start[:n+1]
}

// of returns the tokens and activations of latent f.
func (h *hits) of(f int) (tokens []int32, acts []float32) {
	from, to := h.start[f], h.start[f+1]
	return h.token[from:to], h.act[from:to]
}
