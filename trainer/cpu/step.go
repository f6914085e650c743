package cpu

import (
	"context"
	"iter"
	"math"

	"github.com/topksweep/sweep/trainer"
)

// Steps implements trainer.Model.
func (m *model) Steps(ctx context.Context, to int64) iter.Seq2[trainer.Stats, error] {
	return func(yield func(trainer.Stats, error) bool) {
		for len(m.buffers) < 2 {
			m.buffers = append(m.buffers, make([]float32, m.z.b*m.z.d))
		}
		ahead := trainer.ReadAhead[[]float32]{Buffers: m.buffers, Read: m.readBatch, Train: m.train}
		ahead.Steps(ctx, m.step, to)(yield)
	}
}

func (m *model) readBatch(step int64, x []float32) error {
	if m.data == nil {
		return trainer.ErrNoData
	}
	return m.data.Batch(m.c.Seed, step, x)
}

// train takes a step on the batch x_BD. In recipe upstream, a row without a
// positive kept activation has no smallest one and is left out of the threshold's
// mean; the original's threshold becomes +Inf there and stays so.
func (m *model) train(x []float32) (trainer.Stats, error) {
	if m.step == 0 {
		for j, v := range geometricMedian(m.crew, x, m.z.d) {
			m.w.bDec[j] = float32(v)
		}
	}
	st := trainer.Stats{LR: m.c.LRAt(m.step)}
	if err := m.forward(x); err != nil {
		return st, err
	}
	m.decode()
	st.L2Loss = sum(m.bat.l2) / float64(m.z.b)
	if err := m.finite("the loss", st.L2Loss); err != nil {
		return st, err
	}
	m.updateThreshold()
	deads := m.countFired()
	st.Dead = len(deads)
	grad := m.mainGradient()
	if m.c.AuxKAlpha > 0 && len(deads) > 0 {
		var err error
		if m.recipe.InertAuxK {
			st.AuxKLoss, grad = m.inertAuxK(len(deads))
		} else if st.AuxKLoss, err = m.auxK(deads); err != nil {
			return st, err
		}
	} else {
		m.aux.off()
	}
	st.Loss = st.L2Loss + m.c.AuxKAlpha*st.AuxKLoss
	if err := m.finite("the loss", st.Loss); err != nil {
		return st, err
	}
	norm2 := m.backward(grad)
	st.GradNorm = math.Sqrt(norm2)
	if err := m.finite("the gradient's norm", st.GradNorm); err != nil {
		return st, err
	}
	m.update(st.LR, min(1, 1/(st.GradNorm+1e-6)))
	m.step++
	for _, n := range m.since {
		st.MaxSinceFired = max(st.MaxSinceFired, n)
	}
	st.Threshold = float64(m.threshold)
	return st, nil
}

// forward encodes the batch. AuxK's candidates are sifted from the same
// pre-activations: the latents that are dead after this step unless they fire.
func (m *model) forward(x []float32) error {
	b, k := &m.bat, m.c.K
	m.enc.pack(x, b.centred)
	main := selection{k: k, allowed: m.all, count: m.z.f, done: func(row int, keys []key) {
		acts, latents := b.acts[row*k:(row+1)*k], b.latents[row*k:(row+1)*k]
		if m.recipe.FiredAtZero {
			fill(acts, latents, keys, m.all)
		} else {
			put(acts, latents, keys)
		}
	}}
	sels := []selection{main}
	if m.c.AuxKAlpha > 0 && !m.recipe.InertAuxK {
		if s := m.dying(); s.count > 0 {
			sels = append(sels, s)
		}
	}
	if bad := m.enc.choose(m.z.b, sels...); bad >= 0 {
		return m.numeric("the pre-activations of row %d of the batch hold a NaN", bad)
	}
	return nil
}

// decode computes the residual of each token, while the hits are grouped by latent.
func (m *model) decode() {
	b, k := &m.bat, m.c.K
	parts := min(groups, m.z.b)
	m.crew.do(parts+1, func(worker, task int) {
		if task == 0 {
			b.hits.group(b.acts, b.latents, k, m.z.f)
			return
		}
		w := m.work[worker]
		from, to := span(task-1, parts, m.z.b)
		for row := from; row < to; row++ {
			r := b.row(b.residual, row)
			m.subtractDecoded(w, r, b.row(b.centred, row), b.acts[row*k:(row+1)*k], b.latents[row*k:(row+1)*k], nil)
			b.l2[row] = m.kern.sumSquares(r)
		}
	})
}

// subtractDecoded sets out to from less what the activations decode to, without
// b_dec. With names non-nil, latents are places in it.
func (m *model) subtractDecoded(w *work, out, from, acts []float32, latents, names []int32) {
	w.coef, w.ids = w.coef[:0], w.ids[:0]
	for i, a := range acts {
		if a > 0 {
			f := latents[i]
			if names != nil {
				f = names[f]
			}
			w.coef = append(w.coef, -a*m.unit[f])
			w.ids = append(w.ids, f)
		}
	}
	m.kern.combine(out, from, w.coef, m.w.wDec, w.ids)
}

// countFired moves the counters on and returns the dead latents.
func (m *model) countFired() []int32 {
	b := &m.bat
	clear(b.firedAt)
	for i, f := range b.latents {
		if m.recipe.FiredAtZero || b.acts[i] > 0 {
			b.firedAt[f] = true
		}
	}
	deads := m.aux.deads[:0]
	for f := range m.since {
		m.since[f] += int64(m.z.b)
		if b.firedAt[f] {
			m.since[f] = 0
		}
		b.dead[f] = m.recipe.Dead(m.since[f], m.c.DeadFeatureThreshold)
		if b.dead[f] {
			deads = append(deads, int32(f))
		}
	}
	m.aux.deads = deads
	return deads
}

// updateThreshold moves the average of each token's smallest positive kept
// activation on.
func (m *model) updateThreshold() {
	if !m.recipe.Threshold || m.step <= int64(m.c.ThresholdStartStep) {
		return
	}
	total, rows := 0.0, 0
	for row := range m.z.b {
		least := float32(math.Inf(1))
		for _, a := range m.bat.acts[row*m.c.K : (row+1)*m.c.K] {
			if a > 0 && a < least {
				least = a
			}
		}
		if !math.IsInf(float64(least), 1) {
			total += float64(least)
			rows++
		}
	}
	if rows == 0 {
		return
	}
	mean := float32(total / float64(rows))
	if m.threshold < 0 {
		m.threshold = mean
		return
	}
	beta := m.c.ThresholdBeta
	m.threshold = float32(beta)*m.threshold + float32(1-beta)*mean
}

func sum(v []float64) float64 {
	total := 0.0
	for _, x := range v {
		total += x
	}
	return total
}
