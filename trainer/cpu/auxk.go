package cpu

import (
	"slices"

	"github.com/topksweep/sweep/trainer"
)

// auxBatch is what a step knows of AuxK.
type auxBatch struct {
	on    bool    // dead latents get a gradient in this step
	deads []int32 // the dead latents, rising
	index []int32 // [F] place in deads

	// The largest pre-activations of the latents that may be dead after this
	// step: more than AuxK takes, so that those that fire can be dropped.
	allowed []uint32
	count   int // of them
	keep    int
	keys    []key // [B,keep]
	nKeys   []int // [B]

	acts    []float32 // [B,k]
	latents []int32   // [B,k] places in deads
	left    []float32 // [B,dPad] residual that AuxK leaves
	num     []float64 // [B]
	den     []float64 // [B]
	hits    hits
	grad    gradient
}

// auxLoss adds the AuxK loss of the dead latents to the loss, and sets the gradient
// that they get from it. Without AuxK or without dead latents it is 0.
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

// auxK is the AuxK loss of recipes corrected and upstream: the k_aux largest
// ReLU pre-activations of each token's dead latents, decoded without b_dec,
// against the residual r = x − x̂ held constant; divided by the residual's
// variance. A quotient that is not a number counts as 0 and has no gradient; so
// does one by a variance of 0, where the original has the largest float.
func (m *model) auxK() (float64, error) {
	a, b, z, deads := &m.aux, &m.bat, m.z, m.aux.deads
	k := min(m.c.KAux, len(deads))
	a.index = resize(a.index, z.f)
	for i, f := range deads {
		a.index[f] = int32(i)
	}
	a.acts, a.latents = resize(a.acts, z.b*k), resize(a.latents, z.b*k)
	if !m.takeDead(k) {
		if err := m.chooseDead(deads, k); err != nil {
			return 0, err
		}
	}
	mean := m.columnMeans(b.residual)
	a.left, a.num, a.den = resize(a.left, len(b.residual)), resize(a.num, z.b), resize(a.den, z.b)
	parts := min(groups, z.b)
	m.crew.do(parts+1, func(worker, task int) {
		if task == 0 {
			a.hits.group(a.acts, a.latents, k, len(deads))
			return
		}
		w := m.work[worker]
		from, to := span(task-1, parts, z.b)
		for row := from; row < to; row++ {
			r, left, den := b.row(b.residual, row), b.row(a.left, row), 0.0
			for j, v := range r {
				den += (float64(v) - mean[j]) * (float64(v) - mean[j])
			}
			a.den[row] = den
			m.subtractDecoded(w, left, r, a.acts[row*k:(row+1)*k], a.latents[row*k:(row+1)*k], deads)
			a.num[row] = m.kern.sumSquares(left)
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
	a.grad = gradient{a.left, float32(-2 * m.c.AuxKAlpha / den)}
	return loss, nil
}

// dying selects, beside a step's main selection, the largest pre-activations of
// the latents that are dead after the step unless they fire in it.
func (m *model) dying() selection {
	a, b := &m.aux, int64(m.z.b)
	a.allowed = resize(a.allowed, m.z.panels)
	clear(a.allowed)
	a.count = 0
	for f, n := range m.since {
		if m.recipe.Dead(n+b, m.c.DeadFeatureThreshold) {
			a.allowed[f/nr] |= 1 << (f % nr)
			a.count++
		}
	}
	a.keep = min(a.count, m.c.KAux+max(32, m.c.KAux/4))
	a.keys, a.nKeys = resize(a.keys, m.z.b*a.keep), resize(a.nKeys, m.z.b)
	return selection{k: a.keep, allowed: a.allowed, count: a.count, done: func(row int, keys []key) {
		a.nKeys[row] = copy(a.keys[row*a.keep:(row+1)*a.keep], keys)
	}}
}

// takeDead takes each token's k largest pre-activations of dead latents from
// those that forward kept. It reports false where it cannot: a token whose kept
// ones fired in such number that others, not kept, would move up.
func (m *model) takeDead(k int) bool {
	a, short := &m.aux, make([]bool, m.z.b)
	m.crew.do(m.z.b, func(worker, row int) {
		w := m.work[worker]
		keys := a.keys[row*a.keep:][:a.nKeys[row]]
		complete := len(keys) < a.keep || a.keep == a.count
		n := 0
		for _, x := range keys {
			keys[n] = x
			if m.bat.dead[x.latent()] {
				n++
			}
		}
		keys = keys[:n]
		switch {
		case n < k && !complete:
			short[row] = true
			return
		case n > k:
			w.keys = append(w.keys[:0], keys...)
			keys = notBelow(keys, slices.Min(w.keys[:largest(w.keys, k, k)]))
		}
		m.putDead(row, k, keys)
	})
	return !slices.Contains(short, true)
}

// chooseDead encodes the batch again, for the dead latents only.
func (m *model) chooseDead(deads []int32, k int) error {
	a := &m.aux
	clear(a.allowed)
	for _, f := range deads {
		a.allowed[f/nr] |= 1 << (f % nr)
	}
	sel := selection{k: k, allowed: a.allowed, count: len(deads), done: func(row int, keys []key) {
		m.putDead(row, k, keys)
	}}
	if bad := m.enc.choose(m.z.b, sel); bad >= 0 {
		return m.numeric("the pre-activations of row %d of the batch hold a NaN", bad)
	}
	return nil
}

// putDead writes a token's chosen dead latents as places in deads.
func (m *model) putDead(row, k int, keys []key) {
	a := &m.aux
	acts, latents := a.acts[row*k:(row+1)*k], a.latents[row*k:(row+1)*k]
	put(acts, latents, keys)
	for i := range keys {
		latents[i] = a.index[latents[i]]
	}
}

// inertAuxK is the reference's AuxK loss (TrainerTopK.loss): dead latents'
// activations after top-k are always zero, so they decode to b_dec, and
// u = b_dec − (x̂−x) is compared with each dimension's variance. It sets the
// gradient of the whole loss by x̂.
func (m *model) inertAuxK() float64 {
	a, b, z, deads := &m.aux, &m.bat, m.z, len(m.aux.deads)
	variance := m.columnVariance(b.centred)
	a.left, a.num = resize(a.left, len(b.residual)), resize(a.num, z.b)
	scale := min(float64(deads)/float64(m.c.KAux), 1)
	pull := m.c.AuxKAlpha * 2 * scale / float64(z.b*z.d)
	m.crew.do(z.b, func(_, row int) {
		out, sum := b.row(a.left, row), 0.0
		for j, r := range b.row(b.residual, row)[:z.d] {
			u := float64(m.w.bDec[j]) + float64(r)
			sum += u * u / variance[j]
			out[j] = float32(-2/float64(z.b)*float64(r) - pull*u/variance[j])
		}
		clear(out[z.d:])
		a.num[row] = sum
	})
	b.grad = gradient{a.left, 1}
	return scale * sum(a.num) / float64(z.b*z.d)
}

// columnVariance returns the sum over the tokens of each column's squared
// distance from its mean.
func (m *model) columnVariance(rows []float32) []float64 {
	mean := m.columnMeans(rows)
	b, parts := &m.bat, min(groups, m.z.b)
	m.crew.do(parts, func(_, p int) {
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
