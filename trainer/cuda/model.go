//go:build cuda

package cuda

import (
	"fmt"
	"math"
	"unsafe"

	"github.com/topksweep/sweep/trainer"
	"github.com/topksweep/sweep/trainer/cuda/driver"
	"github.com/topksweep/sweep/trainer/cuda/kernels"
)

// A model is one autoencoder on the GPU.
type model struct {
	b        *backend
	c        trainer.Config
	recipe   trainer.Recipe
	data     trainer.Batches // nil: the model only encodes
	format   trainer.Format  // in which the GPU gets the data
	encodes  bool            // it has no moments either
	closed   bool
	resident *residentRows // rows of data, if the GPU holds them
	z        sizes

	*buffers
	memory  driver.Ptr // the allocation that holds the buffers
	q       *kernels.Queue
	blas    *driver.Blas
	uploads uploads

	graph       *driver.Graph // of a step without dying latents
	initialised bool          // such a step has been launched kernel by kernel

	pinned     []byte // host memory that holds all of the following
	hostInput  *kernels.StepInput
	hostTotals *kernels.StepTotals
	transfer   transfer
	rowNumbers []int64 // [B] of the batch that is trained on, or of the one that is read to be uploaded

	step       int64
	dyingCount int // latents that are dead after the next step unless they fire in it
	auxKept    int // latents that AuxK selected for each token in this step
}

func newModel(
	b *backend, c trainer.Config, recipe trainer.Recipe, s *trainer.State, data trainer.Batches,
) (_ *model, err error) {
	m := &model{b: b, c: c, recipe: recipe, data: data, format: formatOf(data), z: sizesOf(c), step: s.Step}
	b.count(1)
	defer func() {
		if err != nil {
			err = firstBroken([]error{err, m.release()})
		}
	}()
	var space arena
	layOut(&space, m.z)
	if m.memory, err = b.dev.Alloc(space.at); err != nil {
		return nil, err
	}
	m.buffers = layOut(&arena{int64(m.memory)}, m.z)
	stream, err := b.dev.Stream()
	if err != nil {
		return nil, err
	}
	m.q = kernels.NewQueue(b.set, stream)
	if m.blas, err = b.dev.Blas(); err != nil {
		return nil, err
	}
	if err := m.pin(); err != nil {
		return nil, err
	}
	m.load(s)
	return m, m.q.Wait()
}

// pin allocates the pinned host memory, which the GPU copies from and to.
func (m *model) pin() error {
	p, err := m.b.dev.Pinned(m.z.pinned())
	if err != nil {
		return err
	}
	m.pinned = p
	take := func(n int) []byte { part := p[:n:n]; p = p[n:]; return part }
	m.hostInput = (*kernels.StepInput)(unsafe.Pointer(unsafe.SliceData(take(exchangeBytes / 2))))
	m.hostTotals = (*kernels.StepTotals)(unsafe.Pointer(unsafe.SliceData(take(exchangeBytes / 2))))
	for i := range m.transfer.halves {
		m.transfer.halves[i] = take(transferBytes)
		if m.transfer.done[i], err = m.b.dev.Event(); err != nil {
			return err
		}
	}
	m.rowNumbers = driver.View[int64](take(8 * m.z.b))
	return m.uploads.open(m.b.dev, m.uploadSlots(), take(4 * m.z.b * m.z.d)[:m.batchBytes()])
}

// load copies a state to the GPU, and computes from it what a step needs.
func (m *model) load(s *trainer.State) {
	z, q := m.z, m.q
	m.encodes = !s.HasMoments()
	for i, p := range []params{m.w, m.m, m.v} {
		from := []*trainer.Params{&s.W, &s.M, &s.V}[i]
		if i > 0 && m.encodes {
			break
		}
		q.Zero(p.bEnc, 4*int64(z.biases()))
		m.uploadRows(p.wEnc, from.WEnc)
		m.uploadRows(p.wDec, from.WDec)
		m.upload(p.bEnc, driver.Bytes(from.BEnc))
		m.upload(p.bDec, driver.Bytes(from.BDec))
	}
	q.Zero(m.g.bEnc, 4*int64(z.biases()))
	q.Zero(m.hits, 4*int64(z.fPad))
	if z.zeroPicks {
		q.Zero(m.zeroPicks, 4*int64(z.fPad))
	}
	m.upload(m.sinceFired, driver.Bytes(s.SinceFired))
	if m.recipe.NormaliseLast {
		q.Fill(m.decScale, math.Float32bits(1), z.f)
	} else {
		q.DecScales(m.w.wDec, z.f, z.d4, m.decScale)
	}
	q.RoundRows(m.w.wEnc, m.encHalf, m.encRounding, z.f, z.d4)
	half := 2 * int64(z.width())
	q.Zero(m.encHalf.Add(int64(z.f)*half), int64(z.fPad-z.f)*half)
	q.Zero(m.totals, kernels.StepTotalsBytes)
	m.upload(m.totals.Add(kernels.ThresholdOffset), driver.Bytes([]float32{s.Threshold}))
	if m.usesAuxK() {
		for _, n := range s.SinceFired {
			if m.recipe.Dead(n+int64(z.b), m.c.DeadFeatureThreshold) {
				m.dyingCount++
			}
		}
	}
}

// Save implements trainer.Model.
func (m *model) Save(s *trainer.State) error {
	if len(s.SinceFired) != m.z.f || len(s.W.BDec) != m.z.d {
		return fmt.Errorf("save: the state's shapes are not those of activation_dim %d, dict_size %d", m.z.d, m.z.f)
	}
	if m.encodes {
		return trainer.ErrNoMoments
	}
	leave, err := m.b.enter()
	if err != nil {
		return m.b.fault("save", err)
	}
	defer leave()
	for i, p := range []params{m.w, m.m, m.v} {
		to := []*trainer.Params{&s.W, &s.M, &s.V}[i]
		m.downloadRows(to.WEnc, p.wEnc)
		m.downloadRows(to.WDec, p.wDec)
		m.download(driver.Bytes(to.BEnc), p.bEnc)
		m.download(driver.Bytes(to.BDec), p.bDec)
	}
	m.download(driver.Bytes(s.SinceFired), m.sinceFired)
	threshold := []float32{0}
	m.download(driver.Bytes(threshold), m.totals.Add(kernels.ThresholdOffset))
	s.Step, s.Threshold = m.step, threshold[0]
	return m.b.fault("save", m.q.Wait())
}

// Close implements trainer.Model. On a GPU that is broken nothing can be freed, the model's pinned
// memory included: it is given back when the process ends.
func (m *model) Close() error {
	leave, err := m.b.dev.Enter()
	if err != nil {
		return m.b.fault("close", err)
	}
	defer leave()
	if m.resident != nil {
		defer m.b.residents.release(m.resident)
	}
	return m.b.fault("close", m.release())
}

// release frees all that newModel has allocated so far. A second call does nothing.
func (m *model) release() error {
	if m.closed {
		return nil
	}
	var errs []error
	if m.q != nil {
		errs = append(errs, m.q.Stream().Synchronize())
	}
	errs = append(errs, m.uploads.close(m.b.dev)...)
	if m.graph != nil {
		errs = append(errs, m.graph.Close())
	}
	for _, e := range m.transfer.done {
		if e != nil {
			errs = append(errs, e.Close())
		}
	}
	if m.blas != nil {
		errs = append(errs, m.blas.Close())
	}
	if m.q != nil {
		errs = append(errs, m.q.Stream().Close())
	}
	errs = append(errs, m.b.dev.Free(m.memory), m.b.dev.FreePinned(m.pinned))
	*m = model{b: m.b, closed: true}
	m.b.count(-1)
	return firstBroken(errs)
}

// numeric returns a *trainer.NumericError of this step.
func (m *model) numeric(format string, a ...any) error {
	return &trainer.NumericError{Step: m.step, What: fmt.Sprintf(format, a...)}
}

// finite returns an error where v is NaN or infinite.
func (m *model) finite(what string, v float64) error {
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return m.numeric("%s is %v", what, v)
	}
	return nil
}
