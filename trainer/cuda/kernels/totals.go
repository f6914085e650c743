//go:build cuda

package kernels

import "github.com/topksweep/sweep/trainer/cuda/driver"

// sumParts is the number of blocks that sum at most.
const sumParts = 128

// SumBytes is the scratch that Totals needs.
const SumBytes = 4 * 8 * sumParts

// Finish sums what the latents and the rows have come to.
type Finish struct {
	LatentNorm2     ptr // [F] float64
	F               int
	RowNorm2, Least ptr // [B] float64, [B] float32
	B               int
	BiasNorm2       ptr // [BiasParts] float64
	BiasParts       int
	Part            ptr // SumBytes
	Step, Totals    ptr
	Beta            float64 // of the threshold's average
}

func (q *Queue) Finish(f Finish) {
	parts := min(sumParts, over(max(f.F, f.B), 256))
	q.launch("sums", driver.Linear(parts, 256, 0), args(f.LatentNorm2, i32(f.F), f.RowNorm2, f.Least, i32(f.B), f.Part))
	q.launch("totals", driver.Linear(1, 128, 0), args(f.Part, i32(parts), f.BiasNorm2, i32(f.BiasParts), i32(f.B), f.Step, f64(f.Beta), f.Totals))
}
