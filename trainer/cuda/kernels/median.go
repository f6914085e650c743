//go:build cuda

package kernels

import "github.com/topksweep/sweep/trainer/cuda/driver"

// Median is one iteration towards the geometric median of the rows of a batch.
type Median struct {
	X           ptr // [Rows,D]
	Rows, D     int
	Guess, Next ptr // [D] float64; Guess 0: Next is the mean
	Weight      ptr // [Rows] float64
	Part        ptr // [MaxParts,D] float64
	Moved       ptr // [2] float64: squared distance of Next to Guess; 1 if Guess has met a row
}

func (q *Queue) Median(m Median) {
	q.launch("median_weights", linear(m.Rows*wide(m.D), wide(m.D)), args(m.X, m.Guess, i32(m.D), m.Weight))
	shape := driver.Shape{Grid: [3]uint32{uint32(over(m.D, 32)), uint32(partsOf(m.Rows))}, Block: [3]uint32{32, 8}}
	q.launch("median_columns", shape, args(m.X, m.Weight, i32(m.Rows), i32(m.D), m.Part))
	q.launch("median_next", driver.Linear(1, 256, 0), args(m.Part, i32(partsOf(m.Rows)), m.Weight, i32(m.Rows), i32(m.D), m.Guess, m.Next, m.Moved))
}

// MedianSet rounds a point to b_dec.
func (q *Queue) MedianSet(from ptr, d int, bDec ptr) {
	q.launch("median_set", linear(d, 128), args(from, i32(d), bDec))
}
