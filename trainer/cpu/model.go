package cpu

import (
	"fmt"
	"math"

	"github.com/topksweep/sweep/trainer"
)

type model struct {
	c       trainer.Config
	recipe  trainer.Recipe
	data    trainer.Batches // nil: the model only encodes
	z       sizes
	kern    *kernels
	workers workers

	buffers [][]float32 // [2][B,D] for batches, once the model trains

	step       int64   // steps done
	w, m, v, g params  // weights, Adam's two moments, gradients
	sinceFired []int64 // [F] tokens since the latent fired
	threshold  float32 // of recipe upstream; below 0 while there is none yet

	// decScale[f] is the factor that brings row f of W_dec to unit norm. The recipes
	// that normalise at the start of a step keep the rows as Adam left them, and
	// each use of a row multiplies by its factor. It is 1 where the recipe
	// normalises at the end of a step: the rows then have unit norm.
	decScale []float32

	all     []uint32 // mask of all latents, as in selection.allowed
	screen  encoderScreen
	enc     encoder
	rows    []float32 // [encodeRows,dPad] centred rows of Encode
	batch   batch
	aux     auxBatch
	scratch []*scratch // [workers]
}

// batch holds the values of a step: of its B tokens, and of the F latents.
type batch struct {
	dPad     int
	centred  []float32 // [B,dPad] x − b_dec
	residual []float32 // [B,dPad] x − x̂
	acts     []float32 // [B,K] kept activations
	latents  []int32   // [B,K] their latents
	l2       []float64 // [B] squared norm of the residual
	grad     gradient  // ∂loss/∂x̂, for all latents but those that AuxK has a gradient for
	byLatent byLatent  // acts > 0
	fired    []bool    // [F] fired in this step
	dead     []bool    // [F] dead after this step

	part  []float64 // [maxParts,dPad] partial sums over tokens
	bDec  []float32 // [maxParts,dPad] partial gradients of b_dec
	norms []float64 // [maxParts] partial squared norms of the gradients
}

// row returns a token's row of centred, residual or the like.
func (b *batch) row(of []float32, token int) []float32 { return of[token*b.dPad : (token+1)*b.dPad] }

// scratch is what one goroutine keeps between tasks.
type scratch struct {
	rows []float32 // [nr,dPad] packed words of a panel's encoder rows
	rest []float32 // [dPad] an encoder row without its outliers
	bDec []float32 // [dPad] partial gradient of b_dec through the encoder
	coef []float32 // coefficients and
	ids  []int32   // rows of a linear combination of rows
	keys []key
	next []int // where the next tile begins, of each token or latent
}

func newModel(
	c trainer.Config, recipe trainer.Recipe, s *trainer.State, data trainer.Batches, kern *kernels, threads int,
) (*model, error) {
	z := sizesOf(c)
	m := &model{
		c: c, recipe: recipe, data: data, z: z, kern: kern, workers: workers(threads), step: s.Step, threshold: s.Threshold,
		w: newParams(z), sinceFired: append([]int64(nil), s.SinceFired...), decScale: make([]float32, z.fPad),
	}
	parts, trains := []*trainer.Params{&s.W}, data != nil || s.HasMoments()
	if trains {
		parts = append(parts, &s.M, &s.V)
	}
	for _, p := range parts {
		if len(p.WEnc) != z.f*z.d || len(p.WDec) != z.f*z.d || len(p.BEnc) != z.f || len(p.BDec) != z.d ||
			len(s.SinceFired) != z.f {
			return nil, fmt.Errorf("cpu: the state's shapes are not those of activation_dim %d, dict_size %d", z.d, z.f)
		}
	}
	m.w.load(z, &s.W)
	if trains {
		m.m, m.v, m.g = newParams(z), newParams(z), newParams(z)
		m.m.load(z, &s.M)
		m.v.load(z, &s.V)
	} else {
		m.g.wEnc = alloc(z.fPad * z.dPad) // for the words of the screen
	}
	for f := range m.decScale {
		m.decScale[f] = m.decScaleOf(m.w.decRow(z, f))
	}
	m.all, m.enc, m.batch = allLatents(z), encoder{m: m}, newBatch(c, z)
	for range threads {
		m.scratch = append(m.scratch, &scratch{
			rows: make([]float32, nr*z.dPad), rest: make([]float32, z.dPad), bDec: make([]float32, z.dPad),
		})
	}
	m.screen = encoderScreen{
		product: kern.screen, words: m.g.wEnc, bounds: make([][4][nr]float32, z.panels), norms: make([]float64, z.panels),
		wide: make([][nr]float32, z.panels),
	}
	m.screenAll()
	return m, nil
}

func newBatch(c trainer.Config, z sizes) batch {
	return batch{
		dPad: z.dPad, centred: alloc(z.b * z.dPad), residual: alloc(z.b * z.dPad),
		acts: make([]float32, z.b*c.K), latents: make([]int32, z.b*c.K), l2: make([]float64, z.b),
		fired: make([]bool, z.f), dead: make([]bool, z.f),
		part: make([]float64, maxParts*z.dPad), bDec: make([]float32, maxParts*z.dPad), norms: make([]float64, maxParts),
	}
}

// decScaleOf returns decScale of a row of W_dec.
func (m *model) decScaleOf(row []float32) float32 {
	if m.recipe.NormaliseLast {
		return 1
	}
	return m.inverseNorm(row)
}

// inverseNorm returns 1/(‖row‖ + ε).
func (m *model) inverseNorm(row []float32) float32 {
	return float32(1 / (math.Sqrt(m.kern.sumSquares(row)) + trainer.Eps32))
}

// Save implements trainer.Model.
func (m *model) Save(s *trainer.State) error {
	if len(s.SinceFired) != m.z.f || len(s.W.BDec) != m.z.d {
		return fmt.Errorf("save: the state's shapes are not those of activation_dim %d, dict_size %d", m.z.d, m.z.f)
	}
	if m.m.wEnc == nil {
		return trainer.ErrNoMoments
	}
	s.Step, s.Threshold = m.step, m.threshold
	copy(s.SinceFired, m.sinceFired)
	m.w.store(m.z, &s.W)
	m.m.store(m.z, &s.M)
	m.v.store(m.z, &s.V)
	return nil
}

// DecoderRows implements trainer.Model.
func (m *model) DecoderRows(latents []int32, rows, bDec []float32) error {
	d := m.z.d
	if len(rows) != len(latents)*d || len(bDec) != d {
		return fmt.Errorf("decoder rows: room for %d and %d numbers, want %d and %d",
			len(rows), len(bDec), len(latents)*d, d)
	}
	for i, f := range latents {
		if int(f) < 0 || int(f) >= m.z.f {
			return fmt.Errorf("decoder rows: latent %d of %d", f, m.z.f)
		}
		copy(rows[i*d:(i+1)*d], m.w.decRow(m.z, int(f)))
	}
	copy(bDec, m.w.bDec)
	return nil
}

// Close implements trainer.Model. It drops the memory; the garbage collector frees it.
func (m *model) Close() error {
	m.w, m.m, m.v, m.g = params{}, params{}, params{}, params{}
	m.batch, m.aux, m.enc, m.screen, m.rows, m.scratch = batch{}, auxBatch{}, encoder{}, encoderScreen{}, nil, nil
	m.buffers = nil
	return nil
}

// numeric returns a NumericError at the current step.
func (m *model) numeric(format string, a ...any) error {
	return &trainer.NumericError{Step: m.step, What: fmt.Sprintf(format, a...)}
}

// finite returns a NumericError that names what, unless v is finite.
func (m *model) finite(what string, v float64) error {
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return m.numeric("%s is %v", what, v)
	}
	return nil
}
