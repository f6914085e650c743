//go:build cuda

package kernels

// Centre computes x − b_dec, as padded rows, and rounds them to float16. For a step it also
// resets the step's totals; the threshold stays.
type Centre struct {
	Input       ptr // *StepInput, whose X is the batch; 0: X of this struct is
	X           ptr // [Rows,D], or 0
	Totals      ptr // *StepTotals to reset, or 0
	MainScale   float32
	BDec        ptr // [4·D4]
	Out         ptr // [Rows,D4] result
	Half        ptr // [Rows,D4] in float16, result
	Rounding    ptr // [Rows] how they were rounded, TokenRoundingBytes each, result
	Rows, D, D4 int
}

func (q *Queue) Centre(c Centre) {
	q.require(c.Rows > 0 && c.D > 0 && 4*c.D4 >= c.D, "centre: %d rows of width %d in %d", c.Rows, c.D, 4*c.D4)
	q.require((c.Input == 0) != (c.X == 0), "centre: want either a step's input or a batch")
	q.launch("centre", warpEach(c.Rows), c.Input, c.Totals, f32(c.MainScale), c.X, c.BDec, c.Out, c.Half, c.Rounding,
		i32(c.Rows), i32(c.D), i32(c.D4))
}

// RoundRows rounds n rows of W_enc, [n,D4], to float16, and says how: LatentRoundingBytes each.
func (q *Queue) RoundRows(w, half, rounding ptr, n, d4 int) {
	q.launch("round_rows", warpEach(n), w, half, rounding, i32(n), i32(d4))
}

// Sizes of struct TokenRounding and struct LatentRounding of rounding.cuh, in bytes.
const (
	TokenRoundingBytes  = 16
	LatentRoundingBytes = 16
)
