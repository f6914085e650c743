package cpu

import "math"

// These are the settings of the reference's geometric_median: at most medianSteps steps
// of Weiszfeld's iteration, which start at the mean and end when one moves the guess by
// less than medianTol.
const (
	medianSteps = 100
	medianTol   = 1e-5
)

// geometricMedian returns the geometric median of the rows of x_BD: the point with the
// least sum of distances to them. A row that equals the guess has an infinite weight:
// the guess is then the result, where the reference returns NaN.
func geometricMedian(w workers, x []float32, d int) []float64 {
	rows := len(x) / d
	parts := min(maxParts, rows)
	guess, next := make([]float64, d), make([]float64, d)
	sums := make([]float64, parts*d)
	weights := make([]float64, parts)
	met := make([]bool, parts) // whether a row of the part equals the guess
	// pass sets next to the weighted mean of the rows.
	pass := func(weight func(row []float32) float64) {
		clear(sums)
		clear(weights)
		w.do(parts, func(_, p int) {
			from, to := span(p, parts, rows)
			sum := sums[p*d : (p+1)*d]
			for r := from; r < to; r++ {
				row := x[r*d : (r+1)*d]
				c := weight(row)
				met[p] = met[p] || math.IsInf(c, 1)
				weights[p] += c
				for j, v := range row {
					sum[j] += c * float64(v)
				}
			}
		})
		clear(next)
		total := 0.0
		for p := range parts {
			total += weights[p]
			for j := range next {
				next[j] += sums[p*d+j]
			}
		}
		for j := range next {
			next[j] /= total
		}
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
