//go:build cuda

package cuda

import (
	"math"
	"unsafe"

	"github.com/topksweep/sweep/trainer"
	"github.com/topksweep/sweep/trainer/cuda/driver"
	"github.com/topksweep/sweep/trainer/cuda/kernels"
)

// train takes a step on the batch that bring puts on the stream, as [B,D]. In
// recipe upstream, a row without a positive kept activation has no smallest one and
// is left out of the threshold's mean, as in package cpu.
func (m *model) train(bring func(*driver.Stream) (driver.Ptr, error)) (trainer.Stats, error) {
	st := trainer.Stats{LR: m.c.LRAt(m.step)}
	leave, err := m.b.dev.Enter()
	if err != nil {
		return st, err
	}
	defer leave()
	var x driver.Ptr
	m.q.Do("copy", func(s *driver.Stream) (err error) { x, err = bring(s); return err })
	if m.step == 0 {
		m.median(x)
	}
	m.tell(x, st.LR)
	m.perform()
	if err := m.q.Wait(); err != nil {
		return st, err
	}
	return st, m.hear(&st)
}

// perform takes a step. All steps in which AuxK has nothing to do are the same
// but for what tell has written, and are launched as one graph. The first of
// them goes without, as libraries and drivers set themselves up then.
func (m *model) perform() {
	if m.dying > 0 || !m.warm {
		m.warm = m.warm || m.dying == 0
		m.record()
		return
	}
	if m.graph == nil {
		m.q.Do("graph", func(s *driver.Stream) (err error) {
			m.graph, err = s.Capture(func() error { m.record(); return m.q.Err() })
			return err
		})
	}
	m.q.Do("graph", func(s *driver.Stream) error { return m.graph.Launch(s) })
}

// Adam's constants, torch's defaults, as the kernels have them.
const (
	beta1 = 0.9
	beta2 = 0.999
)

// tell writes what the step depends on.
func (m *model) tell(x driver.Ptr, lr float64) {
	t := float64(m.step + 1)
	*m.said = kernels.StepInput{X: x, Rate: float32(lr / (1 - math.Pow(beta1, t))), Root: float32(1 / math.Sqrt(1-math.Pow(beta2, t)))}
	if m.recipe.Threshold && m.step > int64(m.c.ThresholdStartStep) {
		m.said.UpdateThreshold = 1
	}
}

// hear turns what the GPU says of the step into stats, or an error where a
// number is not finite, and moves on to the next step.
func (m *model) hear(st *trainer.Stats) error {
	t := m.heard
	if t.NaNRow > 0 {
		return m.numeric("the pre-activations of row %d of the batch hold a NaN", m.z.b-int(t.NaNRow))
	}
	if t.AuxNaNRow > 0 {
		return m.numeric("the pre-activations of row %d of the batch hold a NaN", m.z.b-int(t.AuxNaNRow))
	}
	st.L2Loss, st.AuxKLoss, st.Dead = t.L2, t.Aux, int(t.Dead)
	st.Loss = st.L2Loss + m.c.AuxKAlpha*st.AuxKLoss
	st.GradNorm = math.Sqrt(t.Norm2)
	for _, v := range []struct {
		what string
		is   float64
	}{{"the loss", st.L2Loss}, {"the AuxK loss", st.AuxKLoss}, {"the loss", st.Loss}, {"the gradient's norm", st.GradNorm}} {
		if err := m.finite(v.what, v.is); err != nil {
			return err
		}
	}
	st.MaxSinceFired, st.Threshold = int64(t.MaxSinceFired), float64(t.Threshold)
	if m.z.kAux > 0 || m.z.inert {
		m.dying = int(t.Dying)
	}
	m.step++
	return nil
}

// record puts a step on the queue.
func (m *model) record() {
	z, q := m.z, m.q
	q.Do("copy", func(s *driver.Stream) error { return s.Upload(m.buffers.step, bytesOf(m.said)) })
	q.Centre(kernels.Centre{
		Input: m.buffers.step, Totals: m.totals, MainScale: -2 / float32(z.b), BDec: m.w.bDec, Out: m.centred, OutBF: m.centredBF,
		Rows: z.b, D: z.d, D4: z.d4,
	})
	m.choose(z.b, selection{k: z.k, n: z.f, zeros: z.zeroPicks, out: kernels.Selected{
		Acts: m.acts, Latents: m.chosen, Hits: m.hits, ZeroPicks: m.zeroPicks, Smallest: m.least, NaNRow: m.totals.Add(kernels.NaNRowOffset),
	}})
	q.CountFired(kernels.CountFired{
		Hits: m.hits, ZeroPicks: m.zeroPicks, SinceFired: m.since, Dead: m.dead, Dying: m.buffers.dying, F: z.f, B: int64(z.b),
		Limit: m.deadLimit(), Totals: m.totals,
	})
	q.Decode(kernels.Decode{
		From: m.centred, Out: m.residual, WDec: m.w.wDec, DecScale: m.unit, Acts: m.acts, Latents: m.chosen, K: z.k, Stride: z.k,
		Rows: z.b, D4: z.d4, Norm2: m.l2,
	})
	q.ColumnSums(kernels.ColumnSums{Rows: m.residual, N: z.b, D4: z.d4, Sums: m.part})
	aux := m.auxK()
	m.backward(aux)
	m.update()
	q.Do("copy", func(s *driver.Stream) error { return s.Download(bytesOf(m.heard), m.totals) })
}

// deadLimit is the fewest tokens since it fired that make a latent dead.
func (m *model) deadLimit() int64 {
	if m.recipe.DeadAtThreshold {
		return m.c.DeadFeatureThreshold
	}
	return m.c.DeadFeatureThreshold + 1
}

// backward computes all gradients, from the batch's hits and aux more of dead
// latents for each token.
func (m *model) backward(aux int) {
	z, q := m.z, m.q
	var dying driver.Ptr
	if z.kAux > 0 || z.inert {
		dying = m.buffers.dying
	}
	q.Scan(kernels.Scan{
		Hits: m.hits, Dying: dying, F: z.f, Segment: z.segment, Sums: m.scan, Start: m.start, Extra: m.extra, List: m.list, Totals: m.totals,
	})
	hits := kernels.Scatter{Acts: m.acts, Latents: m.chosen, Rows: z.b, K: z.k, Start: m.start, Left: m.hits, Token: m.token, Act: m.act}
	q.Scatter(hits)
	if aux > 0 {
		hits.Acts, hits.Latents, hits.K = m.auxActs, m.auxChosen, aux
		q.Scatter(hits)
	}
	q.Order(kernels.Order{Start: m.start, F: z.f, B: z.b, Token: m.token, Act: m.act, ToToken: m.tokenInOrder, ToAct: m.inOrder})
	q.Backward(kernels.Backward{
		Residual: m.residual, AuxResidual: m.left, Centred: m.centred, WDec: m.w.wDec, DecScale: m.unit, Dead: m.dead, Start: m.start, Extra: m.extra,
		Token: m.tokenInOrder, Act: m.inOrder, MaxExtras: z.b * (z.k + aux) / z.segment, Segment: z.segment, F: z.f, D4: z.d4,
		ProjectFirst: m.recipe.ProjectFirst, Totals: m.totals, GDec: m.g.wDec, GEnc: m.g.wEnc, GBias: m.g.bEnc, Norm2: m.norm2,
		SegmentSums: m.spare, SegmentBias: m.spareBias,
	})
	q.ColumnSums(kernels.ColumnSums{Rows: m.w.wEnc, Weight: m.g.bEnc, N: z.f, D4: z.d4, Sums: m.encPart})
	q.BiasGradient(kernels.BiasGradient{
		Residual: m.part, B: z.b, Encoder: m.encPart, F: z.f, Width: 4 * z.d4, Gradient: m.g.bDec, Norm2: m.biasNorm2,
	})
	q.SumStep(kernels.SumStep{
		LatentNorm2: m.norm2, F: z.f, L2: m.l2, Smallest: m.least, B: z.b, BiasNorm2: m.biasNorm2, BiasParts: kernels.BiasParts(4 * z.d4),
		Sums: m.sums, Input: m.buffers.step, Totals: m.totals, Beta: m.c.ThresholdBeta,
	})
}

// update takes Adam's step.
func (m *model) update() {
	m.q.Update(kernels.Update{
		WEnc: m.w.wEnc, MEnc: m.m.wEnc, VEnc: m.v.wEnc, GEnc: m.g.wEnc, WDec: m.w.wDec, MDec: m.m.wDec, VDec: m.v.wDec, GDec: m.g.wDec,
		DecScale: m.unit, EncBF: m.encBF, Start: m.start, F: m.z.f, D4: m.z.d4, NormaliseLast: m.recipe.NormaliseLast,
		WBias: m.w.bEnc, MBias: m.m.bEnc, VBias: m.v.bEnc, GBias: m.g.bEnc, Biases: m.z.biases(), Input: m.buffers.step, Totals: m.totals,
	})
}

func bytesOf[T any](v *T) []byte { return unsafe.Slice((*byte)(unsafe.Pointer(v)), unsafe.Sizeof(*v)) }

func ptrTo(b []byte) unsafe.Pointer { return unsafe.Pointer(unsafe.SliceData(b)) }
