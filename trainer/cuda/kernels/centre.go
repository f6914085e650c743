//go:build cuda

package kernels

// Centre computes x − b_dec, as padded rows. For a step it also resets the step's totals; the
// threshold stays.
type Centre struct {
	Input       ptr // *StepInput, whose X is the batch; 0: X of this struct is
	X           ptr // [Rows,D], or 0
	Totals      ptr // *StepTotals to reset, or 0
	MainScale   float32
	BDec        ptr // [4·D4]
	Out         ptr // [Rows,D4] result
	OutBF       ptr // [Rows,D4] in bfloat16, result, or 0
	Rows, D, D4 int
}

func (q *Queue) Centre(c Centre) {
	q.require(c.Rows > 0 && c.D > 0 && 4*c.D4 >= c.D, "centre: %d rows of width %d in %d", c.Rows, c.D, 4*c.D4)
	q.require((c.Input == 0) != (c.X == 0), "centre: want either a step's input or a batch")
	q.launch("centre", linear(c.Rows*c.D4, 256), c.Input, c.Totals, f32(c.MainScale), c.X, c.BDec, c.Out, c.OutBF,
		i32(c.Rows), i32(c.D), i32(c.D4))
}

// ToBF16 rounds n4 float4 to bfloat16.
func (q *Queue) ToBF16(in, out ptr, n4 int) {
	q.launch("to_bf16", linear(n4, 256), in, out, i64(n4))
}
