//go:build cuda

package cuda

import (
	"math"

	"github.com/topksweep/sweep/trainer/cuda/driver"
	"github.com/topksweep/sweep/trainer/cuda/kernels"
)

// The reference's geometric_median: at most medianSteps steps of Weiszfeld's
// iteration from the mean, until one moves less than medianTol.
const (
	medianSteps = 100
	medianTol   = 1e-5
)

// median sets b_dec to the geometric median of a batch. Where the guess meets a
// row, whose weight would be infinite, the row is the answer; the reference
// returns NaN there.
func (m *model) median(x driver.Ptr) {
	guess, next := m.mean, m.variance
	it := kernels.Median{X: x, Rows: m.z.b, D: m.z.d, Next: next, Weight: m.l2, Sums: m.part, Moved: m.moved}
	m.q.Median(it)
	for range medianSteps {
		guess, next = next, guess
		it.Guess, it.Next = guess, next
		m.q.Median(it)
		moved := []float64{0, 0}
		m.download(driver.Bytes(moved), m.moved)
		if moved[1] > 0 {
			next = guess
			break
		}
		if !(math.Sqrt(moved[0]) >= medianTol) { // NaN too: the batch holds one
			break
		}
	}
	m.q.MedianSet(next, m.z.d, m.w.bDec)
}
