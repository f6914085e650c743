package plain

import "math"

// GeometricMedian returns the point with the smallest sum of distances to the rows
// of x_BD, by Weiszfeld's iteration from their mean: at most 100 steps, until one
// is shorter than 1e-5 (reference: geometric_median). Where the guess meets a row,
// whose weight would be infinite, it is the answer; the reference has NaN there.
func GeometricMedian(x_BD [][]float64) []float64 {
	guess_D := weightedMean(x_BD, func([]float64) float64 { return 1 })
	for range 100 {
		for _, x_D := range x_BD {
			if distance(x_D, guess_D) == 0 {
				return guess_D
			}
		}
		next_D := weightedMean(x_BD, func(x_D []float64) float64 { return 1 / distance(x_D, guess_D) })
		moved := distance(next_D, guess_D)
		guess_D = next_D
		if moved < 1e-5 {
			break
		}
	}
	return guess_D
}

func weightedMean(x_BD [][]float64, weight func(x_D []float64) float64) []float64 {
	mean_D, total := make([]float64, len(x_BD[0])), 0.0
	for _, x_D := range x_BD {
		w := weight(x_D)
		total += w
		addScaled(mean_D, w, x_D)
	}
	for i := range mean_D {
		mean_D[i] /= total
	}
	return mean_D
}

func distance(a, b []float64) float64 {
	diff := minus(a, b)
	return math.Sqrt(dot(diff, diff))
}
