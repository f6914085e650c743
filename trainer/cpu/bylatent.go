package cpu

// byLatent holds the kept activations > 0 of a batch grouped by latent: those of
// latent f are entries start[f] … start[f+1]−1 of token and act, in order of token.
// It is the sparse matrix acts_BF stored by columns.
type byLatent struct {
	start []int32   // [n+1]
	token []int32   // [start[n]]
	act   []float32 // [start[n]]
}

// group fills g from acts and latents, both [rows,k], with latents in [0, n). It is
// a counting sort, which keeps the order of the tokens. Activations of zero are
// left out: they have no gradient.
//
// For example, rows = 2, k = 2, n = 3:
//
//	acts [[0.5 0.2] [0.7 0]], latents [[2 0] [2 1]]
//	start [0 1 1 3]: latent 0 has one entry, latent 1 none, latent 2 two
//	token [0 0 1], act [0.2 0.5 0.7]
func (g *byLatent) group(acts []float32, latents []int32, k, n int) {
	g.start = resize(g.start, n+2)
	clear(g.start)
	// next[f] counts the entries of latent f−1, then is where the next entry of
	// latent f goes. At the end it is the end of latent f, which is start[f+1].
	next := g.start[1:]
	for i, a := range acts {
		if a > 0 {
			next[latents[i]+1]++
		}
	}
	for f := range n {
		next[f+1] += next[f]
	}
	total := int(next[n])
	g.token, g.act = resize(g.token, total), resize(g.act, total)
	for i, a := range acts {
		if a > 0 {
			f := latents[i]
			j := next[f]
			g.token[j], g.act[j] = int32(i/k), a
			next[f] = j + 1
		}
	}
	g.start = g.start[:n+1]
}

// of returns the tokens and activations of latent f.
func (g *byLatent) of(f int) (tokens []int32, acts []float32) {
	from, to := g.start[f], g.start[f+1]
	return g.token[from:to], g.act[from:to]
}
