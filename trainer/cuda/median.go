//go:build cuda

package cuda

import (
	"math"

	"github.com/topksweep/sweep/trainer/cuda/driver"
	"github.com/topksweep/sweep/trainer/cuda/kernels"
)

// As in the reference's geometric_median: Weiszfeld's iteration starts at the mean and ends
// after medianSteps steps, or when a step moves by less than medianTol.
const (
	medianSteps = 100
	medianTol   = 1e-5
)

// initBDec sets b_dec to the geometric median of the rows of x_BD. Where the iteration meets
// a row, whose weight would be infinite, that row is the result; the reference returns NaN
// there.
func (m *model) initBDec(x driver.Ptr) {
	// The two points and the sums lie in buffers that are free before the first step.
	guess, next := m.aux.mean, m.aux.variance
	it := kernels.Median{
		X: x, Rows: m.z.b, D: m.z.d, Next: next, Weight: m.l2, Sums: m.residualSums, Moved: m.moved,
	}
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
		if !(math.Sqrt(moved[0]) >= medianTol) { // also where it is NaN: the batch holds one
			break
		}
	}
	m.q.MedianSet(next, m.z.d, m.w.bDec)
}
