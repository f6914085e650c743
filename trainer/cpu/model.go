package cpu

import (
	"fmt"
	"math"

	"github.com/topksweep/sweep/trainer"
)

type model struct {
	c      trainer.Config
	recipe trainer.Recipe
	data   trainer.Batches // nil: the model only encodes
	z      sizes
	kern   *kernels
	crew   crew

	buffers [][]float32 // [2][B,D] for batches, once the model trains

	step       int64
	w, m, v, g params
	since      []int64 // [F]
	threshold  float32

	// unit[f] brings row f of W_dec to unit norm: the recipes that normalise at
	// the start of a step keep the rows as Adam left them, and each use
	// multiplies by it. It is 1 where the recipe normalises last.
	unit []float32

	all    []uint32 // admits every latent
	screen screen
	enc    encoder
	rows   []float32 // centred rows of Encode
	bat    batch
	aux    auxBatch
	work   []*work
}

// batch holds what a step knows of its tokens.
type batch struct {
	dPad     int
	centred  []float32 // [B,dPad] x − b_dec
	residual []float32 // [B,dPad] x − x̂
	acts     []float32 // [B,K] kept activations
	latents  []int32   // [B,K]
	l2       []float64 // [B] squared norm of the residual
	hits     hits
	firedAt  []bool // [F] fired in this step
	dead     []bool // [F]

	part  []float64 // [groups,dPad] partial sums over tokens
	bDec  []float32 // [groups,dPad] partial gradients of b_dec
	norms []float64 // [groups] partial squared norms of the gradients
}

// row returns a token's row of centred, residual or the like.
func (b *batch) row(of []float32, token int) []float32 { return of[token*b.dPad : (token+1)*b.dPad] }

// work is what one goroutine keeps between tasks.
type work struct {
	rows []float32 // [nr,dPad] words of a panel's encoder rows
	bDec []float32 // [dPad] partial gradient of b_dec through the encoder
	coef []float32
	ids  []int32
	keys []key
}

func newModel(
	c trainer.Config, recipe trainer.Recipe, s *trainer.State, data trainer.Batches, kern *kernels, threads int,
) (*model, error) {
	z := sizesOf(c)
	m := &model{
		c: c, recipe: recipe, data: data, z: z, kern: kern, crew: crew(threads), step: s.Step, threshold: s.Threshold,
		w: newParams(z), m: newParams(z), v: newParams(z), g: newParams(z),
		since: append([]int64(nil), s.SinceFired...), unit: make([]float32, z.fPad),
	}
	for _, p := range []*trainer.Params{&s.W, &s.M, &s.V} {
		if len(p.WEnc) != z.f*z.d || len(p.WDec) != z.f*z.d || len(p.BEnc) != z.f || len(p.BDec) != z.d || len(s.SinceFired) != z.f {
			return nil, fmt.Errorf("cpu: the state's shapes are not those of activation_dim %d, dict_size %d", z.d, z.f)
		}
	}
	m.w.load(z, &s.W)
	m.m.load(z, &s.M)
	m.v.load(z, &s.V)
	for f := range m.unit {
		m.unit[f] = m.unitOf(m.w.decRow(z, f))
	}
	m.all, m.enc, m.bat = allLatents(z), encoder{m: m}, newBatch(c, z)
	for range threads {
		m.work = append(m.work, &work{rows: make([]float32, nr*z.dPad), bDec: make([]float32, z.dPad)})
	}
	m.screen = screen{words: m.g.wEnc, bounds: make([][4][nr]float32, z.panels), reach: make([]float64, z.panels)}
	m.crew.do(z.panels, func(worker, p int) { m.screenPanel(p, m.work[worker].rows) })
	return m, nil
}

func newBatch(c trainer.Config, z sizes) batch {
	return batch{
		dPad: z.dPad, centred: alloc(z.b * z.dPad), residual: alloc(z.b * z.dPad),
		acts: make([]float32, z.b*c.K), latents: make([]int32, z.b*c.K), l2: make([]float64, z.b),
		firedAt: make([]bool, z.f), dead: make([]bool, z.f),
		part: make([]float64, groups*z.dPad), bDec: make([]float32, groups*z.dPad), norms: make([]float64, groups),
	}
}

// unitOf returns the factor that a row of W_dec is multiplied by before use.
func (m *model) unitOf(row []float32) float32 {
	if m.recipe.NormaliseLast {
		return 1
	}
	return m.toUnit(row)
}

func (m *model) toUnit(row []float32) float32 {
	return float32(1 / (math.Sqrt(m.kern.sumSquares(row)) + trainer.Eps32))
}

// Save implements trainer.Model.
func (m *model) Save(s *trainer.State) error {
	if len(s.SinceFired) != m.z.f || len(s.W.BDec) != m.z.d {
		return fmt.Errorf("save: the state's shapes are not those of activation_dim %d, dict_size %d", m.z.d, m.z.f)
	}
	s.Step, s.Threshold = m.step, m.threshold
	copy(s.SinceFired, m.since)
	m.w.store(m.z, &s.W)
	m.m.store(m.z, &s.M)
	m.v.store(m.z, &s.V)
	return nil
}

// Close implements trainer.Model. The garbage collector does the rest.
func (m *model) Close() error {
	m.w, m.m, m.v, m.g = params{}, params{}, params{}, params{}
	m.bat, m.aux, m.enc, m.screen, m.rows, m.work = batch{}, auxBatch{}, encoder{}, screen{}, nil, nil
	m.buffers = nil
	return nil
}

func (m *model) numeric(format string, a ...any) error {
	return &trainer.NumericError{Step: m.step, What: fmt.Sprintf(format, a...)}
}

// finite is nil where v is.
func (m *model) finite(what string, v float64) error {
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return m.numeric("%s is %v", what, v)
	}
	return nil
}
