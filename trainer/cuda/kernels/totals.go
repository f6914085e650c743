//go:build cuda

package kernels

import "github.com/topksweep/sweep/trainer/cuda/driver"

// sumParts is the most parts in which SumStep sums.
const sumParts = 128

// SumBytes is the size of SumStep's scratch: four float64 for each part.
const SumBytes = 4 * 8 * sumParts

// SumStep sums the numbers of all latents and all tokens to the StepTotals, and updates the
// threshold.
type SumStep struct {
	LatentNorm2 ptr // [F] float64: squared norms of the latents' gradients
	F           int
	L2          ptr // [B] float64: squared errors of the tokens
	Smallest    ptr // [B] smallest positive activation of each token, or +Inf
	B           int
	BiasNorm2   ptr // [BiasParts] float64
	BiasParts   int
	Sums        ptr     // SumBytes, scratch
	Input       ptr     // *StepInput
	Totals      ptr     // *StepTotals
	Beta        float64 // of the threshold's moving average
}

func (q *Queue) SumStep(s SumStep) {
	parts := min(sumParts, over(max(s.F, s.B), 256))
	q.launch("step_sums", driver.Linear(parts, 256), s.LatentNorm2, i32(s.F), s.L2, s.Smallest, i32(s.B), s.Sums)
	q.launch("step_totals", driver.Linear(1, 128), s.Sums, i32(parts), s.BiasNorm2, i32(s.BiasParts), i32(s.B), s.Input,
		f64(s.Beta), s.Totals)
}
