package cpu

import "math"

// The encoder's product is screened and then decided.
//
// Screening computes, for every token and latent, a number that the float32
// pre-activation does not exceed. On paths that have the instructions it
// multiplies 16-bit integers, at about twice the rate of float32. Deciding
// computes in float32 (kernel dots) the pre-activations of the few latents that
// may be among the k largest, and chooses among these values. So the choice and
// its values are those of a float32 computation of all pre-activations: neither
// depends on the screening, the tiling or the number of threads.
//
// A row v, of a token or of the encoder, is cut into blocks of at most
// blockWords words, and v̂ is what is left of it after rounding v·full·√n/r to
// integers, where n is the number of blocks and the reach r is √n times the
// largest norm of a block, at least ‖v‖. So no block's integers have a norm above
// full + √(D/n)/2, and by Cauchy–Schwarz no partial sum of a block's product
// exceeds (full + 16)² < 2³¹: the int32 arithmetic is exact. Rounding takes away at
// most ‖v − v̂‖ ≤ c·r with c = √(D/n)/2/full, and
//
//	|x·w − x̂·ŵ| ≤ ‖x−x̂‖‖w‖ + ‖x‖‖w−ŵ‖ + ‖x−x̂‖‖w−ŵ‖ ≤ (2c + c²)·r(x)·r(w).
//
// What float32 rounds away in the screening's sum over blocks and in kernel dots
// is at most the number of additions in a row · 2⁻²⁴ · ‖x‖‖w‖, and a few 2⁻²⁴ of
// the bias. So with the margin β·r(x)·r(w) + biasSlack·|b|, β as below, a
// pre-activation v and its bound u hold u − 2·margin ≤ v ≤ u.

const (
	full       = 32767 // the largest int16
	blockWords = 512   // words of a row whose products are summed as integers

	// biasSlack covers the rounding of sums that the bias is part of.
	biasSlack = 0x1p-20

	// Rows of a reach below tiny are screened as zero. Their share of a margin is
	// set so that the margin is above the norms' product, and no margin is below
	// 2⁻¹¹⁸, far above what underflow can take away: β is never below 2⁻¹⁸.
	tiny       = 0x1p-50
	tinyLatent = 0x1p-30

	// Below huge, no product of two reaches overflows. With a row at or above it,
	// or with NaN in it, every pre-activation is computed in float32.
	huge = 0x1p60
)

// A screening is the arithmetic of a path's product.
type screening struct {
	perWord int // numbers in a word: two int16, or one float32

	// quantize writes the words of scale·src.
	quantize func(dst, src []float32, scale float32)

	// product adds to out[r][j] the product of token r and latent j, of which a and
	// w hold at most blockWords words: [words][mr] and [words][nr].
	product func(a, w []float32, out *[mr][nr]float32)
}

func (s *screening) words(d int) int { return (d + s.perWord - 1) / s.perWord }

func (s *screening) blocks(d int) int { return (s.words(d) + blockWords - 1) / blockWords }

// reach returns r of a row of width dPad.
func (s *screening) reach(k *kernels, row []float32, blocks int) float64 {
	largest, step := 0.0, blockWords*s.perWord
	for from := 0; from < len(row); from += step {
		largest = max(largest, k.sumSquares(row[from:min(from+step, len(row))]))
	}
	return math.Sqrt(largest * float64(blocks))
}

// scale returns the factor that a row of that reach is quantized with, and its
// inverse.
func (s *screening) scale(reach float64, blocks int) (scale, unit float32) {
	switch {
	case !(reach >= tiny && reach < huge):
		return 0, 0
	case s.perWord == 1:
		return 1, 1
	}
	most := full * math.Sqrt(float64(blocks))
	return float32(most / reach), float32(reach / most)
}

// beta is the margin of two rows of reach 1 and no bias.
func (s *screening) beta(d int) float64 {
	n := s.blocks(d)
	// Additions in a row: four lanes of dots in the portable path, the blocks, and
	// what is done once.
	c, additions := 0.0, float64(d)/4+float64(n)+64
	if s.perWord == 1 {
		additions += float64(min(d, blockWords))
	} else {
		// The hundredth covers the rounding of the scale and of the product by it.
		c = 1.01 * math.Sqrt(float64(d)/float64(n)) / 2 / full
	}
	return 1.02 * (2*c + c*c + additions*0x1p-24)
}

// A screen is what screening knows of the encoder's rows. The words lie in the
// memory of W_enc's gradient, which a step fills only when it is done encoding.
type screen struct {
	words  []float32        // [panels][words(D)][nr] at a stride of dPad·nr
	bounds [][4][nr]float32 // [panels]: of each latent unit, reach, bias + slack and slack
	reach  []float64        // [panels] the largest reach of a panel's rows
}

func (s *screen) panel(z sizes, p int) []float32 {
	return s.words[p*z.dPad*nr : (p+1)*z.dPad*nr]
}

// screenPanel screens panel p of the encoder. scratch holds nr·dPad numbers.
func (m *model) screenPanel(p int, scratch []float32) {
	z, s, b := m.z, &m.kern.screening, &m.screen.bounds[p]
	blocks, width, largest := s.blocks(z.d), z.dPad/s.perWord, 0.0
	for j := range nr {
		f := p*nr + j
		row, bias := m.w.encRow(z, f), m.w.bEnc[f]
		reach := s.reach(m.kern, row, blocks)
		largest = max(largest, reach)
		scale, unit := s.scale(reach, blocks)
		s.quantize(scratch[j*width:(j+1)*width], row, scale)
		b[0][j], b[1][j] = unit, float32(max(reach, tinyLatent))
		slack := float32(biasSlack * math.Abs(float64(bias)))
		b[2][j], b[3][j] = bias+slack, slack
	}
	m.screen.reach[p] = largest
	m.kern.transpose(m.screen.panel(z, p)[:s.words(z.d)*nr], scratch[:nr*width], nr)
}

// A token's share of the margins, given the largest reach of any latent.
func (s *screening) share(reach, latents, beta float64) float32 {
	switch {
	case !(reach < huge && latents < huge):
		return float32(math.NaN())
	case reach == 0:
		return 0
	case reach < tiny:
		return 2 * tiny
	}
	return float32(beta * reach)
}
