package table

import "math"

// meanStd returns the mean of numbers and their standard deviation, with n − 1 below the line. Each is nil where it
// cannot be computed: of no number, a deviation of a single one, or where it is beyond float64. Numbers are divided by
// the largest before they are squared, so that 1e300 does not overflow.
func meanStd(x []float64) (mean, std any) {
	if len(x) == 0 {
		return nil, nil
	}
	scale := 0.0
	for _, v := range x {
		scale = max(scale, math.Abs(v))
	}
	if scale == 0 {
		scale = 1
	}
	n, sum := float64(len(x)), 0.0
	for _, v := range x {
		sum += v / scale
	}
	m := sum / n
	squares, rest := 0.0, 0.0
	for _, v := range x {
		d := v/scale - m
		squares += d * d
		rest += d
	}
	mean = finite((m + rest/n) * scale) // the rest is what rounding left of the mean
	if len(x) == 1 {
		return x[0], nil
	}
	return mean, finite(math.Sqrt(max(0, squares-rest*rest/n)/(n-1)) * scale)
}
