package cpu

import "math"

// The encoder finds a token's k largest pre-activations in two passes.
//
// Screening is the cheap pass over all F latents: it computes for each an upper
// bound of its float32 pre-activation. On paths that have the instructions, it
// multiplies 16-bit integers, at about twice the rate of float32. The exact pass
// computes in float32 (kernel dots) the pre-activations of the few latents whose
// bounds are so high that they may be among the k largest, and selects among these
// values. So the selection and its values are those of a float32 computation of all
// pre-activations: they do not depend on the screening, the tiling or the number of
// threads.
//
// # The bound
//
// Let v be a row, of a token or of the encoder, and D its width. It is cut into n
// blocks of at most blockWords words. Its norm bound r(v) is √n times the largest
// norm of a block, which is at least ‖v‖. Let v̂ be v after the numbers
// v·maxQuant·√n/r(v) are rounded to integers and scaled back.
//
// The integers of a block have a norm of at most maxQuant + √(D/n)/2. By
// Cauchy–Schwarz no partial sum of a block's product exceeds (maxQuant + 16)² < 2³¹:
// the int32 arithmetic is exact. Rounding changes v by ‖v − v̂‖ ≤ c·r(v) at most,
// with c = √(D/n)/2/maxQuant. So for a token x and an encoder row w
//
//	|x·w − x̂·ŵ| ≤ ‖x−x̂‖‖w‖ + ‖x‖‖w−ŵ‖ + ‖x−x̂‖‖w−ŵ‖ ≤ (2c + c²)·r(x)·r(w).
//
// The float32 sums, over blocks here and in kernel dots, round by at most the number
// of additions in a row · 2⁻²⁴ · ‖x‖‖w‖, and by a few 2⁻²⁴ of the bias b. Together
//
//	margin = β·r(x)·r(w) + biasSlack·|b|      (β: see screenProduct.factor)
//	u      = x̂·ŵ + b + margin
//	u − 2·margin ≤ v ≤ u                       for the float32 pre-activation v.
//
// A token with outliers (see outliers.go) is a sum x = s + o of its rest s, which is
// zero at the outliers, and its outliers o, which are zero elsewhere. Only s is rounded
// to integers; o·w is added in float32. So the error of rounding is (2c + c²)·r(s)·r(w).
// The float32 sums now add products of s and of o. They round by at most their number of
// roundings · 2⁻²⁴ · (‖s‖ + ‖o‖)·‖w‖, a few more for the outliers. Together
//
//	margin = (β·r(s) + γ·‖o‖)·r(w) + biasSlack·|b|
//	u      = ŝ·ŵ + b + margin + o·w
//
// γ holds only roundings of float32. With D = 512, β is 7.2e-4 and γ is 9.9e-6. Let one
// coordinate be 1000 and the others have norm 22. The margin of the whole row is
// 0.72·r(w), where values without the outlier differ by about ‖w‖: it can tell little.
// With the outlier split off, it is 0.026·r(w). Without an outlier it is 0.016·r(w).
//
// Latents can be split too (see columns.go): w = p + q, where q is zero except at the
// encoder's wide columns, and p is zero there. Only p is rounded to integers. All of the
// token at the wide columns is multiplied in float32. In the same way
//
//	margin = (β·r(s) + γ·‖o‖)·r(p) + γ·(r(s) + ‖o‖)·‖q‖ + biasSlack·|b|
//	u      = ŝ·p̂ + b + margin + o·w + (s at the wide columns)·q
//
// # An example
//
// D = 2, one block, b = 0, and maxQuant 7 instead of 32767. Both rows have norm 1, so
// that r = 1 and the numbers are multiplied by 7 and rounded:
//
//	x = (0.6, 0.8) → (4.2, 5.6) → (4, 6)      w = (1, 0) → (7, 0)
//	x̂·ŵ = (4·7 + 6·0) / 7² = 0.571; x·w is 0.6
//	c = √2/2/7 = 0.101, margin = 2c + c² = 0.212
//	u = 0.783, and 0.359 ≤ 0.6 ≤ 0.783: the pre-activation lies in [u − 2·margin, u].
//
// With maxQuant 32767 and D = 512, c is 3.5e-4 and the margin is 7e-4·r(x)·r(w): few
// latents have bounds so close that they cannot be told from the k largest.

const (
	maxQuant   = 32767 // the largest int16
	blockWords = 512   // words of a row whose products are summed as integers

	// biasSlack covers the rounding of sums that the bias is part of.
	biasSlack = 0x1p-20

	// Rows whose norm bound is below minNorm are screened as zero. Their factor of a
	// margin is set so that the margin is above the product of the norms. No margin is
	// below 2⁻¹¹⁸, which is far above what underflow can take away: β is never below
	// 2⁻¹⁸.
	minNorm       = 0x1p-50
	minLatentNorm = 0x1p-30

	// Below maxNorm, no product of two norm bounds overflows. For a row at or above
	// it, or with NaN in it, every pre-activation is computed in float32.
	maxNorm = 0x1p60
)

// A screenProduct is how an instruction path computes the product x̂·ŵ.
type screenProduct struct {
	perWord int // numbers in a 32-bit word: two int16, or one float32

	// quantize writes the words of scale·src to dst.
	quantize func(dst, src []float32, scale float32)

	// product adds to out[r][j] the product of token r and latent j. a holds words of
	// the tokens, [n][mr], and w of the latents, [n][nr], with n ≤ blockWords.
	product func(a, w []float32, out *[mr][nr]float32)
}

// words returns the number of words of a row of width d.
func (s *screenProduct) words(d int) int { return (d + s.perWord - 1) / s.perWord }

// blocks returns the number of blocks n of a row of width d.
func (s *screenProduct) blocks(d int) int { return (s.words(d) + blockWords - 1) / blockWords }

// normBound returns r(row), for a row of width dPad.
func (s *screenProduct) normBound(k *kernels, row []float32, blocks int) float64 {
	largest, width := 0.0, blockWords*s.perWord
	for from := 0; from < len(row); from += width {
		largest = max(largest, k.sumSquares(row[from:min(from+width, len(row))]))
	}
	return math.Sqrt(largest * float64(blocks))
}

// scale returns the factor that a row with that norm bound is quantized with, and
// the inverse of the factor. Both are 0 for a row that is screened as zero.
func (s *screenProduct) scale(norm float64, blocks int) (scale, unscale float32) {
	switch {
	case !(norm >= minNorm && norm < maxNorm):
		return 0, 0
	case s.perWord == 1:
		return 1, 1
	}
	most := maxQuant * math.Sqrt(float64(blocks))
	return float32(most / norm), float32(norm / most)
}

// A marginFactor holds β and γ, for rows of some width: the margin of a token's rest and
// of its outliers, each with norm 1, and a latent of norm bound 1 without a bias.
type marginFactor struct{ beta, gamma float64 }

// factor returns the factors for rows of width d, whose dots add in dotSums partial sums.
func (s *screenProduct) factor(d, dotSums int) marginFactor {
	n := s.blocks(d)
	// The roundings in a row: the partial sums of dots, the blocks, 64 for what is done
	// once, and two for each column that is split off.
	c, roundings := 0.0, float64(d)/float64(dotSums)+float64(n+64+2*(mostOutliers(d)+mostColumns+1))
	gamma := 1.02 * roundings * 0x1p-24
	if s.perWord == 1 {
		roundings += float64(min(d, blockWords))
	} else {
		// The hundredth covers the rounding of the scale and of the product by it.
		c = 1.01 * math.Sqrt(float64(d)/float64(n)) / 2 / maxQuant
	}
	return marginFactor{beta: 1.02 * (2*c + c*c + roundings*0x1p-24), gamma: gamma}
}

// token returns β·r(s) + γ·‖o‖ of a token, by which a latent's norm bound is multiplied
// in the margin. rest is r(s), outliers ‖o‖, and latents the largest norm bound of any
// latent. It is NaN where bounds could overflow: no latent is then left out.
func (f marginFactor) token(rest, outliers, latents float64) float32 {
	switch {
	case !(rest < maxNorm && latents < maxNorm):
		return float32(math.NaN())
	case rest == 0:
		return float32(f.gamma * outliers)
	case rest < minNorm:
		return float32(2*minNorm + f.gamma*outliers)
	}
	return float32(f.beta*rest + f.gamma*outliers)
}

// An encoderScreen holds what screening needs of the encoder's rows. The words lie
// in the memory of W_enc's gradient, which a step fills only after it has encoded.
type encoderScreen struct {
	product screenProduct // that of the path, or float32 (see fallback.go)
	wait    int           // encodings until the other may be chosen

	words  []float32        // [panels][words(D)][nr], each panel at a multiple of dPad·nr
	bounds [][4][nr]float32 // [panels]: of each latent unscale, r(w), bias + slack, and slack
	norms  []float64        // [panels] the largest r(w) of a panel's rows, with the wide columns

	columns []int32       // the wide columns, at which the words are 0 (see columns.go)
	wide    [][nr]float32 // [panels]: of each latent the norm of its weights there
}

// panel returns the words of panel p.
func (s *encoderScreen) panel(z sizes, p int) []float32 {
	return s.words[p*z.dPad*nr : (p+1)*z.dPad*nr]
}

// screenAll fills m.screen from the encoder's rows as they are now.
func (m *model) screenAll() {
	m.workers.do(m.z.panels, func(worker, p int) { m.screenPanel(p, m.scratch[worker]) })
}

// screenPanel fills panel p of m.screen from the encoder's rows as they are now.
func (m *model) screenPanel(p int, w *scratch) {
	z, s, b := m.z, &m.screen.product, &m.screen.bounds[p]
	blocks, width, largest := s.blocks(z.d), z.dPad/s.perWord, 0.0
	for j := range nr {
		f := p*nr + j
		row, bias, wide := m.w.encRow(z, f), m.w.bEnc[f], 0.0
		if len(m.screen.columns) > 0 {
			copy(w.rest, row)
			row = w.rest
			for _, c := range m.screen.columns {
				wide += float64(row[c]) * float64(row[c])
				row[c] = 0
			}
			wide = math.Sqrt(wide)
		}
		m.screen.wide[p][j] = float32(wide)
		norm := s.normBound(m.kern, row, blocks)
		largest = max(largest, norm+wide)
		scale, unscale := s.scale(norm, blocks)
		s.quantize(w.rows[j*width:(j+1)*width], row, scale)
		b[0][j], b[1][j] = unscale, float32(max(norm, minLatentNorm))
		slack := float32(biasSlack * math.Abs(float64(bias)))
		b[2][j], b[3][j] = bias+slack, slack
	}
	m.screen.norms[p] = largest
	m.kern.transpose(m.screen.panel(z, p)[:s.words(z.d)*nr], w.rows[:nr*width], nr)
}
