package cpu

import "github.com/topksweep/sweep/trainer"

// Shapes of the packed operands of the encoder's product. Tokens are packed in
// panels of mr, latents in panels of nr: a panel of n holds n rows interleaved,
// so that the kernel reads both operands in order.
const (
	mr   = 12 // tokens in a panel
	nr   = 32 // latents in a panel
	lane = 16 // rows of row-major matrices are padded to a multiple of this
)

// groups is the number of parts that sums over latents or tokens are cut into;
// the parts' sums are added in order.
const groups = 64

// sizes are the padded shapes of a model. Padding holds zeros, and every update
// keeps it so.
type sizes struct {
	b, d, f    int
	dPad, fPad int // multiples of lane and nr
	panels     int // of latents: fPad/nr
}

func sizesOf(c trainer.Config) sizes {
	z := sizes{b: c.BatchSize, d: c.ActivationDim, f: c.DictSize}
	z.dPad = roundUp(z.d, lane)
	z.fPad = roundUp(z.f, nr)
	z.panels = z.fPad / nr
	return z
}

func roundUp(n, to int) int { return (n + to - 1) / to * to }

// params are the parameters, moments or gradients, with padded rows.
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

// load copies s into p, and store copies p into s.
func (p *params) load(z sizes, s *trainer.Params) {
	for f := range z.f {
		copy(p.encRow(z, f), s.WEnc[f*z.d:(f+1)*z.d])
		copy(p.decRow(z, f), s.WDec[f*z.d:(f+1)*z.d])
	}
	copy(p.bEnc, s.BEnc)
	copy(p.bDec, s.BDec)
}

func (p *params) store(z sizes, s *trainer.Params) {
	for f := range z.f {
		copy(s.WEnc[f*z.d:(f+1)*z.d], p.encRow(z, f))
		copy(s.WDec[f*z.d:(f+1)*z.d], p.decRow(z, f))
	}
	copy(s.BEnc, p.bEnc)
	copy(s.BDec, p.bDec)
}
