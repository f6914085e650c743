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

// train takes a step on the batch x_BD, B tokens of width D, and returns the step's
// numbers. The error is a *trainer.NumericError where a number of the step is NaN or
// infinite.
//
// A step is these phases, in this order. W_enc and W_dec are [F,D]; W_dec stands
// for its rows at unit norm (see model.decScale).
//
//	initBDec         only in step 0, without Config.Init: b_dec = the geometric median of the rows of x
//	centre           c_BD = x − b_dec
//	encodeBatch      pre_BF = ReLU(c·W_encᵀ + b_enc), which is never stored whole;
//	                 the K largest of each row: acts_BK and latents_BK
//	countFired       sinceFired_F = 0 where the latent fired, else + B; dead_F
//	decodeBatch      r_BD = c − acts·W_dec = x − x̂, with x̂ = acts·W_dec + b_dec;
//	                 L2 loss = Σ r² / B
//	auxLoss          AuxK loss of the dead latents; loss = L2 loss + α·AuxK loss
//	backward         g = ∂loss/∂(W_enc, b_enc, W_dec, b_dec), W_dec's part projected
//	                 off W_dec's rows; ‖g‖ over all four
//	updateThreshold  moving average of the smallest positive activation of a token,
//	                 in recipe upstream
//	update           Adam with g·min(1, 1/‖g‖), then new unit norms for W_dec's rows
//
// Package cuda has the same phases in the same order. countFired and updateThreshold
// read acts and latents only: they stand where a GPU can do them at no extra cost.
func (m *model) train(x []float32) (trainer.Stats, error) {
	if m.step == 0 && m.c.Init == "" {
		m.initBDec(x)
	}
	m.centre(x)
	st := trainer.Stats{LR: m.c.LRAt(m.step)}
	for _, phase := range m.phases() {
		if err := phase(&st); err != nil {
			return st, err
		}
	}
	m.step++
	return st, nil
}

// phases returns the phases of a step after centre, in order. Each writes its
// numbers to the Stats.
func (m *model) phases() []func(*trainer.Stats) error {
	return []func(*trainer.Stats) error{
		m.encodeBatch,
		m.countFired,
		m.decodeBatch,
		m.auxLoss,
		m.backward,
		m.updateThreshold,
		m.update,
	}
}

// initBDec sets b_dec to the geometric median of the rows of x_BD.
func (m *model) initBDec(x []float32) {
	for j, v := range geometricMedian(m.workers, x, m.z.d) {
		m.w.bDec[j] = float32(v)
	}
}

// centre sets centred_BD = x_BD − b_dec and packs it for the encoder.
func (m *model) centre(x []float32) {
	m.enc.pack(x, m.batch.centred)
}

// encodeBatch sets acts_BK and latents_BK: of each token the K largest of
// ReLU(centred·W_encᵀ + b_enc). The same pass over the encoder finds AuxK's
// candidates, among the latents that are dead after this step unless they fire.
func (m *model) encodeBatch(*trainer.Stats) error {
	b, k := &m.batch, m.c.K
	main := selection{k: k, allowed: m.all, count: m.z.f, done: func(row int, keys []key) {
		acts, latents := b.acts[row*k:(row+1)*k], b.latents[row*k:(row+1)*k]
		if m.recipe.FiredAtZero {
			writeKeysFilled(acts, latents, keys, m.all)
		} else {
			writeKeys(acts, latents, keys)
		}
	}}
	sels := []selection{main}
	if m.c.AuxKAlpha > 0 && !m.recipe.InertAuxK {
		if s := m.selectAuxCandidates(); s.count > 0 {
			sels = append(sels, s)
		}
	}
	if row := m.enc.topK(m.z.b, sels...); row >= 0 {
		return m.numeric("the pre-activations of row %d of the batch hold a NaN", row)
	}
	return nil
}

// countFired adds the batch's B tokens to the count of each latent, or sets it to
// 0 where the latent fired, and lists the dead latents.
func (m *model) countFired(st *trainer.Stats) error {
	b := &m.batch
	clear(b.fired)
	for i, f := range b.latents {
		if m.recipe.FiredAtZero || b.acts[i] > 0 {
			b.fired[f] = true
		}
	}
	deads := m.aux.deads[:0]
	for f := range m.sinceFired {
		m.sinceFired[f] += int64(m.z.b)
		if b.fired[f] {
			m.sinceFired[f] = 0
		}
		b.dead[f] = m.recipe.Dead(m.sinceFired[f], m.c.DeadFeatureThreshold)
		if b.dead[f] {
			deads = append(deads, int32(f))
		}
		st.MaxSinceFired = max(st.MaxSinceFired, m.sinceFired[f])
	}
	m.aux.deads = deads
	st.Dead = len(deads)
	return nil
}

// decodeBatch sets residual_BD = centred − acts·W_dec and the L2 loss, Σ residual² / B.
// Beside that it groups the kept activations by latent, for backward.
func (m *model) decodeBatch(st *trainer.Stats) error {
	b, k := &m.batch, m.c.K
	parts := min(maxParts, m.z.b)
	m.workers.do(parts+1, func(worker, task int) {
		if task == 0 {
			b.byLatent.group(b.acts, b.latents, k, m.z.f)
			return
		}
		w := m.scratch[worker]
		from, to := span(task-1, parts, m.z.b)
		for row := from; row < to; row++ {
			r := b.row(b.residual, row)
			m.subtractDecoded(w, r, b.row(b.centred, row), b.acts[row*k:(row+1)*k], b.latents[row*k:(row+1)*k], nil)
			b.l2[row] = m.kern.sumSquares(r)
		}
	})
	b.grad = gradient{b.residual, -2 / float32(m.z.b)}
	st.L2Loss = sum(b.l2) / float64(m.z.b)
	return m.finite("the loss", st.L2Loss)
}

// subtractDecoded sets out_D = from_D − Σ_i acts[i]·W_dec[latents[i]], with the rows
// at unit norm. If among is not nil, latents holds indices in it.
func (m *model) subtractDecoded(w *scratch, out, from, acts []float32, latents, among []int32) {
	w.coef, w.ids = w.coef[:0], w.ids[:0]
	for i, a := range acts {
		if a > 0 {
			f := latents[i]
			if among != nil {
				f = among[f]
			}
			w.coef = append(w.coef, -a*m.decScale[f])
			w.ids = append(w.ids, f)
		}
	}
	m.kern.combine(out, from, w.coef, m.w.wDec, w.ids)
}

// updateThreshold moves the threshold on, in the recipe that has one:
//
//	mean = the mean over the tokens of the smallest positive kept activation
//	threshold = β·threshold + (1−β)·mean, or mean where there is none yet
//
// A token without a positive kept activation has no smallest one and is left out
// of the mean. The original's threshold becomes +Inf there and stays so.
func (m *model) updateThreshold(st *trainer.Stats) error {
	if m.recipe.Threshold && m.step > int64(m.c.ThresholdStartStep) {
		if mean, ok := m.meanSmallest(); ok {
			if beta := m.c.ThresholdBeta; m.threshold < 0 {
				m.threshold = mean
			} else {
				m.threshold = float32(beta)*m.threshold + float32(1-beta)*mean
			}
		}
	}
	st.Threshold = float64(m.threshold)
	return nil
}

// meanSmallest returns the mean of each token's smallest positive kept
// activation, over the tokens that have one. It reports whether any has.
func (m *model) meanSmallest() (float32, bool) {
	total, rows := 0.0, 0
	for row := range m.z.b {
		least := float32(math.Inf(1))
		for _, a := range m.batch.acts[row*m.c.K : (row+1)*m.c.K] {
			if a > 0 && a < least {
				least = a
			}
		}
		if !math.IsInf(float64(least), 1) {
			total += float64(least)
			rows++
		}
	}
	return float32(total / float64(rows)), rows > 0
}

// sum adds the numbers from the first to the last.
func sum(v []float64) float64 {
	total := 0.0
	for _, x := range v {
		total += x
	}
	return total
}
