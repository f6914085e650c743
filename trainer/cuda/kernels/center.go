//go:build cuda

package kernels

// Center is x − b_dec, padded.
type Center struct {
	Step        ptr // *Step, whose X is taken; or 0 and
	X           ptr // [Rows,D]
	Totals      ptr // emptied for a step, or 0
	MainScale   float32
	BDec        ptr // [4·D4]
	Out         ptr // [Rows,D4]
	OutBF       ptr // the same in bfloat16, or 0
	Rows, D, D4 int
}

func (q *Queue) Center(c Center) {
	q.need(c.Rows > 0 && c.D > 0 && 4*c.D4 >= c.D, "center: %d rows of width %d in %d", c.Rows, c.D, 4*c.D4)
	q.need((c.Step == 0) != (c.X == 0), "center: want a step or a batch")
	q.launch("center", linear(c.Rows*c.D4, 256), args(c.Step, c.Totals, f32(c.MainScale), c.X, c.BDec, c.Out, c.OutBF, i32(c.Rows), i32(c.D), i32(c.D4)))
}

// ToBF16 rounds n4 float4 to bfloat16.
func (q *Queue) ToBF16(in, out ptr, n4 int) {
	q.launch("to_bf16", linear(n4, 256), args(in, out, i64(n4)))
}

// Pick copies N rows of a table, by their numbers.
type Pick struct {
	Table ptr // [,D]
	Rows  ptr // [N] int64
	N, D  int
	Out   ptr // [N,D]
}

func (q *Queue) Pick(p Pick) {
	q.need(p.N > 0 && p.D > 0, "pick: %d rows of %d", p.N, p.D)
	q.launch("pick", rows(p.N), args(p.Table, p.Rows, i32(p.N), i32(p.D), p.Out))
}
