package cpu

import "math"

// The reference's geometric_median: at most medianSteps steps of Weiszfeld's
// iteration from the mean, until one moves less than medianTol.
const (
	medianSteps = 100
	medianTol   = 1e-5
)

// geometricMedian returns the geometric median of the rows of x_BD. Where the
// guess meets a row, whose weight would be infinite, the row is the answer; the
// reference returns NaN there.
func geometricMedian(c crew, x []float32, d int) []float64 {
	rows := len(x) / d
	parts := min(groups, rows)
	guess, next := make([]float64, d), make([]float64, d)
	sums := make([]float64, parts*d)
	weights := make([]float64, parts)
	met := make([]bool, parts)
	// pass sums the weighted rows; with a nil weight every row counts the same.
	pass := func(weight func(row []float32) float64) (total float64) {
		clear(sums)
		clear(weights)
		c.do(parts, func(_, p int) {
			from, to := span(p, parts, rows)
			sum := sums[p*d : (p+1)*d]
			for r := from; r < to; r++ {
				row := x[r*d : (r+1)*d]
				w := weight(row)
				met[p] = met[p] || math.IsInf(w, 1)
				weights[p] += w
				for j, v := range row {
					sum[j] += w * float64(v)
				}
			}
		})
		clear(next)
		for p := range parts {
			total += weights[p]
			for j := range next {
				next[j] += sums[p*d+j]
			}
		}
		for j := range next {
			next[j] /= total
		}
		return total
	}
	pass(func([]float32) float64 { return 1 })
	for range medianSteps {
		guess, next = next, guess
		pass(func(row []float32) float64 {
			sum := 0.0
			for j, v := range row {
				sum += (float64(v) - guess[j]) * (float64(v) - guess[j])
			}
			return 1 / math.Sqrt(sum)
		})
		for _, m := range met {
			if m {
				return guess
			}
		}
		moved := 0.0
		for j := range next {
			moved += (next[j] - guess[j]) * (next[j] - guess[j])
		}
		if math.Sqrt(moved) < medianTol {
			break
		}
	}
	return next
}
