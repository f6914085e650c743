package cpu

import "github.com/topksweep/sweep/trainer"

// The encoder's product has packed operands: tokens in panels of mr rows, latents in
// panels of nr rows. A panel of n rows holds them interleaved, first element 0 of each
// row, then element 1 of each, so that the kernel reads both operands in order:
//
//	rows (a0 a1 a2), (b0 b1 b2) as a panel of 2: a0 b0 a1 b1 a2 b2
const (
	mr   = 12 // tokens in a panel
	nr   = 32 // latents in a panel
	lane = 16 // rows of matrices that are not packed are padded to a multiple of this
)

// maxParts is the number of parts that sums over latents or tokens are cut into, if
// there are so many. The parts' sums are added in order, so that the result does not
// depend on the number of threads.
const maxParts = 64

// sizes are the shapes of a model, plain and padded. Padding holds zeros, and every
// update keeps it so.
type sizes struct {
	b, d, f    int // batch_size, activation_dim, dict_size
	dPad, fPad int // d and f rounded up to multiples of lane and nr
	panels     int // of latents: fPad/nr
}

func sizesOf(c trainer.Config) sizes {
	z := sizes{b: c.BatchSize, d: c.ActivationDim, f: c.DictSize}
	z.dPad = roundUp(z.d, lane)
	z.fPad = roundUp(z.f, nr)
	z.panels = z.fPad / nr
	return z
}

// roundUp returns the least multiple of to that is at least n.
func roundUp(n, to int) int { return (n + to - 1) / to * to }

// params holds the parameters, or a moment or the gradient of each, with padded rows.
type params struct {
	wEnc []float32 // [fPad][dPad]
	bEnc []float32 // [fPad]
	wDec []float32 // [fPad][dPad]
	bDec []float32 // [dPad]
}

func newParams(z sizes) params {
	return params{
		wEnc: alloc(z.fPad * z.dPad), bEnc: make([]float32, z.fPad),
		wDec: alloc(z.fPad * z.dPad), bDec: make([]float32, z.dPad),
	}
}

func (p *params) encRow(z sizes, f int) []float32 { return p.wEnc[f*z.dPad : (f+1)*z.dPad] }
func (p *params) decRow(z sizes, f int) []float32 { return p.wDec[f*z.dPad : (f+1)*z.dPad] }

// load copies s into p.
func (p *params) load(z sizes, s *trainer.Params) {
	for f := range z.f {
		copy(p.encRow(z, f), s.WEnc[f*z.d:(f+1)*z.d])
		copy(p.decRow(z, f), s.WDec[f*z.d:(f+1)*z.d])
	}
	copy(p.bEnc, s.BEnc)
	copy(p.bDec, s.BDec)
}

// store copies p into s.
func (p *params) store(z sizes, s *trainer.Params) {
	for f := range z.f {
		copy(s.WEnc[f*z.d:(f+1)*z.d], p.encRow(z, f))
		copy(s.WDec[f*z.d:(f+1)*z.d], p.decRow(z, f))
	}
	copy(s.BEnc, p.bEnc)
	copy(s.BDec, p.bDec)
}
