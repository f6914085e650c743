//go:build cuda

package kernels

import "github.com/topksweep/sweep/trainer/cuda/driver"

// Median is one iteration towards the geometric median of the rows of a batch.
type Median struct {
	X       ptr // [Rows,D]
	Rows, D int
	Guess   ptr // [D] float64; 0: Next becomes the mean
	Next    ptr // [D] float64, result
	Weight  ptr // [Rows] float64, scratch
	Sums    ptr // [MaxParts,D] float64, scratch
	Moved   ptr // [2] float64, result: squared distance of Next from Guess; 1 if Guess is a row
}

func (q *Queue) Median(m Median) {
	q.launch("median_weights", blockEach(m.Rows, m.D), m.X, m.Guess, i32(m.D), m.Weight)
	q.launch("median_columns", columnBlocks(m.D, m.Rows), m.X, m.Weight, i32(m.Rows), i32(m.D), m.Sums)
	q.launch("median_next", driver.Linear(1, 256), m.Sums, i32(partsOf(m.Rows)), m.Weight, i32(m.Rows), i32(m.D), m.Guess,
		m.Next, m.Moved)
}

// MedianSet rounds a point of D float64 to b_dec.
func (q *Queue) MedianSet(median ptr, d int, bDec ptr) {
	q.launch("median_set", linear(d, 128), median, i32(d), bDec)
}
