//go:build cuda

package cuda

import (
	"math"
	"unsafe"

	"github.com/topksweep/sweep/trainer"
	"github.com/topksweep/sweep/trainer/cuda/driver"
	"github.com/topksweep/sweep/trainer/cuda/kernels"
)

// train takes one step. batch makes the stream that it gets wait for the batch x_BD, and
// returns its address on the GPU.
//
// A step is the phases of package cpu, whose step.go says what each one computes:
//
//	initBDec     median.go    only in step 0, without Config.Init
//	centre       step.go
//	encodeBatch  step.go, topk.go
//	countFired   step.go
//	decodeBatch  step.go
//	auxLoss      auxk.go
//	backward     backward.go
//	sumTotals    step.go      the loss, the gradient's norm and clip, and updateThreshold
//	update       update.go
//
// sumTotals stands where updateThreshold stands there: the threshold is one more sum over
// the tokens. A phase only puts kernels on the queue. The host waits once, at the end of the
// step.
func (m *model) train(batch func(*driver.Stream) (driver.Ptr, error)) (trainer.Stats, error) {
	st := trainer.Stats{LR: m.c.LRAt(m.step)}
	leave, err := m.b.enter()
	if err != nil {
		return st, err
	}
	defer leave()
	var x driver.Ptr
	m.q.Do("copy", func(s *driver.Stream) (err error) { x, err = batch(s); return err })
	if m.step == 0 && m.c.Init == "" {
		m.initBDec(x)
	}
	m.setInput(x, st.LR)
	m.launch()
	if err := m.q.Wait(); err != nil {
		return st, err
	}
	return st, m.readTotals(&st)
}

// phases returns the phases of a step after initBDec, in order.
func (m *model) phases() []func() {
	return []func(){
		m.centre,
		m.encodeBatch,
		m.countFired,
		m.decodeBatch,
		m.auxLoss,
		m.backward,
		m.sumTotals,
		m.update,
	}
}

// Adam's constants: torch's defaults. update.cu has the same.
const (
	beta1 = 0.9
	beta2 = 0.999
)

// setInput writes the step's input to pinned memory, from where launch uploads it.
func (m *model) setInput(x driver.Ptr, lr float64) {
	t := float64(m.step + 1)
	*m.hostInput = kernels.StepInput{
		X:    x,
		Rate: float32(lr / (1 - math.Pow(beta1, t))),
		Root: float32(1 / math.Sqrt(1-math.Pow(beta2, t))),
	}
	if m.recipe.Threshold && m.step > int64(m.c.ThresholdStartStep) {
		m.hostInput.UpdateThreshold = 1
	}
}

// launch starts the phases on the GPU. Steps without dying latents differ only in their
// input. So they are captured once, as a graph, and then launched in one call. The first of
// them is launched kernel by kernel, because libraries and drivers initialise themselves then.
func (m *model) launch() {
	if m.dyingCount > 0 || !m.initialised {
		m.initialised = m.initialised || m.dyingCount == 0
		m.enqueue()
		return
	}
	if m.graph == nil {
		m.q.Do("graph", func(s *driver.Stream) (err error) {
			m.graph, err = s.Capture(func() error { m.enqueue(); return m.q.Err() })
			return err
		})
	}
	m.q.Do("graph", func(s *driver.Stream) error { return m.graph.Launch(s) })
}

// enqueue puts the upload of the step's input, the phases, and the download of the step's
// totals on the queue.
func (m *model) enqueue() {
	m.q.Do("copy", func(s *driver.Stream) error { return s.Upload(m.input, bytesOf(m.hostInput)) })
	for _, phase := range m.phases() {
		phase()
	}
	m.q.Do("copy", func(s *driver.Stream) error { return s.Download(bytesOf(m.hostTotals), m.totals) })
}

// readTotals turns the step's totals into stats and moves on to the next step. The error is a
// *trainer.NumericError where a number is not finite.
func (m *model) readTotals(st *trainer.Stats) error {
	t := m.hostTotals
	for _, row := range []int32{t.NaNRow, t.AuxNaNRow} {
		if row > 0 {
			return m.numeric("the pre-activations of row %d of the batch hold a NaN", m.z.b-int(row))
		}
	}
	st.L2Loss, st.AuxKLoss, st.Dead = t.L2, t.Aux, int(t.Dead)
	st.Loss = st.L2Loss + m.c.AuxKAlpha*st.AuxKLoss
	st.GradNorm = math.Sqrt(t.Norm2)
	for _, v := range []struct {
		what  string
		value float64
	}{
		{"the loss", st.L2Loss},
		{"the AuxK loss", st.AuxKLoss},
		{"the loss", st.Loss},
		{"the gradient's norm", st.GradNorm},
	} {
		if err := m.finite(v.what, v.value); err != nil {
			return err
		}
	}
	st.MaxSinceFired, st.Threshold = int64(t.MaxSinceFired), float64(t.Threshold)
	if m.usesAuxK() {
		m.dyingCount = int(t.Dying)
	}
	m.step++
	return nil
}

// centre sets centred_BD = x − b_dec and resets the step's totals.
func (m *model) centre() {
	z := m.z
	m.q.Centre(kernels.Centre{
		Input: m.input, Totals: m.totals, MainScale: -2 / float32(z.b), BDec: m.w.bDec,
		Out: m.centred, Half: m.centredHalf, Rounding: m.tokenRounding, Rows: z.b, D: z.d, D4: z.d4,
	})
}

// encodeBatch sets acts_BK and latents_BK: of each token the K largest of
// ReLU(centred·W_encᵀ + b_enc).
func (m *model) encodeBatch() {
	z := m.z
	m.topK(z.b, selection{k: z.k, among: z.f, zeros: z.zeroPicks, out: kernels.Selected{
		Acts: m.acts, Latents: m.latents, Hits: m.hits, ZeroPicks: m.zeroPicks, Smallest: m.smallest,
		NaNRow: m.totals.Add(kernels.NaNRowOffset),
	}})
}

// countFired sets the tokens since each latent fired, and marks the dead latents.
func (m *model) countFired() {
	limit := m.c.DeadFeatureThreshold
	if !m.recipe.DeadAtThreshold {
		limit++
	}
	m.q.CountFired(kernels.CountFired{
		Hits: m.hits, ZeroPicks: m.zeroPicks, SinceFired: m.sinceFired, Dead: m.dead,
		F: m.z.f, B: int64(m.z.b), Limit: limit, Totals: m.totals,
	})
}

// decodeBatch sets residual_BD = centred − acts·W_dec, its squared norms, and its column sums,
// which auxLoss and backward need.
func (m *model) decodeBatch() {
	z := m.z
	m.q.Decode(kernels.Decode{
		From: m.centred, Out: m.residual, WDec: m.w.wDec, DecScale: m.decScale, Acts: m.acts, Latents: m.latents,
		K: z.k, Stride: z.k, Rows: z.b, D4: z.d4, Norm2: m.l2,
	})
	m.q.ColumnSums(kernels.ColumnSums{Rows: m.residual, N: z.b, D4: z.d4, Sums: m.residualSums})
}

// sumTotals sums the numbers of the tokens and of the latents to the step's totals: the L2
// loss, the norm of the gradients and the factor that clips them. In the recipe that has a
// threshold it also updates that. As in package cpu, a token without a positive kept
// activation is left out of the threshold's mean.
func (m *model) sumTotals() {
	z := m.z
	m.q.SumStep(kernels.SumStep{
		LatentNorm2: m.latentNorm2, F: z.f, L2: m.l2, Smallest: m.smallest, B: z.b,
		BiasNorm2: m.biasNorm2, BiasParts: kernels.BiasParts(z.width()),
		Sums: m.stepSums, Input: m.input, Totals: m.totals, Beta: m.c.ThresholdBeta,
	})
}

// bytesOf returns the memory of a struct.
func bytesOf[T any](v *T) []byte { return unsafe.Slice((*byte)(unsafe.Pointer(v)), unsafe.Sizeof(*v)) }
