package cpu

import "slices"

// auxCandidates holds, of each token, the largest pre-activations of the latents that
// may be dead after the step. Which of them are dead is known only when all tokens
// have been encoded: a latent that fires for any token is alive. So the pass over the
// encoder that selects the token's K largest also keeps more than k_aux of these, and
// those that fired are dropped afterwards. An example with k_aux = 2 and three kept:
//
//	may be dead   latents 3, 5, 8 and 9, by sinceFired before the step
//	kept          of some token 3:0.7 5:0.6 9:0.4; latent 8 is below them
//	latent 5 fired for another token
//	AuxK takes    3:0.7 9:0.4: the two largest of the dead latents 3, 8 and 9
//
// Had 3 and 5 fired, only 9:0.4 would be left: latent 8 comes next, with a value that
// was not kept, and the batch is encoded again for the dead latents.
type auxCandidates struct {
	allowed []uint32 // [panels] mask of the latents that may be dead
	count   int      // of them
	room    int      // kept of each token
	keys    []key    // [B,room] in order of latent
	n       []int    // [B] kept of each token: fewer than room where fewer are positive
}

// selectAuxCandidates returns the selection that fills m.aux.candidates, from the
// latents that are dead after the step unless they fire in it.
func (m *model) selectAuxCandidates() selection {
	c, b := &m.aux.candidates, int64(m.z.b)
	c.allowed = resize(c.allowed, m.z.panels)
	clear(c.allowed)
	c.count = 0
	for f, n := range m.sinceFired {
		if m.recipe.Dead(n+b, m.c.DeadFeatureThreshold) {
			c.allowed[f/nr] |= 1 << (f % nr)
			c.count++
		}
	}
	c.room = min(c.count, m.c.KAux+max(32, m.c.KAux/4))
	c.keys, c.n = resize(c.keys, m.z.b*c.room), resize(c.n, m.z.b)
	return selection{k: c.room, allowed: c.allowed, count: c.count, done: func(row int, keys []key) {
		c.n[row] = copy(c.keys[row*c.room:(row+1)*c.room], keys)
	}}
}

// selectDead sets acts and latents of AuxK to each token's k largest pre-activations
// of dead latents, from the candidates. It reports whether that was possible for all
// tokens: so many candidates of a token may have fired that other latents, which were
// not kept, are among the k largest.
func (m *model) selectDead(k int) bool {
	c, missing := &m.aux.candidates, make([]bool, m.z.b)
	m.workers.do(m.z.b, func(worker, row int) {
		w := m.scratch[worker]
		keys := c.keys[row*c.room:][:c.n[row]]
		complete := len(keys) < c.room || c.room == c.count // no positive one was left out
		n := 0
		for _, x := range keys {
			keys[n] = x
			if m.batch.dead[x.latent()] {
				n++
			}
		}
		keys = keys[:n]
		switch {
		case n < k && !complete:
			missing[row] = true
			return
		case n > k:
			w.keys = append(w.keys[:0], keys...)
			keys = notBelow(keys, slices.Min(w.keys[:largestFirst(w.keys, k, k)]))
		}
		m.writeDead(row, k, keys)
	})
	return !slices.Contains(missing, true)
}

// encodeDead sets acts and latents of AuxK as selectDead does, by encoding the batch
// again for the dead latents only.
func (m *model) encodeDead(k int) error {
	allowed := m.aux.candidates.allowed
	clear(allowed)
	for _, f := range m.aux.deads {
		allowed[f/nr] |= 1 << (f % nr)
	}
	sel := selection{k: k, allowed: allowed, count: len(m.aux.deads), done: func(row int, keys []key) {
		m.writeDead(row, k, keys)
	}}
	if row := m.enc.topK(m.z.b, sel); row >= 0 {
		return m.numeric("the pre-activations of row %d of the batch hold a NaN", row)
	}
	return nil
}

// writeDead writes a token's selected dead latents to acts and latents of AuxK, as
// indices in deads.
func (m *model) writeDead(row, k int, keys []key) {
	a := &m.aux
	acts, latents := a.acts[row*k:(row+1)*k], a.latents[row*k:(row+1)*k]
	writeKeys(acts, latents, keys)
	for i := range keys {
		latents[i] = a.index[latents[i]]
	}
}
