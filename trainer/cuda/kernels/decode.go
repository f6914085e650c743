//go:build cuda

package kernels

// Decode subtracts what activations decode to, without b_dec, from each row.
type Decode struct {
	From, Out     ptr // [Rows,D4]; they may be the same
	WDec, Unit    ptr // [F,D4], [F]
	Acts, Latents ptr // [Rows,Stride], of which the first K count
	K, Stride     int
	Rows, D4      int
	Norm2         ptr // [Rows] float64: squared norm of Out
	Mean, Spread2 ptr // with Mean [4·D4] not 0: [Rows] squared distance of From to it
}

func (q *Queue) Decode(d Decode) {
	q.need(d.Rows > 0 && d.K > 0 && d.K <= d.Stride, "decode: %d rows, k %d of %d", d.Rows, d.K, d.Stride)
	shape := linear(d.Rows*wide(d.D4), wide(d.D4))
	q.launch("decode", shape, args(d.From, d.Out, d.WDec, d.Unit, d.Acts, d.Latents, i32(d.K), i32(d.Stride), i32(d.D4),
		d.Norm2, d.Mean, d.Spread2))
}
