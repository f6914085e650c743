package models

import (
	"math"

	"github.com/topksweep/sweep/trainer"
)

// normTolerance is how far norms may be from each other, as a share of them, that count as one. trainer.NormsOf and
// SAEBench allow as much from 1.
const normTolerance = 1e-5

// rowNorms calls fn with the norm of each row of v, rows of width d. The sums are in float64.
func rowNorms(v []float32, d int, fn func(row int, norm float64)) {
	for at := 0; at+d <= len(v); at += d {
		sum := 0.0
		for _, x := range v[at : at+d] {
			sum += float64(x) * float64(x)
		}
		fn(at/d, math.Sqrt(sum))
	}
}

// Norms describes the norms of the rows of W_dec.
func (m *Model) Norms() trainer.RowNorms { return trainer.NormsOf(m.W.WDec, m.ActivationDim) }

// Normalize brings the rows of W_dec to unit norm: with n the norm of a row, W_dec/n, W_enc·n and b_enc·n. Each
// latent adds to a reconstruction as much as before, but it is kept for its activation times n. So the model
// computes what it did only if all rows have one norm; exact says so. Where they differ, tokens keep other latents,
// those with the larger parts in the reconstruction, and no threshold is known any more. SAELens computes the same
// under rescale_acts_by_decoder_norm. A row of zeros stays.
func (m *Model) Normalize() (exact bool) {
	least, most := math.Inf(1), 0.0 // of the rows that are not 0
	rowNorms(m.W.WDec, m.ActivationDim, func(_ int, n float64) {
		if n != 0 {
			least, most = min(least, n), max(most, n)
		}
	})
	if most == 0 {
		return true
	}
	exact = most-least <= normTolerance*most
	forZeros := 1.0
	if exact {
		forZeros = most // or a latent that adds nothing would be kept more often, or less often, than before
	}
	m.scaleActs(forZeros)
	if m.Threshold != nil && exact {
		scaled := *m.Threshold * most
		m.Threshold = &scaled
	} else {
		m.Threshold = nil
	}
	return exact
}

// scaleActs multiplies the activations of each latent by the norm of its row of W_dec, and divides the row by it.
// Those of a row of zeros are multiplied by forZeros.
func (m *Model) scaleActs(forZeros float64) {
	d := m.ActivationDim
	rowNorms(m.W.WDec, d, func(f int, n float64) {
		if n == 0 {
			n = forZeros
		}
		for i := f * d; i < (f+1)*d; i++ {
			m.W.WDec[i] = float32(float64(m.W.WDec[i]) / max(n, math.SmallestNonzeroFloat64))
			m.W.WEnc[i] = float32(float64(m.W.WEnc[i]) * n)
		}
		m.W.BEnc[f] = float32(float64(m.W.BEnc[f]) * n)
	})
}
